"""Which execution provider ONNX Runtime gave each operator of the graph to: its own answer."""

from __future__ import annotations

from typing import Any

from trimtab_agent.runtimes.onnxruntime_providers import ACCELERATORS
from trimtab_agent.runtimes.operators import Operator, Places, places_of

TELL_PLACEMENT = "session.record_ep_graph_assignment_info"  # since 1.24; older ones ignore it


def assigned(session: Any) -> Places:
    """Empty where the session was not asked to record it, or is older than that."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    try:
        subgraphs = session.get_provider_graph_assignment_info()
    except Exception:  # it was not asked to record; its exceptions derive from Exception alone
        return {}
    return places_of(
        [
            Operator(node.op_type, node.name, ACCELERATORS.get(each.ep_name, each.ep_name), 1, None)
            for each in subgraphs
            for node in each.get_nodes()
        ]
    )
