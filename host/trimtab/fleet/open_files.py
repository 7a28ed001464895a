"""How many files a run over many devices has open."""

from __future__ import annotations

import resource

from trimtab.records import UserError

_EACH = 3  # its connection, its job's events, a file that is sent or fetched
_BESIDE = 200  # the store, the ledger, gRPC's own


def allow_open_files(devices: int) -> None:
    """Raises this process's limit where so many devices need it: commonly it is 1024, and the hard
    one above it far higher. Raises UserError where even that is too low."""
    needed = _EACH * devices + _BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _suffices(soft, needed):
        return
    if not _suffices(hard, needed):
        raise UserError(
            f"{devices} devices at once need {needed} open files, this process may have {hard}",
            "raise the limit (ulimit -Hn, LimitNOFILE=), or measure the devices in parts",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _suffices(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
