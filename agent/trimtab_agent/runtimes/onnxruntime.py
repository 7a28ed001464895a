"""ONNX Runtime, its inputs and outputs bound to buffers of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_agent.records import RuntimeInfo, TensorInfo
from trimtab_agent.runtimes.base import (
    AcceleratorMissing,
    ModelRefused,
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    TensorSpec,
)
from trimtab_agent.runtimes.onnx_files import check_onnx
from trimtab_agent.runtimes.onnxruntime_placement import assigned
from trimtab_agent.runtimes.onnxruntime_profile import read_profile
from trimtab_agent.runtimes.onnxruntime_providers import (
    ACCELERATORS,
    OPTIONS,
    PROVIDERS,
    provider_list,
)
from trimtab_agent.runtimes.onnxruntime_session import (
    OPTIMIZATION_LEVELS,
    SEVERITY_ERROR,
    session_options,
)
from trimtab_agent.runtimes.operators import OperatorProfile, Places, fallback_warning, left_out
from trimtab_agent.runtimes.reasons import one_line, refusal
from trimtab_agent.runtimes.standard_error import Overheard, overhear

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(uint16)": "uint16",
    "tensor(int32)": "int32",
    "tensor(uint32)": "uint32",
    "tensor(int64)": "int64",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}


class OnnxSession(Session):
    """``places``: what the session said of its operators' placement, where it was asked."""

    def __init__(self, session: Any, folder: Path, places: Places, accelerator: str) -> None:
        self._session: Any = session
        self._binding: Any = None
        self._folder = folder
        self._values: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._free: tuple[str, ...] = ()
        self._free_each_run = False
        self.inputs = tuple(_spec(node) for node in session.get_inputs())
        self.outputs = tuple(_spec(node) for node in session.get_outputs())
        self._places = places
        total, elsewhere, _ = left_out(accelerator, places)
        self.accelerator_used = "cpu" if total and elsewhere == total else accelerator
        self.warnings = (*_warnings(session), *fallback_warning(accelerator, places))

    def bind(self, inputs: Tensors) -> None:
        if {name: array.shape for name, array in inputs.items()} != self._shapes:
            self._allocate(inputs)
        for name, array in inputs.items():
            self._values[name].update_inplace(array)
        self._free_outputs()

    def run(self) -> None:
        try:
            if self._free_each_run:
                self._free_outputs()
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            if self._free_each_run or not _is_shape_promise_broken(error):
                raise refusal(error, self._folder) from error
            self._free_each_run = True
            self._free = tuple(spec.name for spec in self.outputs)
            self.run()

    def timed_call(self) -> Callable[[], object]:
        if self._free_each_run:
            return self.run
        return partial(self._session.run_with_iobinding, self._binding)

    def output_values(self) -> dict[str, Tensor]:
        values = self._binding.get_outputs()
        return {
            # numpy() is a view of the buffer that the next run writes to.
            spec.name: value.numpy().copy()
            for spec, value in zip(self.outputs, values, strict=True)
        }

    def placement(self) -> Places:
        return self._places

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        trace = Path(self._session.end_profiling())
        try:
            return read_profile(trace, run_count, chosen, ACCELERATORS)
        finally:
            trace.unlink(missing_ok=True)

    def close(self) -> None:
        self._binding = None
        self._session = None
        self._values = {}
        self._shapes = {}

    def _allocate(self, inputs: Tensors) -> None:
        import onnxruntime

        make = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        self._binding = self._session.io_binding()
        self._values = {}
        for name, array in inputs.items():
            self._values[name] = make(list(array.shape), array.dtype.type)
            self._binding.bind_ortvalue_input(name, self._values[name])
        self._shapes = {name: array.shape for name, array in inputs.items()}
        self._bind_outputs(make)

    def _bind_outputs(self, make: Callable[..., Any]) -> None:
        """Buffers for outputs whose size is known beforehand; the others are freed each time."""
        sizes = self._named_sizes()
        free = []
        for node, spec in zip(self._session.get_outputs(), self.outputs, strict=True):
            shape = [sizes.get(size, size) for size in node.shape]
            if all(isinstance(size, int) for size in shape):
                value = make(shape, _numpy_type(spec.info.dtype))
                self._binding.bind_ortvalue_output(spec.name, value)
            else:
                free.append(spec.name)
        self._free = tuple(free)

    def _free_outputs(self) -> None:
        """ONNX Runtime keeps the last run's output as the next one's buffer, of fixed shape."""
        for name in self._free:
            self._binding.bind_output(name, "cpu")

    def _named_sizes(self) -> dict[Any, int]:
        """Sizes of the named open dimensions ("batch"), as the bound inputs set them."""
        sizes: dict[Any, int] = {}
        for node in self._session.get_inputs():
            for size, bound in zip(node.shape, self._shapes.get(node.name, ()), strict=False):
                if isinstance(size, str):
                    sizes[size] = bound
        return sizes


class OnnxRuntime(Runtime):
    name = "onnxruntime"
    formats = ("onnx",)
    arena_unavailable = (
        "ONNX Runtime tells its arena in a profile only, and newer releases alone (1.32 does): "
        "ask for it with --profile"
    )
    operators_told = "each operator's time and where it ran"
    option_values = {  # noqa: RUF012 - the base class says ClassVar
        "graph_optimization_level": tuple(OPTIMIZATION_LEVELS),
        "allow_spinning": ("0", "1"),
    }
    accelerator_options = OPTIONS

    def availability(self) -> RuntimeInfo:
        try:
            library = _import()
        except RuntimeMissing as error:
            return self._unavailable(str(error))
        there = _accelerators(library)
        return RuntimeInfo(
            name=self.name,
            version=library.__version__,
            package="onnxruntime",
            model_formats=self.formats,
            accelerators=there,
            absent_accelerators={
                name: _not_built_in(library, name) for name in PROVIDERS if name not in there
            },
        )

    def check_file(self, path: Path, allow_code: bool) -> None:
        check_onnx(path, allow_code)

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        library = _import()
        there = _accelerators(library)
        if options.accelerator in PROVIDERS and options.accelerator not in there:
            raise AcceleratorMissing(_not_built_in(library, options.accelerator))
        self.check(options, there)
        with overhear(options.accelerator != "cpu") as heard:
            session = _create(library, path, options, heard)
        _check_set_up(session, options.accelerator, heard, path.parent)
        return OnnxSession(session, path.parent, assigned(session), options.accelerator)


def _create(library: Any, path: Path, options: RuntimeOptions, heard: Overheard) -> Any:
    """Without ONNX Runtime's own second try, on the cpu, which would hide why the first failed."""
    try:
        return library.InferenceSession(
            str(path),
            session_options(library, options),
            providers=provider_list(options),
            disable_fallback=options.accelerator != "cpu",
        )
    except Exception as error:  # its exception classes derive from Exception alone
        raise refusal(error, path.parent) from error


def _check_set_up(session: Any, accelerator: str, heard: Overheard, folder: Path) -> None:
    """ONNX Runtime leaves out a provider that it cannot set up, and says why in its log alone."""
    name = PROVIDERS[accelerator].name
    if name in session.get_providers():
        return
    reason = heard.error() or "ONNX Runtime left it out and did not say why"
    raise AcceleratorMissing(f"{accelerator} cannot be set up here: {one_line(reason, folder)}")


def _import() -> Any:
    # Else it sends its maker what it was used for, nine seconds after a model was loaded, from a
    # thread of its own: in the middle of a measurement, and a worker may have no socket.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except Exception as error:  # a broken wheel raises more than ImportError
        raise RuntimeMissing(f"onnxruntime cannot be imported: {one_line(str(error))}") from error
    onnxruntime.set_default_logger_severity(SEVERITY_ERROR)
    return onnxruntime


def _accelerators(library: Any) -> tuple[str, ...]:
    present = set(library.get_available_providers())
    return tuple(name for name, each in PROVIDERS.items() if each.name in present)


def _not_built_in(library: Any, accelerator: str) -> str:
    """What is missing for an accelerator that this library was built without."""
    where = PROVIDERS[accelerator].package
    return f"this onnxruntime {library.__version__} is built without {accelerator}; {where}"


def _is_shape_promise_broken(error: Exception) -> bool:
    """Whether the file declares an output shape that its graph does not keep."""
    return any(text in str(error) for text in ("pre-allocated", "invalid dimensions for output"))


def _spec(node: Any) -> TensorSpec:
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        raise ModelRefused(
            f"{node.name!r} is of type {node.type}; served are tensors of "
            f"{', '.join(sorted(_DTYPES.values()))}"
        )
    dimensions = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(TensorInfo(node.name, dtype, dimensions))


def _numpy_type(dtype: str) -> Any:
    import numpy as np

    return np.dtype(dtype).type


def _warnings(session: Any) -> tuple[str, ...]:
    overridable = len(session.get_overridable_initializers())
    if not overridable:
        return ()
    return (
        f"{overridable} weights are also graph inputs, so ONNX Runtime cannot fold them: "
        "it may run faster exported without (keep_initializers_as_inputs=False)",
    )
