"""OpenVINO on files that are not its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trimtab_agent.runtimes.base import RuntimeOptions
from trimtab_agent.runtimes.litert import LiteRt
from trimtab_agent.runtimes.openvino import OpenVino
from trimtab_agent.worker.inputs import random_inputs


@pytest.mark.parametrize(
    "name", ["kws_ds_cnn_int8.tflite", "resnet8_int8.tflite", "mobilenet_v1_025_224_uint8.tflite"]
)
def test_scales_of_a_quantized_tflite_file_are_found_again(shared_data: Path, name: str) -> None:
    path = shared_data / "models" / name
    ours = OpenVino().load(path, RuntimeOptions())
    theirs = LiteRt().load(path, RuntimeOptions())
    for seen, wanted in zip(
        (*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True
    ):
        assert seen.quantization is not None
        assert wanted.quantization is not None
        assert seen.quantization.scale == pytest.approx(wanted.quantization.scale, rel=1e-6)
        assert seen.quantization.zero_point == wanted.quantization.zero_point


def test_an_integer_graph_gives_what_litert_gives(shared_data: Path) -> None:
    path = shared_data / "models" / "kws_ds_cnn_int8.tflite"
    outputs = []
    for runtime in (OpenVino(), LiteRt()):
        session = runtime.load(path, RuntimeOptions())
        session.bind(random_inputs(session.inputs, {}, 0))
        session.run()
        outputs.append(next(iter(session.output_values().values())).astype(np.int64))
    assert np.abs(outputs[0] - outputs[1]).max() <= 1


def test_a_given_shape_is_taken_where_it_is_open(shared_data: Path) -> None:
    shapes = {"input_1": (4, 32, 32, 3)}
    session = OpenVino().load(
        shared_data / "models" / "resnet8_fp32.tflite", RuntimeOptions(input_shapes=shapes)
    )
    session.bind(random_inputs(session.inputs, shapes, 0))
    session.run()
    assert session.output_values()["Identity"].shape == (4, 10)


def test_the_library_sends_no_usage_reports() -> None:
    """In a process of its own: what is imported once stays."""
    code = (
        "import sys; from trimtab_agent.runtimes.openvino import OpenVino; "
        "OpenVino().import_library(); import openvino; "
        "assert sys.modules['openvino_telemetry'] is None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
