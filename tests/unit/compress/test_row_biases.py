"""A Gemm whose bias has the shape [1, N], as MatMul and Add are merged into."""

from pathlib import Path

import numpy as np
from trimtab.export import build_variants
from trimtab.project import PassStep, VariantPlan
from trimtab.task import FileTask


def test_file_with_a_row_for_a_bias_is_quantized_statically(
    shared_data: Path, tmp_path: Path
) -> None:
    samples = np.random.default_rng(0).random((16, 1, 28, 28), dtype=np.float32)
    np.savez(tmp_path / "calib.npz", Input3=samples)
    task = FileTask(shared_data / "models" / "mnist.onnx", calibration_file=tmp_path / "calib.npz")
    step = PassStep("quantize", {"scheme": "static"})
    _, static = build_variants(task, [VariantPlan("static", ("onnx",), (step,))], tmp_path / "out")
    assert static.failure is None
    assert static.artifact is not None
    assert static.artifact.size_bytes < 0.6 * task.path.stat().st_size
