"""What every exporter keeps to: the file computes what the model computes, or it is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from trimtab.artifact_files import companions
from trimtab.compress.quiet import quiet
from trimtab.export import Exporter, ExportFailed, ExportRequest, Reference, load_exporter
from trimtab.export.registry import GROUP
from trimtab.plugins import plugin_names

FORMATS = plugin_names(GROUP)
COUNT = 8


class TwoIn(nn.Module):
    """Two inputs and two outputs whose names are not in alphabetical order; it is not symmetric."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, right: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        mixed = self.layer(right) - 2 * left
        return torch.relu(mixed), mixed.sum(dim=1, keepdim=True)


@pytest.fixture(scope="module")
def request_and_reference() -> tuple[ExportRequest, Reference]:
    torch.manual_seed(0)
    model = TwoIn().eval()
    inputs = (torch.randn(COUNT, 6), torch.randn(COUNT, 3))
    with torch.inference_mode():
        outputs = tuple(each.numpy() for each in model(*inputs))
    names = ("right", "left")
    request = ExportRequest(model, tuple(each[:1] for each in inputs), names, ("positive", "joint"))
    arrays = dict(zip(names, (each.numpy() for each in inputs), strict=True))
    return request, Reference(arrays, outputs)


@pytest.fixture(scope="module", params=FORMATS)
def exported(
    request: pytest.FixtureRequest,
    request_and_reference: tuple[ExportRequest, Reference],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Exporter, Path]:
    exporter = load_exporter(request.param)
    target = tmp_path_factory.mktemp("export") / f"model{exporter.suffix}"
    with quiet():
        exporter.export(request_and_reference[0], target)
    return exporter, target


def test_built_in_formats_are_registered_like_any_other() -> None:
    assert {"onnx", "tflite", "pte", "pt2", "torchscript", "openvino"} <= set(FORMATS)


class TestExporterContract:
    def test_file_computes_what_the_model_computes(
        self,
        exported: tuple[Exporter, Path],
        request_and_reference: tuple[ExportRequest, Reference],
    ) -> None:
        exporter, path = exported
        comparison = exporter.verify(path, request_and_reference[1])
        assert comparison.sample_count == COUNT
        assert comparison.max_difference < 1e-5

    def test_one_file_and_nothing_beside_it_but_its_companion(
        self, exported: tuple[Exporter, Path]
    ) -> None:
        _, path = exported
        assert {each.name for each in path.parent.iterdir()} == {
            each.name for each in (path, *companions(path))
        }

    def test_nothing_of_this_machine_is_in_the_file(self, exported: tuple[Exporter, Path]) -> None:
        _, path = exported
        for each in (path, *companions(path)):
            for place in (str(Path(__file__).parent), str(Path(torch.__file__).parent)):
                assert place.encode() not in each.read_bytes()

    def test_other_numbers_are_refused_with_the_figures(
        self,
        exported: tuple[Exporter, Path],
        request_and_reference: tuple[ExportRequest, Reference],
    ) -> None:
        exporter, path = exported
        reference = request_and_reference[1]
        shifted = tuple(each + np.float32(0.25) for each in reference.outputs)
        with pytest.raises(ExportFailed, match=r"not the model: .* by at most 0\.25"):
            exporter.verify(path, Reference(reference.inputs, shifted))

    def test_other_shapes_are_refused(
        self,
        exported: tuple[Exporter, Path],
        request_and_reference: tuple[ExportRequest, Reference],
    ) -> None:
        exporter, path = exported
        reference = request_and_reference[1]
        with pytest.raises(ExportFailed, match="outputs have shapes"):
            exporter.verify(path, Reference(reference.inputs, reference.outputs[::-1]))

    def test_file_that_is_no_model_is_refused_in_one_line(
        self,
        exported: tuple[Exporter, Path],
        request_and_reference: tuple[ExportRequest, Reference],
        tmp_path: Path,
    ) -> None:
        exporter = exported[0]
        garbage = tmp_path / f"garbage{exporter.suffix}"
        garbage.write_bytes(b"not a model" * 100)
        with pytest.raises(ExportFailed, match="the file does not run") as caught:
            exporter.check(garbage, request_and_reference[1])
        assert "\n" not in str(caught.value)

    def test_same_model_gives_the_same_bytes(
        self,
        exported: tuple[Exporter, Path],
        request_and_reference: tuple[ExportRequest, Reference],
        tmp_path: Path,
    ) -> None:
        exporter, path = exported
        again = tmp_path / path.name
        with quiet():
            exporter.export(request_and_reference[0], again)
        for one, other in zip((again, *companions(again)), (path, *companions(path)), strict=True):
            assert one.read_bytes() == other.read_bytes()

    def test_missing_library_makes_it_unavailable_with_the_reason(
        self, exported: tuple[Exporter, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(exported[0]), "modules", ("not_installed_anywhere",))
        with pytest.raises(ExportFailed, match="unavailable: not_installed_anywhere"):
            load_exporter(exported[0].format)


def test_open_batch_dimension_takes_a_batch(
    request_and_reference: tuple[ExportRequest, Reference], tmp_path: Path
) -> None:
    import onnxruntime

    request, reference = request_and_reference
    with quiet():
        sentence = load_exporter("onnx").export(request, tmp_path / "m.onnx")
    assert "batch dimension open" in sentence
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    outputs = session.run(None, dict(reference.inputs))
    for seen, wanted in zip(outputs, reference.outputs, strict=True):
        np.testing.assert_allclose(seen, wanted, atol=1e-5)
