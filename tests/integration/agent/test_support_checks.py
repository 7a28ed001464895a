"""Support checks through a real agent: what runs where, or the runtime's own refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from trimtab_protos.errors import SpecInvalid, status_to_failure
from trimtab_protos.v1 import benchmark_pb2


def as_check(spec: Any) -> Any:
    spec.support_check.SetInParent()
    spec.single_stream.SetInParent()
    return spec


def custom_operator() -> bytes:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    node = helper.make_node("Bar", ["x"], ["y"], domain="my.ops")
    graph = helper.make_graph([node], "graph", tensors[:1], tensors[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def test_each_arm_is_answered_by_its_runtime_and_nothing_is_measured(
    client: Any, make_spec: Any, mnist: bytes
) -> None:
    models = {
        "mnist": (client.upload(mnist), "mnist.onnx"),
        "custom": (client.upload(custom_operator()), "custom.onnx"),
    }
    events = list(client.watch(client.submit(as_check(make_spec(models)))))

    job = events[-1].job_finished.job
    assert job.state == benchmark_pb2.Job.STATE_SUCCEEDED
    assert job.spec.WhichOneof("schedule") == "support_check"
    good, bad = job.result.arms
    counts = {(each.ran_on, each.type): each.count for each in good.operators}
    assert counts[("cpu", "Conv")] == 2
    assert sum(counts.values()) == 8
    assert good.runtime_version
    assert "my.ops:Bar(-1) is not a registered" in status_to_failure(bad.error).message
    assert status_to_failure(bad.error).failure_class == "model"
    assert not any(event.WhichOneof("kind") == "sample_batch" for event in events)
    assert good.sample_count == 0


def test_a_check_with_a_profile_is_refused_by_its_field(
    client: Any, make_spec: Any, mnist: bytes, error_of: Any
) -> None:
    spec = as_check(make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}))
    spec.profile_operators = True
    error = error_of(lambda: client.submit(spec))
    assert isinstance(error, SpecInvalid)
    assert error.metadata["field"] == "profile_operators"


def test_a_known_accelerator_that_is_absent_is_refused_with_what_is_missing(
    client: Any, make_spec: Any, mnist: bytes, error_of: Any
) -> None:
    (runtime,) = [each for each in client.info().runtimes if each.name == "onnxruntime"]
    assert "tensorrt" not in runtime.accelerators
    assert "onnxruntime-gpu" in runtime.absent_accelerators["tensorrt"]
    spec = as_check(make_spec({"mnist": (client.upload(mnist), "mnist.onnx")}))
    spec.arms[0].accelerator = "tensorrt"
    spec.arms[0].runtime_options["trt_fp16_enable"] = "1"
    assert "built without tensorrt" in error_of(lambda: client.submit(spec)).message


def test_litert_tells_which_operators_its_delegate_took(
    client: Any, make_spec: Any, shared_data: Path
) -> None:
    data = (shared_data / "models" / "resnet8_int8.tflite").read_bytes()
    spec = as_check(make_spec({"resnet8": (client.upload(data), "resnet8.tflite")}))
    spec.arms[0].runtime, spec.arms[0].format = "litert", "tflite"
    (arm,) = list(client.watch(client.submit(spec)))[-1].job_finished.job.result.arms
    counts = {(each.ran_on, each.type): each.count for each in arm.operators}
    assert counts[("cpu (XNNPACK)", "CONV_2D")] == 9
    assert counts[("cpu (built-in)", "SOFTMAX")] == 1
