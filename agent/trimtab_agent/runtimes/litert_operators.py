"""Which operators of a LiteRT graph its delegate took, and which the built-in kernels run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab_agent.runtimes.operators import Operator

DELEGATED = "cpu (XNNPACK)"
BUILT_IN = "cpu (built-in)"
_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Node:
    """Tensors by index; -1, an input left out, is not among them."""

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def operators(interpreter: Any, delegate: str = DELEGATED) -> tuple[Operator, ...]:
    """In the file's order, without times. Raises AttributeError where the package is too old.

    ``delegate``: where those ran that a delegate took.
    """
    nodes = [
        Node(str(each["op_name"]), _tensors(each["inputs"]), _tensors(each["outputs"]))
        for each in interpreter._get_ops_details()
    ]
    names = {each["index"]: str(each["name"]) for each in interpreter.get_tensor_details()}
    taken = delegated(nodes)
    return tuple(
        Operator(
            type=node.type,
            name=names.get(node.outputs[0], "") if node.outputs else "",
            ran_on=delegate if position in taken else BUILT_IN,
            count=1.0,
            duration_ns=None,
        )
        for position, node in enumerate(nodes)
        if node.type != _DELEGATE
    )


def delegated(nodes: Sequence[Node]) -> frozenset[int]:
    """Positions of the operators that the delegate nodes replace.

    The interpreter leaves the replaced operators in its list and appends one DELEGATE a group, with
    the group's outer tensors: what it replaces lies between those.
    """
    makers = {
        tensor: position
        for position, node in enumerate(nodes)
        if node.type != _DELEGATE
        for tensor in node.outputs
    }
    return frozenset(
        position
        for node in nodes
        if node.type == _DELEGATE
        for position in _between(node, nodes, makers)
    )


def _between(group: Node, nodes: Sequence[Node], makers: dict[int, int]) -> Iterator[int]:
    seen: set[int] = set()
    waiting = list(group.outputs)
    while waiting:
        position = makers.get(waiting.pop())
        if position is not None and position not in seen:
            seen.add(position)
            yield position
            waiting.extend(set(nodes[position].inputs) - set(group.inputs))


def _tensors(indices: Any) -> tuple[int, ...]:
    return tuple(int(index) for index in indices if index >= 0)
