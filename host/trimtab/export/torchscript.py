"""torch -> TorchScript (.pt) by tracing, for boards whose torch is too old for .pt2."""

from __future__ import annotations

import io
import json
import re
import warnings
from pathlib import Path
from typing import Any, ClassVar

from trimtab.export.base import Exporter, ExportFailed, ExportRequest
from trimtab.export.torch_runs import run_samples
from trimtab.task import Arrays, NamedArrays

SIGNATURE_FILE = "extra/trimtab.json"  # the agent reads it: TorchScript keeps no shapes
# The writer makes these three itself; debug files hold source paths of this machine.
_OWN_RECORDS = ("version", "byteorder", ".data/serialization_id")
_DEBUG = ".debug_pkl"
# torch numbers classes through a process's life; frozen, a program has one.
_NUMBERED = re.compile(rb"___torch_mangle_\d+")
_NUMBER = b"___torch_mangle_0"


class TorchscriptExporter(Exporter):
    format: ClassVar[str] = "torchscript"
    suffix: ClassVar[str] = ".pt"
    modules: ClassVar[tuple[str, ...]] = ("torch",)

    def export(self, request: ExportRequest, target: Path) -> str:
        """Always with a batch of 1: tracing fixes whatever a program reads from a shape."""
        import torch

        if request.quantized:
            raise ExportFailed("a quantized model is not traced to TorchScript; use pte or onnx")
        jit: Any = torch.jit
        buffer = io.BytesIO()
        traced = jit.trace(request.model.eval(), request.example_inputs)
        jit.save(jit.freeze(traced), buffer)
        target.write_bytes(_rewritten(buffer.getvalue(), _signature(request)))
        return f"traced to TorchScript with torch {torch.__version__} and frozen, batch of 1"

    def run(self, path: Path, inputs: NamedArrays) -> Arrays:
        import torch

        jit: Any = torch.jit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return run_samples(jit.load(io.BytesIO(path.read_bytes())), inputs)


def _signature(request: ExportRequest) -> bytes:
    tensors = zip(request.input_names, request.example_inputs, strict=True)
    inputs = [
        {"name": name, "dtype": str(each.dtype).removeprefix("torch."), "dimensions": [*each.shape]}
        for name, each in tensors
    ]
    return json.dumps({"inputs": inputs}).encode()


def _rewritten(archive: bytes, signature: bytes) -> bytes:
    """Without what tells of this machine, with the signature."""
    import torch

    reader: Any = torch._C.PyTorchFileReader(io.BytesIO(archive))
    target = io.BytesIO()
    writer: Any = torch._C.PyTorchFileWriter(target)
    for name in reader.get_all_records():
        if name not in _OWN_RECORDS and not name.endswith(_DEBUG):
            record = reader.get_record(name)
            if name == "data.pkl" or name.startswith("code/"):
                record = _NUMBERED.sub(_NUMBER, record)
            renamed = _NUMBERED.sub(_NUMBER, name.encode()).decode()
            writer.write_record(renamed, record, len(record))
    writer.write_record(SIGNATURE_FILE, signature, len(signature))
    writer.write_end_of_file()
    return target.getvalue()
