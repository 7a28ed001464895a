"""What every runtime must do, whoever wrote it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from trimtab_agent.runtimes.base import (
    ModelRefused,
    Runtime,
    RuntimeOptions,
    Session,
)
from trimtab_agent.runtimes.executorch import ExecuTorch
from trimtab_agent.runtimes.litert import LiteRt
from trimtab_agent.runtimes.null import NullRuntime
from trimtab_agent.runtimes.onnxruntime import OnnxRuntime
from trimtab_agent.runtimes.openvino import OpenVino
from trimtab_agent.runtimes.torch import TorchRuntime
from trimtab_agent.worker.inputs import random_inputs


class RuntimeContract(ABC):
    """Subclass it, and give the runtime and a model of one float input that it runs."""

    refuses_files = True
    computes = True
    options = RuntimeOptions()

    @pytest.fixture
    @abstractmethod
    def runtime(self) -> Runtime: ...

    @pytest.fixture
    @abstractmethod
    def model(self, tmp_path: Path) -> Path: ...

    @pytest.fixture
    def session(self, runtime: Runtime, model: Path) -> Iterator[Session]:
        session = runtime.load(model, self.options)
        yield session
        session.close()

    def test_it_says_what_it_is(self, runtime: Runtime) -> None:
        info = runtime.availability()
        assert info.name == runtime.name
        assert info.model_formats == runtime.formats
        assert "cpu" in info.accelerators
        assert info.version
        assert info.package
        assert info.unavailable_reason == ""

    def test_accelerators_that_are_absent_have_a_reason_and_are_not_listed(
        self, runtime: Runtime
    ) -> None:
        info = runtime.availability()
        assert not set(info.absent_accelerators) & set(info.accelerators)
        for reason in info.absent_accelerators.values():
            assert reason
            assert "\n" not in reason

    def test_operators_run_where_was_asked_or_it_is_not_told(
        self, runtime: Runtime, model: Path
    ) -> None:
        session = runtime.load(model, replace(self.options, tell_placement=True))
        for place, types in session.placement().items():
            assert place.startswith("cpu")
            assert all(count > 0 for count in types.values())
        assert session.accelerator_used == "cpu"
        session.close()

    def test_tensors_are_described(self, session: Session) -> None:
        for tensor in (*session.inputs, *session.outputs):
            assert tensor.name
            assert np.dtype(tensor.info.dtype).name == tensor.info.dtype
            assert all(size == -1 or size > 0 for size in tensor.info.dimensions)
        assert session.accelerator_used == "cpu"

    def test_a_run_gives_every_output_as_described(self, session: Session) -> None:
        session.bind(random_inputs(session.inputs, {}, 0))
        session.run()
        values = session.output_values()
        assert list(values) == [spec.name for spec in session.outputs]
        for spec in session.outputs:
            assert values[spec.name].dtype.name == spec.info.dtype
            assert values[spec.name].ndim == len(spec.info.dimensions)

    def test_running_again_on_the_same_inputs_gives_the_same(self, session: Session) -> None:
        session.bind(random_inputs(session.inputs, {}, 0))
        session.run()
        first = session.output_values()
        session.run()
        for name, again in session.output_values().items():
            np.testing.assert_array_equal(first[name], again)

    def test_values_read_are_not_changed_by_the_next_run(self, session: Session) -> None:
        session.bind(random_inputs(session.inputs, {}, 0))
        session.run()
        first = session.output_values()
        kept = {name: array.copy() for name, array in first.items()}
        session.bind(random_inputs(session.inputs, {}, 1))
        session.run()
        second = session.output_values()
        for name in kept:
            np.testing.assert_array_equal(first[name], kept[name])
            if self.computes:
                assert not np.array_equal(first[name], second[name])

    def test_the_timed_call_does_what_a_run_does(self, session: Session) -> None:
        session.bind(random_inputs(session.inputs, {}, 0))
        session.run()
        first = session.output_values()
        session.bind(random_inputs(session.inputs, {}, 1))
        session.timed_call()()
        second = session.output_values()
        session.run()
        for name, again in session.output_values().items():
            np.testing.assert_array_equal(second[name], again)
            if self.computes:
                assert not np.array_equal(first[name], again)

    def test_inputs_may_change_their_batch_where_it_is_open(self, session: Session) -> None:
        if any(spec.info.dimensions[0] != -1 for spec in session.inputs):
            pytest.skip("the batch of this model is fixed")
        for size in (1, 3, 2):
            shapes = {spec.name: (size, *spec.info.dimensions[1:]) for spec in session.inputs}
            session.bind(random_inputs(session.inputs, shapes, 0))
            session.run()
            assert {len(array) for array in session.output_values().values()} == {size}

    def test_closing_twice_is_harmless(self, session: Session) -> None:
        session.close()
        session.close()

    def test_a_profile_has_times_or_the_reason_why_not(
        self, runtime: Runtime, model: Path, tmp_path: Path
    ) -> None:
        session = runtime.load(model, replace(self.options, profile_folder=tmp_path))
        session.bind(random_inputs(session.inputs, {}, 0))
        for _ in range(3):
            session.run()
        before = set(tmp_path.iterdir())
        profile = session.profile(2, {0, 1})
        session.close()
        times = [operator.duration_ns for operator in profile.operators]
        assert (None in times or not times) == bool(profile.times_unavailable)
        assert all(operator.ran_on.startswith("cpu") for operator in profile.operators)
        assert all(operator.type and operator.count >= 1 for operator in profile.operators)
        assert set(tmp_path.iterdir()) <= before

    def test_a_file_that_is_no_model_is_refused(self, runtime: Runtime, tmp_path: Path) -> None:
        if not self.refuses_files:
            pytest.skip("it takes any file")
        path = tmp_path / "text"
        path.write_text("this is no model\n")
        runtime.import_library()
        with pytest.raises(ModelRefused) as caught:
            runtime.load(path, self.options)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "options", [RuntimeOptions(accelerator="abacus"), RuntimeOptions(options={"exec": "rm"})]
    )
    def test_what_is_not_allowed_is_refused(
        self, runtime: Runtime, model: Path, options: RuntimeOptions
    ) -> None:
        with pytest.raises(ModelRefused, match=r"abacus|exec"):
            runtime.load(model, options)

    def test_every_allowed_option_value_loads(self, runtime: Runtime, model: Path) -> None:
        for name, values in runtime.option_values.items():
            for value in values:
                runtime.load(model, replace(self.options, options={name: value})).close()


def write_onnx(path: Path) -> Path:
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["x"], ["y"])], "graph", tensors[:1], tensors[1:]
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


class TestOnnxRuntime(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OnnxRuntime()

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return write_onnx(tmp_path / "m.onnx")


class TestLiteRt(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return LiteRt()

    @pytest.fixture(params=["resnet8_fp32.tflite", "kws_ds_cnn_int8.tflite"])
    def model(self, request: pytest.FixtureRequest, shared_data: Path) -> Path:
        return shared_data / "models" / str(request.param)


class TestOpenVino(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OpenVino()

    @pytest.fixture(params=["onnx", "openvino", "kws_ds_cnn_int8.tflite"])
    def model(self, request: pytest.FixtureRequest, tmp_path: Path, shared_data: Path) -> Path:
        if request.param == "onnx":
            return write_onnx(tmp_path / "m.onnx")
        if request.param.endswith("tflite"):
            return shared_data / "models" / str(request.param)
        import openvino

        graph = openvino.Core().read_model(str(write_onnx(tmp_path / "m.onnx")))
        openvino.save_model(graph, str(tmp_path / "m.xml"))
        return tmp_path / "m.xml"


class TestExecuTorch(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return ExecuTorch()

    @pytest.fixture
    def model(self, torch_files: Path) -> Path:
        return torch_files / "model.pte"


class TestTorch(RuntimeContract):
    options = RuntimeOptions(allow_code=True)

    @pytest.fixture
    def runtime(self) -> Runtime:
        return TorchRuntime()

    @pytest.fixture(params=["model.pt2", "model.pt"])
    def model(self, request: pytest.FixtureRequest, torch_files: Path) -> Path:
        return torch_files / str(request.param)


@pytest.fixture(scope="module")
def torch_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose program overwrites its inputs' place in memory while it runs."""
    import torch
    from trimtab.compress.quiet import quiet
    from trimtab.export import ExportRequest, load_exporter

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.Softmax(dim=1)
    )
    folder = tmp_path_factory.mktemp("torch")
    request = ExportRequest(model.eval(), (torch.rand(1, 4),), ("x",), ("y",))
    for name in ("pte", "pt2", "torchscript"):
        exporter = load_exporter(name)
        with quiet():
            exporter.export(request, folder / f"model{exporter.suffix}")
    return folder


class TestNullRuntime(RuntimeContract):
    refuses_files = False
    computes = False

    @pytest.fixture
    def runtime(self) -> Runtime:
        return NullRuntime()

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return tmp_path / "anything"
