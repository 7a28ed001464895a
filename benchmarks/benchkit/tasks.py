"""Where the networks that benchmarks train are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def weights_folder() -> Path:
    """TRIMTAB_BENCH_WEIGHTS, else a folder in the user's cache."""
    given = os.environ.get("TRIMTAB_BENCH_WEIGHTS")
    return Path(given) if given else Path.home() / ".cache" / "trimtab-benchmarks"
