"""What a runtime tells of the operators it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operator:
    """One operator of the graph as it really runs (fused, reordered), per inference.

    ``ran_on``: the accelerator, and in brackets what of it ("cpu (XNNPACK)"). ``duration_ns`` is
    the operator's own time without its subgraphs'; None where the runtime does not tell.
    """

    type: str
    name: str
    ran_on: str
    count: float
    duration_ns: float | None


@dataclass(frozen=True)
class OperatorProfile:
    """``times_unavailable``: why there are no times; empty where there are."""

    operators: tuple[Operator, ...]
    times_unavailable: str = ""
