"""What is in torch's files, and in ExecuTorch's, where it is not as Trimtab writes it."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trimtab_agent.runtimes.base import ModelRefused, RuntimeOptions
from trimtab_agent.runtimes.executorch import ExecuTorch
from trimtab_agent.runtimes.torch import TorchRuntime

ALLOWED = RuntimeOptions(allow_code=True)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Not Trimtab's: it has no signature."""
    jit: Any = torch.jit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jit.save(jit.script(torch.nn.Linear(4, 2)), str(tmp_path / "m.pt"))
    return tmp_path / "m.pt"


def test_torchscript_without_shapes_says_which_to_give(script: Path) -> None:
    with pytest.raises(ModelRefused, match=r"does not tell the shapes .* --shape input=1xN"):
        TorchRuntime().load(script, ALLOWED)


def test_torchscript_runs_with_the_shapes_given_and_says_what_was_assumed(script: Path) -> None:
    options = RuntimeOptions(allow_code=True, input_shapes={"input": (3, 4)})
    session = TorchRuntime().load(script, options)
    assert session.warnings == (
        "the inputs are taken for float32: a TorchScript file does not tell",
    )
    assert session.outputs[0].info.dimensions == (3, 2)
    session.bind({"input": np.zeros((3, 4), np.float32)})
    session.run()
    assert session.output_values()["output_0"].shape == (3, 2)


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, torch.zeros(2)])
def test_a_file_of_weights_is_no_program(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ModelRefused, match=r"holds no program .* torch\.export\.save"):
        TorchRuntime().load(tmp_path / "m.pt", ALLOWED)


def test_sizes_that_are_open_in_an_archive_are_open(tmp_path: Path) -> None:
    class Two(torch.nn.Module):
        def forward(self, tokens: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return tokens * scale

    sizes = (torch.export.Dim("batch"), torch.export.Dim("length"))
    program = torch.export.export(
        Two(),
        (torch.ones(2, 3, dtype=torch.int64), torch.ones(())),
        dynamic_shapes=({0: sizes[0], 1: sizes[1]}, None),
    )
    file = io.BytesIO()
    torch.export.save(program, file)
    (tmp_path / "m.pt2").write_bytes(file.getvalue())
    session = TorchRuntime().load(tmp_path / "m.pt2", ALLOWED)
    described = [(spec.name, spec.info.dtype, spec.info.dimensions) for spec in session.inputs]
    assert described == [("tokens", "int64", (-1, -1)), ("scale", "float32", ())]


def test_a_program_cut_short_is_refused_in_words(tmp_path: Path) -> None:
    from trimtab.compress.quiet import quiet
    from trimtab.export import ExportRequest, load_exporter

    target = tmp_path / "m.pte"
    request = ExportRequest(torch.nn.Linear(4, 2).eval(), (torch.rand(1, 4),), ("x",), ("y",))
    with quiet():
        load_exporter("pte").export(request, target)
    session = ExecuTorch().load(target, RuntimeOptions())
    session.bind({"input_0": np.zeros((2, 4), np.float32)})
    with pytest.raises(ModelRefused, match=r"takes no such input \(its shape, or its type\)"):
        session.run()
    target.write_bytes(target.read_bytes()[:1000])
    with pytest.raises(ModelRefused, match="the file is damaged, or of another version"):
        ExecuTorch().load(target, RuntimeOptions())
