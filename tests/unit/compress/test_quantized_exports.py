"""Quantized models keep their int8 weights in the formats that ExecuTorch and torch read."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from trimtab.compress.quantized_model import QuantizedModel
from trimtab.compress.quiet import quiet
from trimtab.export import ExportFailed, ExportRequest, load_exporter

pytestmark = pytest.mark.slow
WIDTH = 256
LOAD = """
import sys
from pathlib import Path
import numpy as np
from trimtab_agent.runtimes.base import RuntimeOptions
from trimtab_agent.runtimes.registry import create_runtime
session = create_runtime(sys.argv[1]).load(Path(sys.argv[2]), RuntimeOptions(allow_code=True))
session.bind({session.inputs[0].name: np.load(sys.argv[3])})
session.run()
np.save(sys.argv[3], session.output_values()[session.outputs[0].name])
"""


@pytest.fixture(scope="module")
def request_of_quantized() -> ExportRequest:
    with quiet():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU()).eval()
        example = (torch.rand(1, WIDTH),)
        converted = []
        for fold in (True, False):
            quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(True))
            prepared = prepare_pt2e(torch.export.export(model, example).module(), quantizer)
            prepared(torch.rand(1, WIDTH))
            converted.append(convert_pt2e(prepared, fold_quantize=fold))
    programs = (torch.export.export(each, example) for each in converted)
    return ExportRequest(QuantizedModel(*programs), example, ("x",), ("y",))


@pytest.mark.parametrize(("name", "runtime"), [("pte", "executorch"), ("pt2", "torch")])
def test_int8_weights_reach_the_file_and_a_fresh_runtime_computes_what_the_model_does(
    request_of_quantized: ExportRequest, tmp_path: Path, name: str, runtime: str
) -> None:
    exporter = load_exporter(name)
    target = tmp_path / f"m{exporter.suffix}"
    with quiet():
        exporter.export(request_of_quantized, target)
    assert target.stat().st_size < 4 * WIDTH * WIDTH  # the float weights alone
    sample = torch.rand(1, WIDTH)
    wanted = request_of_quantized.model(sample).detach().numpy()
    np.save(tmp_path / "x.npy", sample.numpy())
    command = [sys.executable, "-W", "ignore", "-c", LOAD, runtime]
    subprocess.run([*command, str(target), str(tmp_path / "x.npy")], check=True)
    scale = np.abs(wanted).max() / 255
    assert np.abs(np.load(tmp_path / "x.npy") - wanted).max() <= 2 * scale


def test_a_quantized_model_is_not_traced(
    request_of_quantized: ExportRequest, tmp_path: Path
) -> None:
    with pytest.raises(ExportFailed, match="not traced to TorchScript; use pte or onnx"):
        load_exporter("torchscript").export(request_of_quantized, tmp_path / "m.pt")
