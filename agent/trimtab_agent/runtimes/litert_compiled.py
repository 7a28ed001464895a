"""LiteRT's compiled-model C API, as far as a profile needs it.

The interpreter's Python interface tells no operators' times; this library, which comes in the same
package, does. Its functions change between releases, so only those releases are called that were
tried: a wrong signature would end the process.
"""

from __future__ import annotations

import ctypes
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRIED_RELEASES = ("2.3.",)
_PACKAGE = "ai_edge_litert"
_CPU = 1  # kLiteRtHwAcceleratorCpu
_SIGNATURE = ctypes.c_size_t(0)
_TENSOR_TYPE_BYTES = 512  # several times a LiteRtRankedTensorType
_Handle = ctypes.c_void_p


@dataclass(frozen=True)
class Event:
    """``kind`` is one of TFLite's profiler event types; ``index`` the operator's place in its
    subgraph, or in the delegate's group.
    """

    tag: str
    kind: int
    elapsed_us: int
    index: int
    subgraph: int


class _Event(ctypes.Structure):
    """ProfiledEventData: tag, type, start, elapsed, two memory readings, metadata, source."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint32),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_uint64 * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_uint32),
    )


class CompiledModelError(Exception):
    """The text is the reason."""


class CompiledModel:
    """A model on the CPU with profiling on, its inputs all 0. It lives as long as its process."""

    def __init__(self, model: Path, thread_count: int) -> None:
        self._library = _load()
        self._environment = self._new("LiteRtCreateEnvironment", 0, None)
        file = self._new("LiteRtCreateModelFromFile", self._environment, str(model).encode())
        options = self._options(thread_count)
        self._model = self._new("LiteRtCreateCompiledModel", self._environment, file, options)
        self._signature = self._new("LiteRtGetModelSignature", file, _SIGNATURE)
        self._inputs, self._outputs = self._buffers("Input"), self._buffers("Output")
        self._profiler = self._new("LiteRtCompiledModelGetProfiler", self._model)

    def run(self) -> None:
        self._call(
            "LiteRtRunCompiledModel",
            self._model,
            _SIGNATURE,
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )

    def start_profiling(self) -> None:
        """From here on; what was noted before is gone."""
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)

    def stop_profiling(self) -> list[Event]:
        """What ran since :meth:`start_profiling`, in its order."""
        self._call("LiteRtStopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        return [
            Event(
                (event.tag or b"").decode("utf-8", "replace"),
                event.kind,
                event.elapsed_us,
                *event.metadata,
            )
            for event in events
        ]

    def _options(self, thread_count: int) -> _Handle:
        options = self._new("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        for identifier, content in (
            (b"runtime_options_string", b"enable_profiling = true\n"),
            (b"xnnpack", f"num_threads = {thread_count}\n".encode()),
        ):
            payload, free = _owned(content)
            opaque = self._new("LiteRtCreateOpaqueOptions", identifier, payload, free)
            self._call("LiteRtAddOpaqueOptions", options, opaque)
        return options

    def _buffers(self, kind: str) -> ctypes.Array[_Handle]:
        count = ctypes.c_size_t()
        self._call(f"LiteRtGetNumSignature{kind}s", self._signature, ctypes.byref(count))
        buffers = (_Handle * count.value)()
        for position in range(count.value):
            index = ctypes.c_size_t(position)
            named = f"LiteRtGetSignature{kind}TensorByIndex"
            tensor = self._new(named, self._signature, index)
            tensor_type = ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
            self._call("LiteRtGetRankedTensorType", tensor, tensor_type)
            named = f"LiteRtGetCompiledModel{kind}BufferRequirements"
            needs = self._new(named, self._model, _SIGNATURE, index)
            named = "LiteRtCreateManagedTensorBufferFromRequirements"
            buffer = self._new(named, self._environment, tensor_type, needs)
            self._call("LiteRtClearTensorBuffer", buffer)
            buffers[position] = buffer
        return buffers

    def _new(self, name: str, *arguments: Any) -> _Handle:
        """For functions whose last argument is where a handle goes."""
        handle = _Handle()
        self._call(name, *arguments, ctypes.byref(handle))
        return handle

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise CompiledModelError(f"{name} failed with status {status}")


def _load() -> ctypes.CDLL:
    """Raises CompiledModelError."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise CompiledModelError(f"{_PACKAGE} is not installed")
    try:
        return ctypes.CDLL(str(Path(found.origin).parent / "libLiteRt.so"))
    except OSError as error:
        raise CompiledModelError(f"libLiteRt.so cannot be loaded: {error}") from error


def _owned(content: bytes) -> tuple[_Handle, _Handle]:
    """A copy that the library frees, and with what."""
    libc = ctypes.CDLL(None)
    libc.strdup.restype = ctypes.c_void_p
    return _Handle(libc.strdup(content)), ctypes.cast(libc.free, _Handle)
