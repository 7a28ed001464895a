"""PyTorch itself: ``torch.export`` archives (``.pt2``), and TorchScript (``.pt``) for old boards.

Both can run any code when they are loaded, so the device's owner must have allowed it:
- TorchScript's loader unpickles objects, and its programs call any registered operator;
- ``torch.export.load`` unpickles without ``weights_only`` what its archive marks as pickled (and
  the example inputs, where the safe way fails), evaluates symbolic sizes from text with sympy, and
  resolves call targets by name. None of it can be turned off.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab_agent.records import RuntimeInfo
from trimtab_agent.runtimes.base import (
    ModelRefused,
    Runtime,
    RuntimeMissing,
    RuntimeOptions,
    Session,
    WorkerError,
)
from trimtab_agent.runtimes.installed import installed_version, module_folder
from trimtab_agent.runtimes.operators import OperatorProfile
from trimtab_agent.runtimes.reasons import allow_it, one_line, refusal
from trimtab_agent.runtimes.torch_files import LoadedModule, load_module
from trimtab_agent.runtimes.torch_profile import profile_module
from trimtab_agent.runtimes.torch_tensors import only_tensors, to_numpy, to_torch

if TYPE_CHECKING:
    from trimtab_agent.runtimes.base import Tensor, Tensors

_CUDA_VERSION = re.compile(r"^cuda\s*(?::[^=]*)?=\s*['\"]", re.MULTILINE)
_NO_CODE = (
    ".pt and .pt2 files can run any code when they are loaded, which this device does not allow: "
    + allow_it("export the model to ONNX, TFLite or ExecuTorch")
)


class TorchSession(Session):
    """Runs in inference mode. On "cuda", a run lasts until the device has finished it."""

    def __init__(self, loaded: LoadedModule, folder: Path, device: str) -> None:
        self._module: Any = loaded.module
        self._folder = folder
        self._device = device
        self._arguments: tuple[Any, ...] = ()
        self._results: Any = ()
        self.accelerator_used = device
        self.inputs, self.outputs = loaded.inputs, loaded.outputs
        self.warnings = loaded.warnings

    def bind(self, inputs: Tensors) -> None:
        self._arguments = tuple(
            to_torch(inputs[spec.name]).to(self._device) for spec in self.inputs
        )
        self._results = ()

    def run(self) -> None:
        import torch

        try:
            with torch.inference_mode():
                self._results = self._module(*self._arguments)
            if self._device == "cuda":
                torch.cuda.synchronize()
        except Exception as error:  # a module raises what it likes
            raise torch_refusal(error, self._folder) from error

    def output_values(self) -> dict[str, Tensor]:
        values = only_tensors(self._results)
        return {
            spec.name: to_numpy(value) for spec, value in zip(self.outputs, values, strict=True)
        }

    def profile(self, run_count: int, chosen: Collection[int]) -> OperatorProfile:
        if self._device != "cpu":
            return OperatorProfile((), "operators of torch are timed on the cpu only")
        return profile_module(self.run, run_count)

    def close(self) -> None:
        self._module = None
        self._results = ()


class TorchRuntime(Runtime):
    name = "torch"
    formats = ("pt2", "torchscript")
    arena_unavailable = "torch allocates tensor by tensor, it has no arena of a fixed size"
    operators_told = "each operator's own time by torch.profiler, in runs of its own"

    def availability(self) -> RuntimeInfo:
        try:
            version = installed_version("torch", "torch")
        except RuntimeMissing as error:
            return self._unavailable(str(error))
        return RuntimeInfo(self.name, version, "torch", self.formats, _possible_accelerators())

    def import_library(self) -> None:
        _import()

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        self.check(options, _possible_accelerators())
        if not options.allow_code:
            raise ModelRefused(_NO_CODE)
        library = _import()
        if options.accelerator == "cuda" and not library.cuda.is_available():
            raise ModelRefused("torch was built with CUDA, and finds no device that it can use")
        _set_threads(library, options.thread_count)
        try:
            loaded = load_module(path, options.accelerator, options.input_shapes)
        except WorkerError:
            raise
        except Exception as error:  # both loaders raise their own kinds
            raise torch_refusal(error, path.parent) from error
        return TorchSession(loaded, path.parent, options.accelerator)


def torch_refusal(error: Exception, folder: Path) -> WorkerError:
    """TorchScript's messages end with its stack; what went wrong stands last."""
    text = str(error)
    if "RuntimeError: " in text:
        text = text.rpartition("RuntimeError: ")[2]
    return refusal(
        type(error)(text) if isinstance(error, MemoryError) else RuntimeError(text), folder
    )


def _import() -> Any:
    try:
        import torch
    except Exception as error:  # a broken wheel raises more than ImportError
        raise RuntimeMissing(f"torch cannot be imported: {one_line(str(error))}") from error
    return torch


def _possible_accelerators() -> tuple[str, ...]:
    """Importing torch takes seconds: its build is told from its version.py."""
    folder = module_folder("torch")
    try:
        built_with_cuda = folder is not None and _CUDA_VERSION.search(
            (folder / "version.py").read_text(encoding="utf-8")
        )
    except OSError:
        built_with_cuda = None
    has_driver = Path("/dev/nvidiactl").exists()
    return ("cpu", "cuda") if built_with_cuda and has_driver else ("cpu",)


def _set_threads(library: Any, count: int) -> None:
    library.set_num_threads(count)
    try:
        library.set_num_interop_threads(1)
    except RuntimeError:  # only before the first parallel work, and only once in a process
        return
