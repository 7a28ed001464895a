"""The scales of quantized inputs and outputs, which OpenVINO's reader of TFLite files hides.

It keeps an int8 input as it is and puts a FakeQuantize behind it that makes real values of it; an
output has one before it. Their ranges are the scale and the zero point.
"""

from __future__ import annotations

from typing import Any

from trimtab_agent.runtimes.base import Quantization

_PASSED = ("Transpose", "Reshape", "Convert", "Unsqueeze", "Squeeze")
_FAR = 4  # operators between the tensor and its FakeQuantize


def input_quantization(port: Any) -> Quantization | None:
    """None: it holds real values (or labels, indices)."""
    output, wanted = port, _integer_range(port)
    for _ in range(_FAR if wanted else 0):
        users = [each.get_node() for each in output.get_target_inputs()]
        if len(users) != 1:
            return None
        if users[0].get_type_name() == "FakeQuantize":
            stored, real = _ranges(users[0])
            return _quantization(stored, real) if stored == wanted else None
        if users[0].get_type_name() not in _PASSED:
            return None
        output = users[0].output(0)
    return None


def output_quantization(port: Any) -> Quantization | None:
    wanted = _integer_range(port)
    node = port.get_node()
    for _ in range(_FAR if wanted else 0):
        source = node.input_value(0).get_node() if node.get_input_size() else node
        if source.get_type_name() == "FakeQuantize":
            real, stored = _ranges(source)
            return _quantization(stored, real) if stored == wanted else None
        if source.get_type_name() not in _PASSED:
            return None
        node = source
    return None


_Range = tuple[float, float]


def _integer_range(port: Any) -> _Range | None:
    return {"i8": (-128.0, 127.0), "u8": (0.0, 255.0)}.get(port.get_element_type().get_type_name())


def _ranges(node: Any) -> tuple[_Range | None, _Range | None]:
    """What goes in and what comes out; None where a range is not one constant for the tensor."""
    values = [_scalar(node.input_value(index).get_node()) for index in range(1, 5)]
    low_in, high_in, low_out, high_out = values
    entering = None if low_in is None or high_in is None else (low_in, high_in)
    leaving = None if low_out is None or high_out is None else (low_out, high_out)
    return entering, leaving


def _scalar(node: Any) -> float | None:
    if node.get_type_name() != "Constant":
        return None
    values = node.get_data().ravel()
    return float(values[0]) if values.size == 1 else None


def _quantization(stored: _Range | None, real: _Range | None) -> Quantization | None:
    if stored is None or real is None:
        return None
    scale = (real[1] - real[0]) / (stored[1] - stored[0])
    return Quantization(scale, round(stored[0] - real[0] / scale)) if scale else None
