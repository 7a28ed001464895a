"""Where gRPC's server listens itself, and the front before it where the agent has an identity."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab_agent.config import ClearAddress, ListenAddress, NetworkAddress, Settings, UnixAddress

if TYPE_CHECKING:
    from trimtab_agent.security.front import Front
    from trimtab_agent.security.identity import DeviceIdentity


class Door:
    """``inner``: what gRPC's server binds."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError where the identity cannot be used."""
        self._front: Front | None = None
        self._folder: Path | None = None
        self.identity: DeviceIdentity | None = None
        self.inner: ClearAddress = _inner(settings.listen)
        if isinstance(settings.listen, NetworkAddress):
            self._stand_before(settings.listen, settings.identity or Path())

    def bind(self, inner: str) -> str:
        """Returns the address that hosts use. Raises ConfigError where it cannot be bound."""
        return inner if self._front is None else self._front.bind()

    @property
    def refused(self) -> int | None:
        """Connections, since the agent started; None: it serves in the clear."""
        return None if self._front is None else self._front.refused

    def start(self) -> None:
        if self._front is not None:
            self._front.start()

    async def stop(self) -> None:
        if self._front is not None:
            await self._front.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _stand_before(self, listen: NetworkAddress, bundle: Path) -> None:
        # An agent that has no identity does not load this.
        from trimtab_agent.security.front import Front
        from trimtab_agent.security.identity import load_identity

        self.identity = load_identity(bundle)
        # Short (a socket's path has about 100 bytes), and its owner's alone.
        self._folder = Path(tempfile.mkdtemp(prefix="trimtab-", dir=_short_folder()))
        self.inner = UnixAddress(self._folder / "g")
        self._front = Front(self.identity, listen, self.inner.path)


def _inner(listen: ListenAddress) -> ClearAddress:
    return UnixAddress(Path()) if isinstance(listen, NetworkAddress) else listen


def _short_folder() -> str | None:
    """None: the system's own choice."""
    return None if len(tempfile.gettempdir()) <= 60 else "/tmp"  # noqa: S108
