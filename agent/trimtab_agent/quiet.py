"""Whether a worker is being timed: the agent keeps the wire quiet meanwhile."""

from __future__ import annotations

from types import TracebackType

from trimtab_protos.errors import DeviceMeasuring


class Quiet:
    """A context around whatever must not be disturbed."""

    def __init__(self) -> None:
        self.measuring = False

    def check(self) -> None:
        """Raises DeviceMeasuring."""
        if self.measuring:
            raise DeviceMeasuring("the device is measuring and takes no uploads until it is done")

    def __enter__(self) -> Quiet:
        self.measuring = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.measuring = False
