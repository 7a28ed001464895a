"""The agent's settings, and the lock that keeps a second agent off the same state folder."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

MEGABYTE = 1_000_000
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
DEFAULT_MAX_JOB_NS = 7 * 24 * HOUR_NS
DEFAULT_CALLS_PER_S = 500
DEFAULT_KEEP_UNCOLLECTED_NS = 7 * DAY_NS
MAX_KEPT_BYTES = 1000 * MEGABYTE
MAX_CHUNK_BYTES = 1 << 20
_MAX_SOCKET_PATH_BYTES = 100
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:]+):(?P<port>[0-9]{1,5})")


class ConfigError(Exception):
    """A setting that cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True)
class UnixAddress:
    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True)
class LoopbackAddress:
    """``port`` 0: the system chooses one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class NetworkAddress:
    """Served with TLS; any of the machine's addresses. ``port`` 0: the system chooses one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


ClearAddress = UnixAddress | LoopbackAddress
ListenAddress = ClearAddress | NetworkAddress


@dataclass(frozen=True)
class Settings:
    listen: ListenAddress
    state_dir: Path
    display_name: str = ""
    max_artifact_bytes: int = 2000 * MEGABYTE
    disk_reserve_bytes: int = 100 * MEGABYTE
    quota_bytes: int = 0
    max_worker_bytes: int | None = None
    max_queued_jobs: int = 16
    max_kept_jobs: int = 100
    max_kept_bytes: int = MAX_KEPT_BYTES
    keep_uncollected_ns: int = DEFAULT_KEEP_UNCOLLECTED_NS
    stop_with_stdin: bool = False
    root: Path = Path("/")
    allow_code_in_models: bool = False
    max_job_ns: int = DEFAULT_MAX_JOB_NS
    calls_per_s: float = DEFAULT_CALLS_PER_S
    identity: Path | None = None
    announce: bool = False
    metrics: LoopbackAddress | None = None


def parse_listen(text: str, has_identity: bool = False) -> ListenAddress:
    """Raises ConfigError for an address beyond this machine where there is no identity, and for an
    identity that would not be used."""
    if text.startswith("unix:"):
        if has_identity:
            raise ConfigError(
                f"--listen {text}: a Unix socket is served in the clear and needs no --identity; "
                "leave it out, or listen on HOST:PORT"
            )
        return _parse_unix(text.removeprefix("unix:"))
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ConfigError(f"--listen {text}: give unix:PATH, or HOST:PORT as in 127.0.0.1:7433")
    port = int(match["port"])
    if port > 65535:
        raise ConfigError(f"--listen {text}: a port is at most 65535")
    if has_identity:
        return NetworkAddress(match["host"], port)
    if not _is_loopback(match["host"]):
        raise ConfigError(
            f"--listen {text}: beyond a Unix socket and loopback addresses nothing is served in "
            "the clear; give --identity BUNDLE (made by `trimtab fleet identity NAME` on the host)"
        )
    return LoopbackAddress(match["host"], port)


def metrics_address(host: str, port: int | None) -> LoopbackAddress | None:
    """Raises ConfigError beyond loopback: the figures go out in the clear, to whoever asks."""
    if port is None:
        return None
    if not _is_loopback(host):
        raise ConfigError(
            f"--metrics-listen {host}: figures are served in the clear, so on a loopback address "
            "alone; let a scraper on the device fetch them, or reach them through ssh -L"
        )
    return LoopbackAddress(host, port)


def default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base else Path.home() / ".local" / "state"
    return root / "trimtab-agent"


def _parse_unix(text: str) -> UnixAddress:
    if not text:
        raise ConfigError("--listen unix: needs a path, for example unix:/run/trimtab/agent.sock")
    path = Path(text).absolute()
    size = len(os.fsencode(path))
    if size > _MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"--listen unix:{path}: a socket's path is at most {_MAX_SOCKET_PATH_BYTES} bytes, "
            f"this one has {size}; use a shorter one, for example under {tempfile.gettempdir()}"
        )
    return UnixAddress(path)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class StateLock:
    """Held for the agent's life; the kernel lets it go however the agent ends."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._descriptor: int | None = None

    def __enter__(self) -> StateLock:
        """Raises ConfigError where the folder cannot be made or another agent holds it."""
        path = self._state_dir / "lock"
        try:
            self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(
                f"cannot use the state folder {self._state_dir}: {error.strerror}; "
                "give another one with --state"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise ConfigError(
                f"another trimtab-agent (process {holder or 'unknown'}) uses the state folder "
                f"{self._state_dir}; stop it, or give this one another --state"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
