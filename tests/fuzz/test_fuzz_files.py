"""Models and inputs with something wrong in them: the worker may die of it, the agent does not."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz.files import mutated
from fuzz.samples import digest_of, quick_spec
from fuzz.target import ANSWER_S, Target, chosen_seed, tell
from trimtab_protos.errors import status_to_failure
from trimtab_protos.v1 import artifact_pb2, artifact_pb2_grpc

# Of what the file is to blame for; the others would blame the device, or the harness.
_FILES_FAULT = {"model", "resources"}
_CHUNK = 1 << 20
_ARMS_PER_JOB = 20
_SHORT, _LONG = 6, 200
_TIMEOUT_S = 30
_MEMORY_BYTES = 2_000_000_000
_MODELS = {"onnxruntime": "mnist.onnx", "litert": "kws_ds_cnn_int8.tflite"}
_EXPORTED = {"pte": "executorch", "openvino": "openvino"}

File = tuple[str, bytes]


class Judge:
    """Has files checked on the agent, and sees that what fails of them is called their fault."""

    def __init__(self, target: Target, runtime: str, model_format: str) -> None:
        self._target = target
        self._runtime = runtime
        self._format = model_format
        self._artifacts: Any = artifact_pb2_grpc.ArtifactServiceStub(target.channel)
        self.refused = 0

    def models(self, request_id: str, models: Sequence[Sequence[File]]) -> None:
        spec = self._spec()
        for number, files in enumerate(models):
            arm = spec.arms.add(name=f"m{number}", runtime=self._runtime, accelerator="cpu")
            arm.thread_count, arm.format = 1, self._format
            for name, data in files:
                arm.files.add(name=name, digest=self._upload(data))
        self._judge(request_id, spec)

    def inputs(self, request_id: str, model: File, inputs: bytes) -> None:
        spec = self._spec()
        spec.inputs.CopyFrom(self._upload(inputs))
        arm = spec.arms.add(name="m", runtime=self._runtime, accelerator="cpu", thread_count=1)
        arm.format = self._format
        arm.files.add(name=model[0], digest=self._upload(model[1]))
        self._judge(request_id, spec)

    def _spec(self) -> Any:
        spec = quick_spec(digest_of(b""), arm_count=0)
        spec.support_check.SetInParent()
        spec.policy.process_timeout.FromSeconds(_TIMEOUT_S)
        spec.policy.memory_limit_bytes = _MEMORY_BYTES
        return spec

    def _upload(self, data: bytes) -> Any:
        digest = digest_of(data)
        starts = range(0, len(data), _CHUNK) or range(1)
        requests = [
            artifact_pb2.UploadArtifactRequest(
                write_offset=start, data=data[start : start + _CHUNK]
            )
            for start in starts
        ]
        requests[0].digest.CopyFrom(digest)
        requests[-1].finish_write = True
        self._artifacts.UploadArtifact(iter(requests), timeout=ANSWER_S)
        return digest

    def _judge(self, request_id: str, spec: Any) -> None:
        job = self._target.end_of(self._target.submit(request_id, spec), timeout_s=600)
        assert len(job.result.arms) == len(spec.arms)
        for arm in job.result.arms:
            if arm.HasField("error"):
                failure = status_to_failure(arm.error)
                told = f"{request_id}, arm {arm.arm}: {failure}"
                assert failure.failure_class in _FILES_FAULT, told
                assert "\n" not in failure.message, told
                self.refused += 1
        self._target.check_alive()


def judge_models(judge: Judge, files: Sequence[File], seed: int, count: int) -> None:
    """``files``: a model's; each time another one of them is changed."""
    models = []
    for number in range(count):
        random = Random(f"{seed}-{number}")
        changed = random.randrange(len(files))
        models.append(
            [
                (name, mutated(data, random) if place == changed else data)
                for place, (name, data) in enumerate(files)
            ]
        )
    for begin in range(0, count, _ARMS_PER_JOB):
        name = f"models {begin} on of TRIMTAB_FUZZ_SEED={seed}"
        judge.models(name, models[begin : begin + _ARMS_PER_JOB])
    assert judge.refused, "none of the changes was one that mattered"
    tell(f"{judge.refused} of {count} refused")


@pytest.mark.parametrize("runtime", _MODELS)
def test_models_with_something_wrong_are_refused_by_their_own_fault(
    target: Target, shared_data: Path, runtime: str
) -> None:
    path = shared_data / "models" / _MODELS[runtime]
    judge = Judge(target, runtime, path.suffix[1:])
    judge_models(judge, [(path.name, path.read_bytes())], chosen_seed(default=5), _SHORT)
    target.check_log()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("runtime", _MODELS)
def test_two_hundred_models_with_something_wrong(
    target: Target, shared_data: Path, runtime: str
) -> None:
    path = shared_data / "models" / _MODELS[runtime]
    judge = Judge(target, runtime, path.suffix[1:])
    judge_models(judge, [(path.name, path.read_bytes())], chosen_seed(), _LONG)
    target.check_log()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("model_format", _EXPORTED)
def test_two_hundred_exported_models_with_something_wrong(
    target: Target, tmp_path: Path, model_format: str
) -> None:
    judge = Judge(target, _EXPORTED[model_format], model_format)
    judge_models(judge, exported(tmp_path, model_format), chosen_seed(), _LONG)
    target.check_log()


def exported(folder: Path, model_format: str) -> list[File]:
    import torch
    from trimtab.artifact_files import companions
    from trimtab.compress.quiet import quiet
    from trimtab.export import ExportRequest, load_exporter

    exporter = load_exporter(model_format)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    path = folder / f"m{exporter.suffix}"
    with quiet():
        request = ExportRequest(model.eval(), (torch.rand(1, 4),), ("x",), ("y",))
        exporter.export(request, path)
    return [(each.name, each.read_bytes()) for each in (path, *companions(path))]


def judge_inputs(judge: Judge, model: Path, seed: int, count: int) -> None:
    right = npz(np.zeros((1, 1, 28, 28), np.float32))
    wrong: list[Callable[[Random], bytes]] = [
        lambda random: mutated(right, random),
        lambda random: mutated(right, random),
        lambda random: npz(np.zeros((1, 2, 3), np.float64)),
        lambda random: npz(np.zeros((0,), np.float32)),
        lambda random: npz(np.array(["text"])),
        lambda random: npz(np.array([{"an": "object"}], dtype=object)),
        lambda random: b"PK\5\6" + bytes(18),
        lambda random: random.randbytes(random.randrange(300)),
    ]
    for number in range(count):
        random = Random(f"{seed}-{number}")
        data = wrong[number % len(wrong)](random)
        name = f"inputs {number} of TRIMTAB_FUZZ_SEED={seed}"
        judge.inputs(name, (model.name, model.read_bytes()), data)
    assert judge.refused


def npz(array: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, Input3=array)
    return file.getvalue()


def test_inputs_with_something_wrong_are_refused(target: Target, shared_data: Path) -> None:
    model = shared_data / "models" / "mnist.onnx"
    judge_inputs(Judge(target, "onnxruntime", "onnx"), model, chosen_seed(default=5), 8)
    target.check_log()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_inputs_with_something_wrong(target: Target, shared_data: Path) -> None:
    model = shared_data / "models" / "mnist.onnx"
    judge_inputs(Judge(target, "onnxruntime", "onnx"), model, chosen_seed(), _LONG)
    target.check_log()
