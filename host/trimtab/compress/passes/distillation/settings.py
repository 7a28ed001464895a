"""The settings of the pass distill."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trimtab.compress.distillation import DEFAULT_TEMPERATURE, Norm
from trimtab.compress.training import TrainingConfig

Student = Literal["self", "narrow", "own"]
Importance = Literal["l2", "random"]
Start = Literal["kept", "fresh"]
Soft = Literal["auto", "scores", "binary", "values"]
Match = Literal["hint", "attention", "relations"]
DEFAULT_WIDTH = 0.5
DEFAULT_RELATION_HEADS = 4


class DistillConfig(TrainingConfig):
    student: Student = Field(
        default="self",
        description="who learns: self, the model as the passes before left it; narrow, the float "
        "model with fewer channels; own, what student() in the task file gives",
    )
    width: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="narrow: the share of every hidden width that is left, in multiples of 8; "
        f"{DEFAULT_WIDTH:g} unless set",
    )
    importance: Importance | None = Field(
        default=None,
        description="narrow: which channels are left, those with the largest weights (l2, unless "
        "set) or random ones",
    )
    start: Start | None = Field(
        default=None,
        description="narrow: whether the student begins with the weights it kept (kept, unless "
        "set) or with new ones (fresh)",
    )
    weight: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of the loss that is the distance to the float model's outputs; the "
        "rest is the task's own loss",
    )
    soft: Soft = Field(
        default="auto",
        description="what outputs are: scores of classes, binary logits, or values; auto looks at "
        "the task's loss and metric",
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        description="by how much scores and binary logits are softened, "
        f"{DEFAULT_TEMPERATURE:g} unless set",
    )
    class_dim: int | None = Field(
        default=None,
        description="scores: the dimension of the classes; unless set 1 for the default loss, "
        "else the last",
    )
    distance: Norm | None = Field(default=None, description="values: mse, unless set, or smooth_l1")
    features: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(),
        description="layers whose outputs are matched as well: names, patterns with *, or "
        "teacher:student pairs of them",
    )
    match: Match | None = Field(
        default=None,
        description="features: how, by hint (the values, through a learned projection where widths "
        "differ; unless set), attention (maps), or relations between positions",
    )
    features_weight: float | None = Field(
        default=None,
        gt=0,
        description="features: weight of their distance, which is added to the loss; 1 unless set",
    )
    relation_heads: int | None = Field(
        default=None,
        ge=1,
        description="relations: into how many heads widths are divided, "
        f"{DEFAULT_RELATION_HEADS} unless set",
    )

    @model_validator(mode="after")
    def _only_what_suits(self) -> DistillConfig:
        softened = self.soft != "values"
        belongs: tuple[tuple[tuple[str, ...], bool, str], ...] = (
            (("width", "importance", "start"), self.student == "narrow", 'student = "narrow"'),
            (("temperature",), softened, 'soft = "scores" or "binary"'),
            (("class_dim",), self.soft in ("auto", "scores"), 'soft = "scores"'),
            (("distance",), self.soft in ("auto", "values"), 'soft = "values"'),
            (("match", "features_weight"), bool(self.features), "features"),
            (("relation_heads",), self.match == "relations", 'match = "relations"'),
        )
        for names, suits, owner in belongs:
            given: list[Any] = [name for name in names if getattr(self, name) is not None]
            if given and not suits:
                raise ValueError(f"{given[0]} is a setting of {owner}; set that too")
        return self

    @property
    def softening(self) -> float:
        return self.temperature or DEFAULT_TEMPERATURE
