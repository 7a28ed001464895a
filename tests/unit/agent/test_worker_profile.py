"""The profile pass in a real worker, and how a trace is read."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from trimtab_agent.runtimes.base import RuntimeOptions
from trimtab_agent.runtimes.litert import LiteRt
from trimtab_agent.runtimes.litert_compiled import Event
from trimtab_agent.runtimes.litert_operators import Node, delegated
from trimtab_agent.runtimes.litert_profile import mean_of, operator_events
from trimtab_agent.runtimes.onnxruntime_profile import read_profile
from trimtab_agent.runtimes.operators import middle_half
from trimtab_agent.worker.messages import WorkerTask

RunTask = Callable[[WorkerTask], Awaitable[Any]]
ACCELERATORS = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda"}


@pytest.fixture
def profiled(run_task: RunTask, tmp_path: Path) -> Callable[..., Awaitable[Any]]:
    """Profile a model; gives what the worker said and the document it wrote."""

    async def run(runtime: str, model: Path, **settings: Any) -> tuple[Any, dict[str, Any]]:
        path = tmp_path / "out" / "profile.json"
        path.parent.mkdir()
        task = WorkerTask(
            mode="profile",
            runtime=runtime,
            model_path=str(model),
            outputs_path=str(path),
            **settings,
        )
        heard = await run_task(task)
        assert heard.failure is None
        assert list(path.parent.iterdir()) == [path], "the runtime's trace was left behind"
        return heard, json.loads(path.read_text())

    return run


async def test_onnxruntime_times_every_operator(
    profiled: Callable[..., Any], shared_data: Path
) -> None:
    heard, document = await profiled("onnxruntime", shared_data / "models" / "mnist.onnx")

    assert document["schema"] == "trimtab.profile/1"
    operators = document["operators"]
    types = [operator["type"] for operator in operators]
    assert types.count("Conv") == 2
    assert types.count("MaxPool") == 2
    assert {operator["ran_on"] for operator in operators} == {"cpu"}
    assert {operator["count"] for operator in operators} == {1.0}
    assert all(operator["duration_ns"] >= 0 for operator in operators)
    total = sum(operator["duration_ns"] for operator in operators)
    assert 0 < total < 2 * document["p50_ns"]
    assert document["times_unavailable"] == ""
    assert document["inference_count"] >= 12
    assert heard.only("profiled")["places"]["cpu"]["Conv"] == 2
    assert 0 < heard.only("profiled")["arena_bytes"] < 2 << 20


async def test_litert_tells_which_operators_the_delegate_left(
    profiled: Callable[..., Any], shared_data: Path
) -> None:
    model = shared_data / "models" / "resnet8_int8.tflite"
    heard, document = await profiled("litert", model)

    built_in = [each for each in document["operators"] if each["ran_on"] == "cpu (built-in)"]
    assert sorted(each["type"] for each in built_in) == ["AVERAGE_POOL_2D", "SOFTMAX"]
    total = sum(each["duration_ns"] for each in document["operators"])
    assert 0 < total < document["p50_ns"]
    assert "compiled model" in document["source"]
    assert heard.only("profiled")["places"]["cpu (XNNPACK)"]["CONV_2D"] == 9
    assert heard.only("profiled")["arena_bytes"] is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"runtime_options": {"xnnpack": "off"}}, "profiled with XNNPACK only"),
        ({"batch_size": 4}, "in the file's own shapes only"),
    ],
)
async def test_litert_gives_no_times_of_something_else(
    profiled: Callable[..., Any], shared_data: Path, settings: dict[str, Any], reason: str
) -> None:
    model = shared_data / "models" / "resnet8_int8.tflite"
    _, document = await profiled("litert", model, **settings)
    assert len(document["operators"]) == 16
    assert {each["duration_ns"] for each in document["operators"]} == {None}
    assert reason in document["times_unavailable"]
    assert document["source"] == ""


def test_a_release_that_was_not_tried_is_not_called(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab_agent.runtimes.litert.TRIED_RELEASES", ("0.1.",))
    model = shared_data / "models" / "resnet8_int8.tflite"
    session = LiteRt().load(model, RuntimeOptions(profile_folder=tmp_path))
    profile = session.profile(1, {0})
    assert "known for ai-edge-litert 0.1.x only" in profile.times_unavailable
    assert len(profile.operators) == 16


def test_a_compiled_model_that_cannot_be_made_leaves_the_placement(
    shared_data: Path, tmp_path: Path
) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes((shared_data / "models" / "resnet8_int8.tflite").read_bytes())
    session = LiteRt().load(model, RuntimeOptions())
    model.unlink()
    profile = session.profile(1, {0})
    assert "compiled model neither: LiteRtCreateModelFromFile failed" in profile.times_unavailable
    assert len(profile.operators) == 16


def test_only_operators_of_the_main_graph_count() -> None:
    events = [
        Event("invoke", 16, 90, 0, 0),
        Event("Add", 8, 3, 0, 0),
        Event("WHILE", 2, 50, 4, 0),
        Event("ADD", 2, 40, 1, 1),
        Event("TfLiteDelegate", 4, 40, 1, 0),
    ]
    assert [event.tag for event in operator_events(events)] == ["Add", "WHILE"]


def test_events_are_put_together_by_their_place() -> None:
    def run(*durations: int) -> list[Event]:
        convolution, pool, add, clamp = durations
        return [
            Event("Conv", 8, convolution, 0, 0),
            Event("POOL", 2, pool, 7, 0),
            Event("Add", 8, add, 0, 0),
            Event("Conv", 8, clamp, 1, 0),
        ]

    found = mean_of([run(10, 4, 1, 0), run(20, 4, 2, 1)], {7: "pool1"})
    assert [(each.type, each.name, each.count, each.duration_ns) for each in found] == [
        ("Conv", "group 1, step 1", 1.0, 15_000.0),
        ("POOL", "pool1", 1.0, 4_000.0),
        ("Add", "group 2, step 1", 1.0, 1_500.0),
        ("Conv", "group 2, step 2", 1.0, 500.0),
    ]
    assert [each.ran_on for each in found][:2] == ["cpu (XNNPACK)", "cpu (built-in)"]


async def test_litert_without_its_delegate_runs_on_its_own_kernels(
    profiled: Callable[..., Any], shared_data: Path
) -> None:
    model = shared_data / "models" / "resnet8_int8.tflite"
    _, document = await profiled("litert", model, runtime_options={"xnnpack": "off"})
    assert {each["ran_on"] for each in document["operators"]} == {"cpu (built-in)"}


async def test_a_batch_is_profiled_as_a_batch(
    profiled: Callable[..., Any], save_linear: Callable[[int | str], Path]
) -> None:
    _, document = await profiled("onnxruntime", save_linear("n"), batch_size=4)
    assert [each["type"] for each in document["operators"]] == ["MatMul"]


async def test_operators_of_a_subgraph_are_not_counted_twice(
    profiled: Callable[..., Any], save_graph: Callable[..., Path]
) -> None:
    def branch(name: str) -> Any:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], [f"{name}_a"]),
            helper.make_node("Sin", [f"{name}_a"], [name]),
        ]
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2000, 3])
        return helper.make_graph(nodes, name, [], [out])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["condition"], to=TensorProto.BOOL),
        helper.make_node(
            "If", ["condition"], ["y"], then_branch=branch("then"), else_branch=branch("else")
        ),
    ]
    weights = np.ones((2, 3), dtype=np.float32)
    _, document = await profiled(
        "onnxruntime", save_graph(nodes, [2000, 2], [2000, 3], weights), thread_count=1
    )
    own = {each["type"]: each["duration_ns"] for each in document["operators"]}
    assert {"If", "Sin"} <= set(own)
    assert sum(own.values()) <= 1.2 * document["p50_ns"]


def trace(path: Path, events: list[tuple[str, str, int, int, dict[str, str]]]) -> Path:
    lines = [
        json.dumps(
            {"cat": cat, "name": name, "ts": ts, "dur": dur, "pid": 1, "tid": 1, "args": args}
        )
        for cat, name, ts, dur, args in events
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return path


def kernel(name: str, kind: str, ts: int, dur: int, provider: str = "CPU") -> Any:
    arguments = {"op_name": kind, "provider": f"{provider}ExecutionProvider"}
    return ("Node", f"{name}_kernel_time", ts, dur, arguments)


def test_only_the_chosen_runs_count_and_a_parent_keeps_its_own_time(tmp_path: Path) -> None:
    events = [
        ("Session", "model_run", 0, 900, {}),
        kernel("warm", "Conv", 10, 800),
        ("Session", "model_run", 1000, 100, {}),
        kernel("outer", "If", 1010, 50),
        kernel("inner", "Conv", 1020, 30, "CUDA"),
        ("Session", "model_run", 2000, 100, {}),
        kernel("outer", "If", 2010, 70),
        kernel("inner", "Conv", 2020, 30, "CUDA"),
        ("Session", "model_run", 3000, 5000, {}),
        kernel("outer", "If", 3010, 4000),
    ]
    profile = read_profile(trace(tmp_path / "t.json", events), 3, {0, 1}, ACCELERATORS)
    found = {each.name: (each.ran_on, each.count, each.duration_ns) for each in profile.operators}
    assert found == {"outer": ("cpu", 1.0, 30_000.0), "inner": ("cuda", 1.0, 30_000.0)}


def test_a_trace_that_ends_early_is_not_a_profile(tmp_path: Path) -> None:
    events = [("Session", "model_run", 0, 10, {}), kernel("a", "Conv", 1, 2)]
    profile = read_profile(trace(tmp_path / "t.json", events), 3, {0, 1, 2}, ACCELERATORS)
    assert profile.operators == ()
    assert "1 of 3 inferences" in profile.times_unavailable


def test_the_middle_half_leaves_out_both_ends() -> None:
    assert middle_half([5, 900, 6, 1, 7, 8, 2, 800]) == {0, 2, 4, 5}
    assert middle_half([3]) == {0}


def test_a_delegate_takes_what_lies_between_its_outer_tensors() -> None:
    nodes = [
        Node("CONV_2D", (0, 10), (1,)),
        Node("ADD", (1, 0), (2,)),
        Node("SOFTMAX", (2,), (3,)),
        Node("ADD", (3, 2), (4,)),
        Node("DELEGATE", (0, 10), (2,)),
        Node("DELEGATE", (3, 2), (4,)),
    ]
    assert delegated(nodes) == {0, 1, 3}
