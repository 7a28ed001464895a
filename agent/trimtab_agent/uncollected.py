"""Results that wait for the host that asked for them: which those are, for how long, and whose."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from trimtab_protos.checked_lines import decode_record, encode_record

from trimtab_agent.job_record import JobView

_LOG = logging.getLogger(__name__)
_MOST_NAMED = 3


def must_be_collected(view: JobView) -> bool:
    """Whether its results are lost if it goes.

    Not so where nothing was measured: a check of support, a job that was cancelled or that the
    device's fault ended, before any arm had an outcome. Its host begins such a one anew in any
    case, and one that never comes back must not keep the device from others.
    """
    if not view.is_terminal or view.acknowledged or view.spec.support_only:
        return False
    if view.arms:
        return True
    failure = view.failure
    devices = failure is not None and (
        failure.failure_class == "device" or failure.for_want_of_disk
    )
    return view.state != "cancelled" and not devices


def whose(views: Iterable[JobView]) -> str:
    """``3 of ann@laptop, 1 of ben@desk``: those with the most first, few of them by name."""
    counts = Counter(view.holder or "nobody named" for view in views).most_common()
    parts = [f"{count} of {holder}" for holder, count in counts[:_MOST_NAMED]]
    others = sum(count for _, count in counts[_MOST_NAMED:])
    return ", ".join([*parts, f"{others} of others"] if others else parts)


class WaitingTimes:
    """How long results have waited while an agent ran, which their hosts could have asked.

    Not by the wall clock: a board without a battery begins in 1970, and its results would be half
    a century old once it hears what time it is.
    """

    def __init__(self, path: Path, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = path
        self._clock = clock
        self._waited_ns = _read(path)
        self._noted_ns = clock()

    def of_ns(self, job_id: str) -> int:
        return self._waited_ns.get(job_id, 0)

    def note(self, waiting: Collection[str]) -> None:
        """Those that wait now, by their ids. On the disk, where it takes it; not synced, as what is
        lost of it makes a result stay longer."""
        now = self._clock()
        passed, self._noted_ns = now - self._noted_ns, now
        before = self._waited_ns
        # Whose wait begins only now has not waited since the last look.
        self._waited_ns = {
            job_id: before[job_id] + passed if job_id in before else 0 for job_id in waiting
        }
        if before or self._waited_ns:
            self._write()

    def _write(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_bytes(encode_record(self._waited_ns))
            temporary.replace(self._path)
        except OSError as error:
            _LOG.warning("%s: not written anew: %s", self._path, error)
            temporary.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        plain = decode_record(path.read_bytes())
        return {str(job_id): int(waited) for job_id, waited in plain.items()}
    except (OSError, ValueError) as error:
        _LOG.warning("%s cannot be read, results wait anew: %s", path, error)
        return {}
