"""Graph optimization of ONNX files by ONNX Runtime, ahead of time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from trimtab.compress.passes.base import ArtifactPass, ModelFile, PassConfig, PassContext
from trimtab.compress.quiet import quiet

Level = Literal["basic", "extended"]
_STANDARD = ("", "ai.onnx")


class OptimizeConfig(PassConfig):
    level: Level = Field(
        default="basic",
        description="basic: constants folded, operators merged, the file runs wherever it ran; "
        "extended: also operators that only ONNX Runtime has",
    )


class OptimizePass(ArtifactPass[OptimizeConfig]):
    name: ClassVar[str] = "optimize"
    config: ClassVar[type[PassConfig]] = OptimizeConfig
    modules: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    takes_quantized: ClassVar[bool] = True

    def rejects(self, model_format: str, config: OptimizeConfig) -> str | None:
        if model_format != "onnx":
            return f"optimize works on onnx; the converter to {model_format} has optimized it"
        return None

    def apply(
        self, source: ModelFile, target: Path, config: OptimizeConfig, context: PassContext
    ) -> str:
        written = context.scratch / f"{target.stem}.optimized.onnx"
        with quiet():
            _optimize(source.path, written, config.level)
            return _cleaned(source.path, written, target, config.level)


def _optimize(source: Path, target: Path, level: Level) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(target)
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level.upper()}"
    )
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _cleaned(source: Path, written: Path, target: Path, level: Level) -> str:
    """Without the operator sets that ONNX Runtime declares and no node uses."""
    import onnx

    before, after = onnx.load(source), onnx.load(written)
    used = {"", *(node.domain for node in after.graph.node)}
    kept = [each for each in after.opset_import if each.domain in used]
    del after.opset_import[:]
    after.opset_import.extend(kept)
    onnx.save(after, target)
    counts = Counter(node.op_type for node in before.graph.node)
    done = Counter(node.op_type for node in after.graph.node)
    change = f"{counts.total()} operators became {done.total()}"
    if counts == done:
        change = f"its {counts.total()} operators stayed: nothing to fold or merge"
    own = sorted(used - set(_STANDARD))
    note = f"; with operators of {', '.join(own)}" if own else ""
    return f"graph optimized by ONNX Runtime ({level}): {change}{note}"
