"""A variant's target: what may be asked for, and every wrong one is a line with the place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field
from trimtab import plugins
from trimtab.compress.passes.base import Dial
from trimtab.project import Project, Target, load_project
from trimtab.records import UserError

HEAD = '[task]\nmodule = "task.py"\n[[variant]]\nname = "small"\n'
CUT = 'passes = [{ use = "cut" }]\n'
Load = Callable[[str], Project]


class CutConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    amount: float = Field(default=0.5, gt=0, lt=1)


class CutPass:
    config = CutConfig
    dial: ClassVar[Dial | None] = Dial("amount", 0.1, 0.9)

    @classmethod
    def order_problem(cls, earlier: Any) -> str | None:
        return "cut cannot follow cut" if earlier else None

    @classmethod
    def settings_problem(cls, settings: Any, earlier: Any) -> str | None:
        return None


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Of a project's text, with a pass ``cut`` that can be turned beside the built-in ones."""
    real, names = plugins.load_plugin, plugins.plugin_names

    def load_plugin(group: str, name: str) -> plugins.Plugin:
        return plugins.Plugin(name, CutPass) if name == "cut" else real(group, name)

    def plugin_names(group: str) -> tuple[str, ...]:
        return (*names(group), "cut")

    monkeypatch.setattr("trimtab.project.recipes.load_plugin", load_plugin)
    monkeypatch.setattr("trimtab.project.recipes.plugin_names", plugin_names)
    (tmp_path / "task.py").write_text("")
    file = tmp_path / "trimtab.toml"

    def loaded(text: str) -> Project:
        file.write_text(text)
        return load_project(file)

    return loaded


def test_target_of_the_file_needs_no_device(load: Load) -> None:
    (plan,) = load(HEAD + 'target = { size_mb = "<= 0.3" }\n' + CUT).variants
    assert plan.target == Target("size_mb", 0.3, (0,), 0.02, None, 2)


def test_target_that_is_measured_is_reached_on_the_selected_device(load: Load) -> None:
    text = HEAD + 'target = { latency_p50_ms = "<= 2" }\nmax_accuracy_drop = 0\npoints = 5\n' + CUT
    (plan,) = load(text + '[devices]\nselect = ["pi5"]\n').variants
    assert plan.target == Target("latency_p50_ms", 2.0, (0,), 0.0, "pi5", 5)
    (named,) = load(text.replace(CUT, 'on = "local"\n' + CUT) + "[devices]\n").variants
    assert named.target is not None
    assert named.target.on == "local"


QUANTIZE = '{ use = "quantize", scheme = "fp16" }'
PROBLEMS = {
    "unknown target": (
        'target = { size = "<= 1" }\n' + CUT,
        5,
        "unknown target size (did you mean size_mb?); allowed: size_mb, download_mb, parameters",
    ),
    "a metric that is no target": (
        'target = { accuracy = ">= 0.9" }\n' + CUT,
        5,
        "unknown target accuracy; allowed: size_mb",
    ),
    "no limit": (
        'target = { size_mb = "small" }\n' + CUT,
        5,
        'size_mb is "small"; allowed: a limit such as "<= 5"',
    ),
    "a lower limit": (
        'target = { size_mb = ">= 1" }\n' + CUT,
        5,
        'size_mb is ">= 1"; allowed: at most a value: "<= 1.3"',
    ),
    "two metrics": (
        'target = { size_mb = "<= 1", latency_p50_ms = "<= 1" }\n' + CUT,
        5,
        "target has 2 metrics; allowed: one; others go into [require]",
    ),
    "nothing that can be turned": (
        f'target = {{ size_mb = "<= 1" }}\npasses = [{QUANTIZE}]\n',
        6,
        "nothing can be turned to reach the target; allowed: one pass at least",
    ),
    "the dial is written down": (
        'target = { size_mb = "<= 1" }\npasses = [{ use = "cut", amount = 0.3 }]\n',
        6,
        "nothing can be turned to reach the target: amount of cut is written down",
    ),
    "what is turned is written down another way": (
        'target = { size_mb = "<= 1" }\npasses = [{ use = "prune", macs = 0.5 }]\n',
        6,
        "nothing can be turned to reach the target: macs of prune is written down",
    ),
    "wrong order": (
        'target = { size_mb = "<= 1" }\npasses = [{ use = "cut" },\n{ use = "cut" }]\n',
        7,
        "cut cannot follow cut",
    ),
    "several devices": (
        'target = { latency_p50_ms = "<= 1" }\n' + CUT + '[devices]\nselect = ["local", "pi5"]\n',
        5,
        "several devices are selected, and latency_p50_ms is to be reached on one; allowed: "
        'on = "local"',
    ),
    "a device for a size": (
        'target = { size_mb = "<= 1" }\non = "local"\n' + CUT,
        6,
        "size_mb is the same on every device; allowed: no on",
    ),
    "a guard without a target": (
        "max_accuracy_drop = 0.01\n" + CUT,
        5,
        "max_accuracy_drop goes with a target; allowed: target = ",
    ),
    "a guard that is no share": (
        'target = { size_mb = "<= 1" }\nmax_accuracy_drop = 2\n' + CUT,
        6,
        "variant.max_accuracy_drop is 2; allowed: less than 1",
    ),
    "a name that a step may take": (
        'target = { size_mb = "<= 1" }\n' + CUT + '[[variant]]\nname = "small.1-cut"\n' + CUT,
        8,
        "small.1-cut may be the name of a step of small; allowed: another name",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_wrong_target_is_one_line_with_what_is_allowed(name: str, load: Load) -> None:
    text, line, message = PROBLEMS[name]
    with pytest.raises(UserError) as caught:
        load(HEAD + text)
    assert message in caught.value.message
    assert f"trimtab.toml:{line}: " in caught.value.message
