"""Streams of random numbers side by side: what one draws moves no other on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np

from trimtab.task import seed_everything

_SEEDS = 2**32  # numpy takes no larger one
State = dict[str, Any]


class RandomStream:
    """Inside ``with`` the generators of Python, numpy and torch go on where the stream was.

    ``device``: the generator of torch's device of that type is part of it.
    """

    def __init__(self, seed: int, device: str = "cpu") -> None:
        self._device = device
        with undisturbed(device):
            seed_everything(seed % _SEEDS)
            self._state = _drawn(device)

    def __enter__(self) -> None:
        self._outside = _drawn(self._device)
        _put(self._state)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._state = _drawn(self._device)
        _put(self._outside)

    def as_data(self) -> State:
        """Tensors, numbers and containers alone: a checkpoint holds nothing else."""
        import torch

        name, keys, *rest = self._state["numpy"]
        return {**self._state, "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest)}

    def go_on_from(self, data: Mapping[str, Any]) -> None:
        name, keys, *rest = data["numpy"]
        self._state = {**data, "numpy": (name, keys.numpy().astype(np.uint32), *rest)}


@contextmanager
def undisturbed(device: str = "cpu") -> Iterator[None]:
    """Whatever is drawn or seeded inside, the generators are as they were afterwards."""
    before = _drawn(device)
    try:
        yield
    finally:
        _put(before)


def _drawn(device: str) -> State:
    import torch

    state: State = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=True),
        "torch": torch.get_rng_state(),
    }
    if device == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    elif device == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def _put(state: State) -> None:
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
