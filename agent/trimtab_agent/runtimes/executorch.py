"""ExecuTorch: ``.pte`` programs through its Python runtime, with XNNPACK."""

from __future__ import annotations

import mmap
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import (
    ModelRefused,
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    TensorSpec,
    WorkerError,
)
from trimtab_agent.runtimes.installed import installed_version
from trimtab_agent.runtimes.operators import OperatorProfile
from trimtab_agent.runtimes.reasons import allow_it, one_line, refusal
from trimtab_agent.runtimes.torch_tensors import to_numpy, to_torch

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_ACCELERATORS = ("cpu",)
_METHOD = "forward"
_NO_TIMES = (
    "ExecuTorch's wheel is built without its event tracer (EXECUTORCH_ENABLE_EVENT_TRACER), so it "
    "tells nothing of its operators"
)
_MAGIC = b"ET"  # at byte 4, before the schema's two digits: runtime/executor/program.cpp
# XNNPACK's part of a program is a graph and weights.
_BACKEND_OF_DATA = "XnnpackBackend"
_BACKENDS_OF_CODE = (
    "QnnBackend",
    "OpenvinoBackend",
    "CudaBackend",
    "MetalBackend",
    "CoreMLBackend",
)
_CODE = re.compile(r"0x:?([0-9a-f]+)")
# Of its error codes: runtime/core/error.h.
_LOADING = {
    0x12: "the file is damaged",
    0x23: "the file is damaged, or of another version of ExecuTorch",
}
_RUNNING = {
    0x10: "the program takes no such input (its shape, or its type)",
    0x12: "the program takes no such input (its shape, or its type)",
}
_ANYWHERE = {
    0x14: "it uses an operator that this build of ExecuTorch does not have",
    0x20: "it needs a backend that this build of ExecuTorch does not have",
    0x21: "Failed to allocate memory",
    0x30: "it was made for another version of the backend that it needs",
    0x31: "Failed to allocate memory",
}
# ScalarType's numbers, which ExecuTorch took from torch: c10/core/ScalarType.h.
_DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}


class ExecuTorchSession(Session):
    """Every run copies its inputs in: the program's memory plan may reuse their place meanwhile.

    A program tells the largest shape of its tensors, not which of their sizes are open.
    """

    accelerator_used = "cpu"

    def __init__(self, program: Any, method: Any, folder: Path) -> None:
        self._program: Any = program  # its memory holds the weights
        self._method: Any = method
        self._folder = folder
        self._arguments: list[Any] = []
        self._results: list[Any] = []
        meta = method.method_meta()
        inputs = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
        outputs = [meta.output_tensor_meta(index) for index in range(meta.num_outputs())]
        self.inputs = tuple(_spec(f"input_{index}", each) for index, each in enumerate(inputs))
        self.outputs = tuple(_spec(f"output_{index}", each) for index, each in enumerate(outputs))

    def bind(self, inputs: Tensors) -> None:
        self._arguments = [to_torch(inputs[spec.name]) for spec in self.inputs]

    def run(self) -> None:
        try:
            self._method.call(self._arguments, False)
        except Exception as error:
            raise _refusal(error, self._folder, _RUNNING) from error

    def timed_call(self) -> Callable[[], object]:
        return partial(self._method.call, self._arguments, False)

    def output_values(self) -> dict[str, Tensor]:
        values = self._method.get_outputs(True)
        return {
            spec.name: to_numpy(value) for spec, value in zip(self.outputs, values, strict=True)
        }

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        return OperatorProfile((), _NO_TIMES)

    def close(self) -> None:
        self._method = None
        self._program = None


class ExecuTorch(Runtime):
    name = "executorch"
    formats = ("pte",)
    arena_unavailable = "ExecuTorch's Python interface does not tell what its arena holds"

    def availability(self) -> RuntimeInfo:
        try:
            version = installed_version("executorch", "executorch")
        except RuntimeMissing as error:
            return self._unavailable(str(error))
        return RuntimeInfo(self.name, version, "executorch", self.formats, _ACCELERATORS)

    def import_library(self) -> None:
        _import()

    def check_file(self, path: Path, allow_code: bool) -> None:
        if not allow_code:
            _check_backends(path, _registered_backends(_import()))

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        library = _import()
        self.check(options, _ACCELERATORS)
        _check_magic(path)
        told = _set_threads(library, options.thread_count)
        try:
            program = library._load_program(str(path))
            method = program.load_method(_METHOD)
        except Exception as error:
            raise _refusal(error, path.parent, _LOADING) from error
        session = ExecuTorchSession(program, method, path.parent)
        session.warnings = told
        return session


def _import() -> Any:
    """The C++ part alone: the module around it imports the whole exporter first.

    That takes seconds and a hundred megabytes, which would count as the model's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own modules to each other
            import torch  # noqa: F401 - whose libraries it needs

            return _bindings()
    except Exception as error:  # a broken wheel raises more than ImportError
        raise RuntimeMissing(f"executorch cannot be imported: {one_line(str(error))}") from error


def _bindings() -> Any:
    try:
        from executorch.extension.pybindings import _C
    except ImportError:  # another release keeps it elsewhere
        from executorch.extension.pybindings import portable_lib

        return portable_lib
    return _C


def _set_threads(library: Any, count: int) -> tuple[str, ...]:
    """Of XNNPACK's pool, which is the process's; a warning where it took another number."""
    try:
        library._unsafe_reset_threadpool(count)
        used = library._threadpool_get_thread_count()
    except AttributeError:
        return (
            f"this ExecuTorch cannot be told how many threads to use: {count} were asked for, it "
            "ran with as many as it chose",
        )
    if used == count:
        return ()
    return (f"{count} threads were asked for, ExecuTorch's pool has {used}",)


def _check_magic(path: Path) -> None:
    """Before the runtime is given it: reading garbage, it has crashed."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:6] != _MAGIC:
        raise ModelRefused("the file is no ExecuTorch program (.pte): export the model again")


def _registered_backends(library: Any) -> tuple[str, ...]:
    """Older releases do not tell: then whichever it may have."""
    try:
        return tuple(library._get_registered_backend_names())
    except AttributeError:
        return _BACKENDS_OF_CODE


def _check_backends(path: Path, registered: Collection[str]) -> None:
    """By the names in its bytes: what a program delegates to it does not tell before it is loaded.

    Qualcomm's backend loads the library that the program names, CUDA's one that is in the program.
    """
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = sorted({*registered} - {_BACKEND_OF_DATA})
        used = [name for name in names if content.find(name.encode() + b"\0") >= 0]
    if used:
        raise ModelRefused(
            f"a part of it is for {used[0]}, where a program can hold or name code, and this "
            f"device does not allow that: {allow_it('export the model for XNNPACK')}"
        )


def _spec(name: str, meta: Any) -> TensorSpec:
    dtype = _DTYPES.get(meta.dtype())
    if dtype is None:
        served = ", ".join(sorted(_DTYPES.values()))
        raise ModelRefused(f"{name!r} is of ScalarType {meta.dtype()}; served are {served}")
    return TensorSpec(TensorInfo(name, dtype, tuple(int(size) for size in meta.sizes())))


def _refusal(error: Exception, folder: Path, known: Mapping[int, str]) -> WorkerError:
    """It raises RuntimeError with a number, and writes what it means to its standard error."""
    text = str(error)
    code = _CODE.search(text)
    meaning = {**_ANYWHERE, **known}.get(int(code.group(1), 16), "") if code else ""
    return refusal(RuntimeError(f"{meaning} ({text})" if meaning else text), folder)
