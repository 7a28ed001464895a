"""The device's identity: its file, what is in force of it, and how it changes while served."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

from trimtab_protos.errors import IdentityInvalid
from trimtab_protos.syncing import sync

from trimtab_agent.config import ConfigError
from trimtab_agent.security.bundle import (
    MAX_BUNDLE_BYTES,
    Bundle,
    BundleError,
    NotKept,
    parse_bundle,
    parse_revocations,
)
from trimtab_agent.security.contexts import Whose, server_context, tried_out
from trimtab_agent.security.crl import Revocations, read_revocations
from trimtab_agent.security.peer import DEVICE

_LOG = logging.getLogger(__name__)
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


class DeviceIdentity:
    """``on_revoked`` is told the serial numbers whenever a new list is in force."""

    def __init__(self, path: Path, bundle: Bundle) -> None:
        """Raises BundleError."""
        self._path = path
        self._is_kept = True  # on the disk, as it is in force
        self.on_revoked: Callable[[frozenset[int]], None] = lambda _: None
        self._take(bundle, _checked(bundle))

    @property
    def fleet_id(self) -> str:
        return self.own.fleet_id

    @property
    def certificate(self) -> bytes:
        """PEM, the device's own."""
        return self._bundle.certificate

    def clock_problem(self) -> str:
        """ "" where the clock lies within the certificate's time."""
        now = time.time()
        if now < self.own.not_before_s:
            return (
                f"this device's clock says {_day(now)}, before its identity was made "
                f"({_day(self.own.not_before_s)}): every caller is refused until it is set"
            )
        if now > self.own.not_after_s:
            return (
                f"this device's identity expired on {_day(self.own.not_after_s)}: nobody will "
                "trust it; make a new one with `trimtab fleet identity`"
            )
        return ""

    def install(self, data: bytes) -> None:
        """A new key and certificate, for connections from now on. Raises BundleError, and
        IdentityInvalid for one whose revocation list is not to be taken."""
        bundle = parse_bundle(data)
        own = _checked(bundle)
        if bundle.authority.split() != self._bundle.authority.split():
            raise BundleError("it is of another fleet's authority")
        if own.name != self.own.name:
            raise BundleError(f"it is for {own.name}, this device is {self.own.name}")
        if own.not_after_s < time.time():
            raise BundleError(f"it expired on {_day(own.not_after_s)}")
        self._check_newer(read_revocations(bundle.revocations))
        try:
            _write(self._path, bundle.pem())
        except OSError as error:  # what was told to be in force is so after a power cut
            with contextlib.suppress(BundleError, NotKept):  # who is revoked is so all the same
                self.revoke(bundle.revocations)
            raise BundleError(f"the device cannot write {self._path}: {error.strerror}") from error
        self._is_kept = True
        self._put_in_force(bundle, own)
        _LOG.info("a new identity is in force, until %s", _day(own.not_after_s))

    def revoke(self, data: bytes) -> int:
        """A newer list, for connections from now on; returns its number. Raises BundleError,
        IdentityInvalid for one that is older, or another of the same number, and NotKept."""
        pem = parse_revocations(data)
        bundle = self._bundle.with_revocations(pem)
        own = _checked(bundle)
        new = read_revocations(pem)
        self._check_newer(new)
        if new != self.revocations:
            self._put_in_force(bundle, own)
            self._is_kept = False
            _LOG.info("revocation list %d is in force", new.number)
        self._keep()
        return new.number

    def _check_newer(self, new: Revocations) -> None:
        """Raises IdentityInvalid with the present list's number, above which the authority's next
        one is taken. An authority that was restored from a backup gives numbers a second time."""
        present = self.revocations
        if new.number > present.number or new == present:
            return
        text = f"the revocation list is not taken: it has number {new.number}, "
        if new.number < present.number:
            text += f"older than the present one, number {present.number}"
        else:
            text += "as the present one has, which names others"
        raise IdentityInvalid(text, revocation_number=str(present.number))

    def _keep(self) -> None:
        """After it is in force: a disk that takes nothing must let nobody in who is revoked. Who
        sends the list again has it tried again. Raises NotKept."""
        if self._is_kept:
            return
        number = self.revocations.number
        try:
            _write(self._path, self._bundle.pem())
        except OSError as error:
            text = (
                f"revocation list {number} is in force, and not kept: the device cannot write "
                f"{self._path} ({error.strerror}), and after a restart goes by the list in it"
            )
            _LOG.error(text)
            raise NotKept(text) from error
        self._is_kept = True

    def _put_in_force(self, bundle: Bundle, own: Whose) -> None:
        self._take(bundle, own)
        self.on_revoked(self.revocations.serials)

    def _take(self, bundle: Bundle, own: Whose) -> None:
        self.context: ssl.SSLContext = server_context(bundle)
        self.revocations = read_revocations(bundle.revocations)
        self._bundle = bundle
        self.own = own


def load_identity(path: Path) -> DeviceIdentity:
    """Raises ConfigError with what to do."""
    again = "make one with `trimtab fleet identity NAME` on the host that has the fleet's authority"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--identity {path}: {error.strerror}; {again}") from error
    if mode & _OTHERS_MAY_READ:
        raise ConfigError(
            f"--identity {path}: others than its owner may read it; do: chmod 600 {path}"
        )
    try:
        identity = DeviceIdentity(path, parse_bundle(data))
    except BundleError as error:
        raise ConfigError(f"--identity {path}: {error}; {again}") from error
    if time.time() > identity.own.not_after_s:
        day = _day(identity.own.not_after_s)
        raise ConfigError(f"--identity {path}: it expired on {day}; {again}, and check the clock")
    return identity


def _checked(bundle: Bundle) -> Whose:
    """Raises BundleError for what is no device's, or does not fit together."""
    own = tried_out(bundle)
    if own.role != DEVICE:
        raise BundleError(f"it is {own.name}'s identity as {own.role}, not a device's")
    return own


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
