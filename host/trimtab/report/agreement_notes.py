"""What was seen when outputs were compared with their reference, as notes below the results."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.measure import agreement
from trimtab.records import Check, Result


def agreement_notes(results: Sequence[Result]) -> list[str]:
    """A line a result: of files whatever was found, of variants only that they do not agree."""
    return [
        f"outputs of {result.label}{' disagree' if check.outcome == 'failed' else ''}, {check.seen}"
        for result in results
        for check in result.checks
        if check.name == agreement.CHECK_NAME and _is_worth_a_line(check, result)
    ]


def _is_worth_a_line(check: Check, result: Result) -> bool:
    """Where no reference was given there is nothing to tell, unless the runtime is in doubt."""
    if result.variant is not None:
        return check.outcome == "failed"
    return check.outcome != "not_applicable"
