"""Runs a torch module sample by sample, for the exporters whose runtime is torch."""

from __future__ import annotations

from typing import Any

from trimtab.task import Arrays, NamedArrays, as_arrays, joined_runs, single_samples


def run_samples(module: Any, inputs: NamedArrays) -> Arrays:
    import torch

    with torch.inference_mode():
        runs = [
            as_arrays(module(*map(torch.from_numpy, sample.values())))
            for sample in single_samples(inputs)
        ]
    return joined_runs(runs)
