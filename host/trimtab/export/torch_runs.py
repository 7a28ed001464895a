"""Runs a torch module sample by sample, for the exporters whose runtime is torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.task import Arrays, NamedArrays, as_arrays, single_samples


def run_samples(module: Any, inputs: NamedArrays) -> Arrays:
    import torch

    with torch.inference_mode():
        runs = [
            as_arrays(module(*map(torch.from_numpy, sample.values())))
            for sample in single_samples(inputs)
        ]
    return tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))
