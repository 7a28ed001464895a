"""Where the networks that benchmarks train are kept between runs, and what trains them."""

from __future__ import annotations

import os
from pathlib import Path

from trimtab.home import home


def weights_folder() -> Path:
    """In TRIMTAB_HOME, else in ~/.trimtab."""
    return home() / "benchmarks"


def resnet20_weights(epochs: int = 8, seed: int = 0) -> Path:
    """By default the float baseline's."""
    return weights_folder() / f"resnet20-{epochs}-epochs-seed-{seed}.pt"


def threads() -> int:
    """That torch trains with, as TRIMTAB_BENCH_THREADS says."""
    return int(os.environ.get("TRIMTAB_BENCH_THREADS", "2"))
