"""Where the networks that benchmarks train are kept between runs."""

from __future__ import annotations

from pathlib import Path

from trimtab.home import home


def weights_folder() -> Path:
    """In TRIMTAB_HOME, else in ~/.trimtab."""
    return home() / "benchmarks"


def resnet20_weights(epochs: int = 8, seed: int = 0) -> Path:
    """By default the float baseline's."""
    return weights_folder() / f"resnet20-{epochs}-epochs-seed-{seed}.pt"
