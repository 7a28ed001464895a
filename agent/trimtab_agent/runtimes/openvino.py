"""OpenVINO: its own IR, and ONNX and TFLite files, which it reads as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import (
    ModelRefused,
    Quantization,
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    TensorSpec,
)
from trimtab_agent.runtimes.installed import installed_version
from trimtab_agent.runtimes.onnx_files import check_onnx
from trimtab_agent.runtimes.openvino_profile import read_counters
from trimtab_agent.runtimes.openvino_scales import input_quantization, output_quantization
from trimtab_agent.runtimes.operators import OperatorProfile
from trimtab_agent.runtimes.reasons import one_line, refusal
from trimtab_agent.runtimes.tflite_files import IDENTIFIER, check_tflite

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_SERVED = (
    "float32",
    "float16",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 8
_INTEL = "0x8086"
# Its messages begin with where in its sources they were raised.
_NOISE = ("Exception from ", "Check '", "FrontEnd API failed with ")


class OpenVinoSession(Session):
    def __init__(self, request: Any, model: _Model, device: str, folder: Path) -> None:
        self._request: Any = request
        self._folder = folder
        self._device = device
        self.inputs = model.inputs
        self.outputs = model.outputs
        self.accelerator_used = device

    def bind(self, inputs: Tensors) -> None:
        try:
            for index, spec in enumerate(self.inputs):
                tensor = self._request.get_input_tensor(index)
                if tuple(tensor.shape) != inputs[spec.name].shape:
                    tensor.shape = inputs[spec.name].shape
                tensor.data[...] = inputs[spec.name]
        except RuntimeError as error:
            raise _refusal(error, self._folder) from error

    def run(self) -> None:
        try:
            self._request.infer(share_outputs=True)
        except RuntimeError as error:
            raise _refusal(error, self._folder) from error

    def timed_call(self) -> Callable[[], object]:
        """Outputs shared: else it copies each of them at every run."""
        request = self._request
        return lambda: request.infer(share_outputs=True)

    def output_values(self) -> dict[str, Tensor]:
        return {
            spec.name: self._request.get_output_tensor(index).data.copy()
            for index, spec in enumerate(self.outputs)
        }

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        return read_counters(self._request.get_profiling_info(), self._device)

    def close(self) -> None:
        self._request = None


class OpenVino(Runtime):
    name = "openvino"
    formats = ("openvino", "onnx", "tflite")
    arena_unavailable = "OpenVINO does not tell what its arena holds"
    operators_told = "each operator's time by its own counters, in whole microseconds"
    option_values = {  # noqa: RUF012 - the base class says ClassVar
        "inference_precision": ("f32", "f16", "bf16"),
        "performance_hint": ("latency", "throughput"),
    }

    def availability(self) -> RuntimeInfo:
        try:
            version = installed_version("openvino", "openvino")
        except RuntimeMissing as error:
            return self._unavailable(str(error))
        accelerators = possible_accelerators(Path("/"))
        return RuntimeInfo(self.name, version, "openvino", self.formats, accelerators)

    def import_library(self) -> None:
        _import()

    def check_file(self, path: Path, allow_code: bool) -> None:
        """It has readers for more kinds of files, and goes by name and content which to take."""
        suffix = path.suffix.lower()
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if suffix == ".onnx":
            check_onnx(path, allow_code)
        elif suffix == ".tflite":
            _check_kind(path, head[4:8] == IDENTIFIER, "TensorFlow Lite's")
            check_tflite(path, whole_tensorflow=False)
        else:
            is_xml = head.startswith((b"<", _BYTE_ORDER_MARK + b"<"))
            _check_kind(path, suffix == ".xml" and is_xml, "OpenVINO's own (.xml)")

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        library = _import()
        core = library.Core()
        devices = {
            each.partition(".")[0].lower(): each for each in reversed(core.available_devices)
        }
        self.check(options, tuple(sorted(devices)))
        device = devices[options.accelerator]
        try:
            model = _Model(core.read_model(str(path)), options.input_shapes)
            compiled = core.compile_model(model.graph, device, _config(options))
            request = compiled.create_infer_request()
        except RuntimeError as error:
            raise _refusal(error, path.parent) from error
        session = OpenVinoSession(request, model, options.accelerator, path.parent)
        session.warnings = _warnings(compiled, options)
        return session


class _Model:
    """A graph before it is compiled: compiling may change the names and scales of its tensors."""

    def __init__(self, graph: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.graph = graph
        self.inputs = tuple(
            _spec(port, port.node.get_friendly_name(), input_quantization(port))
            for port in graph.inputs
        )
        self.outputs = tuple(
            _spec(port, f"output_{index}", output_quantization(port))
            for index, port in enumerate(graph.outputs)
        )
        self._fix(shapes)

    def _fix(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Given shapes are compiled in: open ones cost it time. Those that do not fit are left."""
        wanted = {
            port: list(shapes[spec.name])
            for port, spec in zip(self.graph.inputs, self.inputs, strict=True)
            if len(shapes.get(spec.name, ())) == len(spec.info.dimensions)
        }
        if wanted:
            self.graph.reshape(wanted)


def _check_kind(path: Path, is_it: bool, kind: str) -> None:
    if not is_it:
        raise ModelRefused(
            f"{path.name} is not {kind}: OpenVINO is given .xml, .onnx and .tflite files that are "
            "what they are called; name the file so, or export the model again"
        )


def possible_accelerators(root: Path) -> tuple[str, ...]:
    """Told from device files, without the third of a second that importing OpenVINO takes.

    What of it OpenVINO has a driver for shows when a model is loaded.
    """
    vendors = (root / "sys/class/drm").glob("renderD*/device/vendor")
    found = ["cpu"]
    if any(_text(each) == _INTEL for each in vendors):
        found.append("gpu")
    if any((root / "dev/accel").glob("accel*")):
        found.append("npu")
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _import() -> Any:
    """Without its usage reports: on import it sends one, from a process beside what is timed."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "not installed"
    try:
        import openvino
    except Exception as error:  # a broken wheel raises more than ImportError
        raise RuntimeMissing(f"openvino cannot be imported: {one_line(str(error))}") from error
    return openvino


def _config(options: RuntimeOptions) -> dict[str, Any]:
    """f32 unless asked otherwise: on its own it computes in bf16 or f16 where the device can."""
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": options.options.get("inference_precision", "f32"),
        "PERFORMANCE_HINT": options.options.get("performance_hint", "latency").upper(),
        "PERF_COUNT": options.profile_folder is not None,
    }
    if options.accelerator == "cpu":
        config["INFERENCE_NUM_THREADS"] = options.thread_count
    return config


def _warnings(compiled: Any, options: RuntimeOptions) -> tuple[str, ...]:
    if options.accelerator != "cpu":
        return ()
    used = int(compiled.get_property("INFERENCE_NUM_THREADS"))
    if used == options.thread_count:
        return ()
    return (f"{options.thread_count} threads were asked for, OpenVINO takes {used}",)


def _spec(port: Any, unnamed: str, quantization: Quantization | None) -> TensorSpec:
    names = sorted(port.get_names())
    name = str(names[0]) if names else unnamed
    import numpy as np

    dtype = np.dtype(port.get_element_type().to_dtype()).name
    if dtype not in _SERVED:
        served = ", ".join(sorted(_SERVED))
        raise ModelRefused(f"{name!r} is of type {dtype}; served are tensors of {served}")
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise ModelRefused(f"{name!r} has no fixed number of dimensions: export it with one")
    dimensions = tuple(-1 if size.is_dynamic else int(size.get_length()) for size in shape)
    return TensorSpec(TensorInfo(name, dtype, dimensions), quantization)


def _refusal(error: Exception, folder: Path) -> Exception:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_NOISE)]
    return refusal(type(error)(" ".join(telling or lines)), folder)
