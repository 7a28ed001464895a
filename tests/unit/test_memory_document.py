"""docs/memory.md defines every memory figure, and no other."""

import re
from pathlib import Path

from trimtab.metrics import METRICS

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "memory.md"


def test_every_memory_figure_is_defined_and_no_other() -> None:
    named = set(re.findall(r"\bmemory_\w+_mb\b", _DOCUMENT.read_text(encoding="utf-8")))
    assert named == {name for name in METRICS if name.startswith("memory_")}
