"""A model that was made to do harm when it is loaded does none, and the failure says why."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_models
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from trimtab_agent.runtimes.base import ModelRefused
from trimtab_agent.runtimes.executorch import ExecuTorch
from trimtab_agent.runtimes.onnx_files import check_onnx
from trimtab_agent.runtimes.openvino import OpenVino
from trimtab_agent.runtimes.tflite_files import check_tflite
from trimtab_agent.worker.messages import WorkerTask
from trimtab_protos.onnx_references import SCHEMA
from worker_refusals import RunTask, refusal

SECRET = np.arange(4, dtype=np.float32).tobytes()


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the model's files; a file that is none of them lies beside it."""
    (tmp_path / "secret.bin").write_bytes(SECRET)
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def outside(folder: Path) -> list[str]:
    """Ways to name the secret file, and ONNX Runtime's own for a place in memory."""
    absolute = str(folder.parent / "secret.bin")
    return ["../secret.bin", absolute, "sub/../../secret.bin", "*/_ORT_MEM_ADDR_/*", ".."]


@pytest.mark.parametrize("kind", ["exported_program", "script"])
async def test_torchs_files_are_code_and_refused(
    run_task: RunTask, folder: Path, marker: Path, kind: str
) -> None:
    suffix = {"exported_program": ".pt2", "script": ".pt"}[kind]
    model = folder / f"m{suffix}"
    model.write_bytes(getattr(hostile_models, kind)(marker))
    reason = await refusal(run_task, "torch", model)
    assert "can run any code" in reason
    assert "--allow-code-in-models" in reason
    assert not marker.exists()


def test_those_files_would_have_run_their_code(folder: Path, marker: Path) -> None:
    """Else the other tests would show nothing."""
    with pytest.raises(Exception, match="not an instance of"):
        torch.export.load(io.BytesIO(hostile_models.exported_program(marker)))
    assert marker.exists()
    marker.rmdir()
    load: Any = torch.jit.load
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        module = load(io.BytesIO(hostile_models.script(marker)))
    module(torch.zeros(1, 4))
    assert marker.exists()


@pytest.mark.parametrize("kind", ["exported_program", "script"])
async def test_where_code_is_allowed_it_still_writes_nowhere_else(
    run_task: RunTask, folder: Path, marker: Path, kind: str
) -> None:
    model = folder / "m.pt"
    model.write_bytes(getattr(hostile_models, kind)(marker))
    task = WorkerTask(
        mode="repeat",
        runtime="torch",
        model_path=str(model),
        min_sample_count=1,
        allow_code_in_models=True,
    )
    heard = await run_task(task)
    if not any(part.startswith("landlock") for part in heard.only("isolated")["in_force"]):
        pytest.skip("this kernel has no landlock")
    assert not marker.exists()
    if kind == "exported_program":  # the script's own writer tells nobody that it could not
        assert "tried to write" in heard.failure.message


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "litert", "executorch", "torch"])
async def test_a_pickle_under_a_models_name_is_no_model(
    run_task: RunTask, folder: Path, marker: Path, runtime: str
) -> None:
    suffix = {"litert": ".tflite", "executorch": ".pte", "torch": ".pt"}.get(runtime, ".onnx")
    model = folder / f"m{suffix}"
    model.write_bytes(hostile_models.pickled(marker))
    assert await refusal(run_task, runtime, model, allow_code_in_models=True)
    assert not marker.exists()


@pytest.mark.parametrize("make", [hostile_models.pickled, hostile_models.pickled_array])
async def test_pickled_inputs_are_refused(
    run_task: RunTask,
    save_linear: Callable[[int | str], Path],
    tmp_path: Path,
    marker: Path,
    make: Callable[[Path], bytes],
) -> None:
    (tmp_path / "in.npz").write_bytes(make(marker))
    path = str(tmp_path / "in.npz")
    reason = await refusal(run_task, "onnxruntime", save_linear(1), inputs_path=path)
    assert "pickled objects, which can run code" in reason
    assert "allow_pickle" not in reason
    assert not marker.exists()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
async def test_external_data_elsewhere_is_not_read(
    run_task: RunTask, folder: Path, runtime: str
) -> None:
    (folder / "sub").mkdir()
    for location in outside(folder)[:2]:
        (folder / "m.onnx").write_bytes(hostile_models.onnx_reading(location))
        reason = await refusal(run_task, runtime, folder / "m.onnx")
        assert "is not a bare file name: save the model again" in reason


def test_no_way_to_name_another_file_is_overlooked(folder: Path) -> None:
    for location in outside(folder):
        (folder / "m.onnx").write_bytes(hostile_models.onnx_reading(location))
        with pytest.raises(ModelRefused, match="is not a bare file name"):
            check_onnx(folder / "m.onnx", allow_code=True)


async def test_external_data_beside_the_model_is_read(run_task: RunTask, folder: Path) -> None:
    (folder / "w.bin").write_bytes(SECRET)
    (folder / "m.onnx").write_bytes(hostile_models.onnx_reading("w.bin"))
    for runtime in ("onnxruntime", "openvino"):
        task = WorkerTask(
            mode="repeat",
            runtime=runtime,
            model_path=str(folder / "m.onnx"),
            min_sample_count=1,
        )
        assert (await run_task(task)).failure is None


def test_every_field_of_onnx_that_can_hold_a_tensor_is_looked_into() -> None:
    """Against onnx's own description of the format."""
    seen: dict[str, dict[int, str]] = {}
    waiting: list[Any] = [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        held: list[Any] = [field for field in message.fields if _leads_to_tensor(field, ())]
        seen[message.name] = {field.number: field.message_type.name for field in held}
        waiting += [
            field.message_type
            for field in held
            if field.message_type.name not in {*seen, "TensorProto"}
        ]
    assert seen == SCHEMA


def _leads_to_tensor(field: Any, above: tuple[str, ...]) -> bool:
    kind = field.message_type
    if kind is None or kind.name in above:
        return False
    return kind.name == "TensorProto" or any(
        _leads_to_tensor(each, (*above, kind.name)) for each in kind.fields
    )


def test_a_tensor_in_a_subgraph_of_a_function_is_looked_at(folder: Path) -> None:
    inner = onnx.ModelProto.FromString(hostile_models.onnx_reading("../secret.bin")).graph
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    function = helper.make_function("d", "F", ["c"], ["y"], [branch], [helper.make_opsetid("", 17)])
    call = helper.make_node("F", ["c"], ["y"], domain="d")
    value = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    graph = helper.make_graph([call], "g", [value], [value])
    model = helper.make_model(graph, functions=[function], ir_version=8)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused, match="is not a bare file name"):
        check_onnx(folder / "m.onnx", allow_code=False)


# A tag whose upper bits other parsers cut off, a group, a field that ends behind the file.
@pytest.mark.parametrize("content", [b"\xba\x80\x80\x80\x80\x01\x00", b"\x3b\x3c", b"\x3a\x7f\x00"])
def test_what_other_parsers_might_read_otherwise_is_refused(folder: Path, content: bytes) -> None:
    (folder / "m.onnx").write_bytes(hostile_models.onnx_reading("w.bin") + content)
    with pytest.raises(ModelRefused, match="it is damaged, or no ONNX model"):
        check_onnx(folder / "m.onnx", allow_code=True)


def test_onnx_runtimes_own_format_is_not_taken_for_onnx(
    save_linear: Callable[[int | str], Path], folder: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "m.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(save_linear(1)), options, providers=["CPUExecutionProvider"])
    with pytest.raises(ModelRefused, match="no ONNX model"):
        check_onnx(folder / "m.ort", allow_code=False)


def test_what_was_compiled_for_an_accelerator_is_code(folder: Path) -> None:
    (folder / "m.onnx").write_bytes(hostile_models.onnx_compiled())
    with pytest.raises(ModelRefused, match=r"EPContext.* --allow-code-in-models"):
        check_onnx(folder / "m.onnx", allow_code=False)
    check_onnx(folder / "m.onnx", allow_code=True)


def test_openvino_gets_no_other_kind_of_file_than_was_looked_at(folder: Path) -> None:
    hidden = hostile_models.onnx_reading("../secret.bin")
    for name in ("m.xml", "m.tflite", "m.pb", "m.pdmodel"):
        (folder / name).write_bytes(hidden)
        with pytest.raises(ModelRefused, match="that are what they are called"):
            OpenVino().check_file(folder / name, allow_code=True)


@pytest.mark.parametrize("runtime", ["litert", "openvino"])
async def test_weights_of_a_tflite_file_elsewhere_are_not_read(
    run_task: RunTask, folder: Path, runtime: str
) -> None:
    (folder / "m.tflite").write_bytes(hostile_models.tflite(external="../secret.bin"))
    reason = await refusal(run_task, runtime, folder / "m.tflite")
    assert "keeps weights in another file ('../secret.bin')" in reason


def test_tensorflows_own_operators_are_refused_where_all_of_it_is_there(folder: Path) -> None:
    (folder / "m.tflite").write_bytes(hostile_models.tflite(custom="FlexWriteFile"))
    with pytest.raises(ModelRefused, match=r"operator FlexWriteFile: .* without SELECT_TF_OPS"):
        check_tflite(folder / "m.tflite", whole_tensorflow=True)
    check_tflite(folder / "m.tflite", whole_tensorflow=False)  # LiteRT itself has none of them
    (folder / "m.tflite").write_bytes(hostile_models.tflite(custom="TFLite_Detection_PostProcess"))
    check_tflite(folder / "m.tflite", whole_tensorflow=True)


def test_every_truncation_of_a_tflite_file_is_left_to_the_runtime(folder: Path) -> None:
    whole = hostile_models.tflite(external="w.bin")
    for length in range(0, len(whole), 3):
        (folder / "m.tflite").write_bytes(whole[:length])
        with contextlib.suppress(ModelRefused):  # where the name of the weights is still there
            check_tflite(folder / "m.tflite", whole_tensorflow=True)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """ExecuTorch's, with a part for XNNPACK."""
    from trimtab.compress.quiet import quiet
    from trimtab.export import ExportRequest, load_exporter

    target = tmp_path_factory.mktemp("pte") / "m.pte"
    request = ExportRequest(torch.nn.Linear(4, 2).eval(), (torch.rand(1, 4),), ("x",), ("y",))
    with quiet():
        load_exporter("pte").export(request, target)
    return target.read_bytes()


def test_a_backend_of_executorch_that_loads_libraries_is_refused(
    folder: Path, program: bytes
) -> None:
    model = folder / "m.pte"
    model.write_bytes(program)
    ExecuTorch().check_file(model, allow_code=False)
    assert b"XnnpackBackend\0" in program
    model.write_bytes(program.replace(b"XnnpackBackend\0", b"QnnBackend\0\0\0\0\0"))
    with pytest.raises(ModelRefused, match=r"for QnnBackend, .* --allow-code-in-models"):
        ExecuTorch().check_file(model, allow_code=False)
    ExecuTorch().check_file(model, allow_code=True)
