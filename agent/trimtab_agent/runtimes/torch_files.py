"""Loads torch's two kinds of files, and finds what their inputs and outputs are."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab_agent.records import TensorInfo
from trimtab_agent.runtimes.base import ModelRefused, TensorSpec
from trimtab_agent.runtimes.torch_tensors import dtype_name, only_tensors

# Trimtab's exporter writes it beside the program: TorchScript keeps no shapes.
SIGNATURE_FILE = "trimtab.json"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class LoadedModule:
    module: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    warnings: tuple[str, ...] = ()


def load_module(path: Path, device: str, shapes: Shapes) -> LoadedModule:
    """Runs what code the file holds. Raises ModelRefused, and whatever torch raises."""
    kind = _kind(path)
    with _quiet():
        if kind == "pt2":
            return _load_program(path, device)
        return _load_script(path, device, shapes)


def _kind(path: Path) -> str:
    """By what is in the archive: both are zip files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelRefused("the file is neither a torch.export archive nor TorchScript") from error
    if "archive_format" in names:
        return "pt2"
    if "constants.pkl" in names:
        return "torchscript"
    raise ModelRefused(
        "the file holds no program (a state dict or a pickled module?): save it with "
        "torch.export.save"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Deprecations are the business of the file's author."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _load_program(path: Path, device: str) -> LoadedModule:
    import torch

    with suppress(ImportError):  # registers the operators of PT2E's quantized graphs
        import torch.ao.quantization.fx._decomposed
    program = torch.export.load(str(path))
    if device != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    signature = program.graph_signature
    inputs = _specs(signature.user_inputs, values, "input")
    outputs = _specs(signature.user_outputs, values, "output")
    return LoadedModule(program.module(), inputs, outputs)


def _specs(names: Sequence[Any], values: Mapping[str, Any], side: str) -> tuple[TensorSpec, ...]:
    import torch

    found = []
    for name in names:
        value = values.get(name) if isinstance(name, str) else None
        if not isinstance(value, torch.Tensor):
            raise ModelRefused(f"its {side} {name!r} is not a tensor")
        # A size that is open is a symbol, not an int.
        shape = tuple(size if type(size) is int else -1 for size in value.shape)
        found.append(TensorSpec(TensorInfo(str(name), dtype_name(value.dtype, str(name)), shape)))
    return tuple(found)


def _load_script(path: Path, device: str, shapes: Shapes) -> LoadedModule:
    import torch

    extra = {SIGNATURE_FILE: ""}
    load: Any = torch.jit.load
    module = load(str(path), map_location=device, _extra_files=extra).eval()
    names = [argument.name for argument in module.forward.schema.arguments[1:]]  # but self
    signature = _signature(extra[SIGNATURE_FILE])
    told: tuple[str, ...] = ()
    if signature is None:
        signature = _given(names, shapes)
        told = ("the inputs are taken for float32: a TorchScript file does not tell",)
    if len(signature) != len(names):
        raise ModelRefused(f"the program has {len(names)} inputs, its signature {len(signature)}")
    inputs = tuple(TensorSpec(each) for each in signature)
    return LoadedModule(module, inputs, _outputs(module, signature, device), told)


def _signature(text: str | bytes) -> list[TensorInfo] | None:
    """As Trimtab's exporter wrote it; None: another program's file."""
    if not text:
        return None
    try:
        return [
            TensorInfo(str(each["name"]), str(each["dtype"]), tuple(map(int, each["dimensions"])))
            for each in json.loads(text)["inputs"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelRefused(f"its {SIGNATURE_FILE} cannot be read: {error}") from error


def _given(names: Sequence[str], shapes: Shapes) -> list[TensorInfo]:
    missing = [name for name in names if name not in shapes]
    if missing:
        options = " ".join(f"--shape {name}=1xN" for name in missing)
        raise ModelRefused(
            f"a TorchScript file does not tell the shapes of its inputs: give {options}, with all "
            "sizes of each"
        )
    return [TensorInfo(name, "float32", shapes[name]) for name in names]


def _outputs(module: Any, signature: Sequence[TensorInfo], device: str) -> tuple[TensorSpec, ...]:
    """Told by a run on zeros."""
    import torch

    arguments = [
        torch.zeros(each.dimensions, dtype=getattr(torch, each.dtype), device=device)
        for each in signature
    ]
    with torch.inference_mode():
        values = only_tensors(module(*arguments))
    return tuple(
        TensorSpec(
            TensorInfo(
                f"output_{index}",
                dtype_name(value.dtype, f"output_{index}"),
                tuple(value.shape),
            )
        )
        for index, value in enumerate(values)
    )
