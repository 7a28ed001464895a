"""What a latency is one of, where it is not one inference back to back."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.measure.wording import show
from trimtab.records import Result
from trimtab.report.sustained_view import sustained_notes


def scenario_notes(results: Sequence[Result]) -> list[str]:
    """Batches with their throughput, rates, sustained loads; nothing for one after the other."""
    measured = [result for result in results if result.error is None]
    sizes = dict.fromkeys(each.settings.batch_size for each in measured if each.settings.batch_size)
    rates = dict.fromkeys(each.settings.rate_hz for each in measured if each.settings.rate_hz)
    notes = [f"latencies are those of a batch of {size}, not of one sample" for size in sizes]
    notes.extend(
        f"throughput of {result.label}, {result.settings.threads} "
        f"thread{'s' if result.settings.threads > 1 else ''}: "
        f"{show(result.metrics['throughput_per_s'])} (samples)"
        for result in measured
        if result.settings.batch_size is not None
    )
    notes.extend(f"latencies at {rate:g} inferences a second, not back to back" for rate in rates)
    notes.extend(sustained_notes(measured))
    return notes
