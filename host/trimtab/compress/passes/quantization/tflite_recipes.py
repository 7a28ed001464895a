"""ai-edge-quantizer's recipes for each scheme, with operators that stay float."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Recipe = Any


def dynamic(bits: int, per_channel: bool = True) -> Recipe:
    def add(manager: Any, everything: Any) -> None:
        manager.add_dynamic_config(
            ".*", everything, num_bits=bits, granularity=_granularity(per_channel)
        )

    return _recipe(add)


def weight_only(bits: int, per_channel: bool = True) -> Recipe:
    def add(manager: Any, everything: Any) -> None:
        manager.add_weight_only_config(
            ".*", everything, num_bits=bits, granularity=_granularity(per_channel)
        )

    return _recipe(add)


def static(
    activation_bits: int, per_channel: bool = True, keep_float: Sequence[str] = ()
) -> Recipe:
    """``keep_float``: scopes, the names of all tensors that an operator writes."""

    from ai_edge_quantizer import qtyping

    def add(manager: Any, everything: Any) -> None:
        manager.add_static_config(
            ".*",
            everything,
            activation_num_bits=activation_bits,
            weight_num_bits=8,
            weight_granularity=_granularity(per_channel),
        )
        # A table has no static form: it would stay float, most of many a transformer's bytes.
        table = qtyping.TFLOperationName.EMBEDDING_LOOKUP
        manager.add_dynamic_config(".*", table, num_bits=8)

    return _recipe(add, keep_float)


def half() -> Recipe:
    from ai_edge_quantizer import algorithm_manager

    def add(manager: Any, everything: Any) -> None:
        manager.add_weight_only_config(
            ".*",
            everything,
            num_bits=16,
            granularity=_granularity(per_channel=False),
            algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        )

    return _recipe(add)


def _recipe(add: Any, keep_float: Sequence[str] = ()) -> Recipe:
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager

    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    manager = recipe_manager.RecipeManager()
    add(manager, everything)
    for scope in keep_float:
        manager.add_quantization_config(
            f"^{re.escape(scope)}$",
            everything,
            algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE,
        )
    return manager.get_quantization_recipe()


def _granularity(per_channel: bool) -> Any:
    from ai_edge_quantizer import qtyping

    kinds = qtyping.QuantGranularity
    return kinds.CHANNELWISE if per_channel else kinds.TENSORWISE
