"""Jobs of ExecuTorch, torch and OpenVINO through a real agent and its real workers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trimtab.artifact_files import companions
from trimtab.compress.quiet import quiet
from trimtab.export import ExportRequest, load_exporter
from trimtab_protos.errors import status_to_failure
from trimtab_protos.v1 import benchmark_pb2

pytestmark = pytest.mark.slow
RUNTIMES = {"pte": "executorch", "pt2": "torch", "torchscript": "torch", "openvino": "openvino"}
COUNT = 20


class Case:
    """A model in each format, samples, and its outputs for them."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        samples = torch.rand(COUNT, 4)
        self.samples = samples.numpy()
        self.wanted = model(samples).detach().numpy()
        request = ExportRequest(model.eval(), (samples[:1],), ("x",), ("y",))
        self.paths = {}
        for name in RUNTIMES:
            exporter = load_exporter(name)
            self.paths[name] = folder / f"m{exporter.suffix}"
            with quiet():
                exporter.export(request, self.paths[name])

    def spec(self, client: Any, make_spec: Any, model_format: str) -> Any:
        path = self.paths[model_format]
        digest = client.upload(path.read_bytes())
        runtime = RUNTIMES[model_format]
        spec = make_spec({"m": (digest, path.name)}, runtime, model_format, repeats=1)
        for beside in companions(path):
            spec.arms[0].files.add(name=beside.name, digest=client.upload(beside.read_bytes()))
        file = io.BytesIO()
        np.savez(file, x=self.samples)
        spec.evaluation.inputs.CopyFrom(client.upload(file.getvalue()))
        spec.evaluation.reduction = benchmark_pb2.Evaluation.REDUCTION_NONE
        return spec


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("model_format", RUNTIMES)
def test_a_job_measures_the_file_and_gives_the_models_outputs(
    case: Case, start_agent: Any, connect: Any, make_spec: Any, model_format: str
) -> None:
    client = connect(start_agent("--allow-code-in-models").address)
    job = client.finished(client.submit(case.spec(client, make_spec, model_format)))
    (arm,) = job.result.arms
    assert not arm.HasField("error"), status_to_failure(arm.error)
    outputs = np.load(io.BytesIO(client.download(arm.evaluation_outputs)))
    (seen,) = [outputs[name] for name in outputs.files]
    np.testing.assert_allclose(seen, case.wanted, atol=1e-5)


@pytest.mark.parametrize("model_format", ["pt2", "torchscript"])
def test_code_in_a_model_is_refused_unless_the_devices_owner_allowed_it(
    case: Case, client: Any, make_spec: Any, model_format: str
) -> None:
    job = client.finished(client.submit(case.spec(client, make_spec, model_format)))
    found = status_to_failure(job.result.arms[0].error)
    assert found.failure_class == "model"
    assert "--allow-code-in-models" in found.message
    assert "\n" not in found.message
