"""What a small mean drop hides, in the words of a decision."""

from __future__ import annotations

from trimtab.measure.robustness import collapse_text, collapsed_text
from trimtab.records import Result


def collapse_warning(result: Result) -> str:
    """``class 3 fell from 0.9500 to 0.4000 ...``; "" where no class collapsed."""
    found = result.robustness
    return collapsed_text(found) if found is not None and found.collapsed else ""


def worst_class(result: Result) -> str:
    """The class that ``worst_class_drop`` is of: ``class 3 fell from 0.9500 to 0.4000``; or ""."""
    worst = result.robustness.worst if result.robustness is not None else None
    return collapse_text(worst) if worst is not None else ""
