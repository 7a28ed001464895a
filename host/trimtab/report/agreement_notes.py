"""What was seen when outputs were compared with their reference, as notes below the results."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.measure import agreement
from trimtab.records import Result


def agreement_notes(results: Sequence[Result]) -> list[str]:
    """A line a result: of files all that were compared, of variants those that do not agree."""
    return [
        f"outputs of {result.label}{'' if check.outcome == 'passed' else ' disagree'}, {check.seen}"
        for result in results
        for check in result.checks
        if check.name == agreement.CHECK_NAME
        and (check.outcome == "failed" or (check.outcome == "passed" and result.variant is None))
    ]
