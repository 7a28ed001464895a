"""A model loaded and bound as one would write it by hand, with nothing of Trimtab's."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Call = Callable[[], object]
_WARM_UP_NS = 300_000_000


def load_by_hand(runtime: str, model: str, inputs: str) -> Call:
    """``inputs``: an .npz with one run's inputs in the model's order. One thread."""
    with np.load(inputs) as file:
        arrays = [file[name] for name in file.files]
    return {"onnxruntime": _onnxruntime, "litert": _litert}[runtime](model, arrays)


def warm_up_by_hand(call: Call) -> float:
    """The median in nanoseconds; afterwards the garbage collector is out of the way."""
    taken = timed_loop(call, _WARM_UP_NS)
    gc.collect()
    gc.freeze()
    gc.disable()
    return float(np.median(taken))


def timed_loop(call: Call, duration_ns: int) -> list[int]:
    clock = time.perf_counter_ns
    taken: list[int] = []
    end = clock() + duration_ns
    while clock() < end:
        start = clock()
        call()
        taken.append(clock() - start)
    return taken


def _onnxruntime(model: str, arrays: list[Any]) -> Call:
    import onnxruntime

    make = onnxruntime.OrtValue.ortvalue_from_shape_and_type
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for node, array in zip(session.get_inputs(), arrays, strict=True):
        value = make(list(array.shape), array.dtype.type)
        value.update_inplace(array)
        binding.bind_ortvalue_input(node.name, value)
    for node in session.get_outputs():
        binding.bind_output(node.name, "cpu")
    return partial(session.run_with_iobinding, binding)


def _litert(model: str, arrays: list[Any]) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    call: Call = interpreter.invoke
    return call
