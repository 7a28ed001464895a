"""The one place where gRPC's errors become ours.

::

    TrimtabError (trimtab_protos.errors)   the agent refused, with a reason of the catalogue
    └── IdentityProblem                    one of the two does not trust the other, and why
    DeviceUnreachable                      no agent answers there
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc.aio import AioRpcError
from trimtab_protos.errors import (
    DETAILS_KEY,
    ArtifactTooLarge,
    Failure,
    FailureClass,
    IdentityRefused,
    InternalError,
    NotServed,
    StoreFull,
    TrimtabError,
    status_to_error,
)

from trimtab.plain_text import cleaned, printable

_SHOWN = 300
_READ = 3000  # a socket's path stands in it several times
NO_ROOM = (ArtifactTooLarge, StoreFull)
# CANCELLED: by the agent, whose server ends or is made anew.
_GONE = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
# What gRPC says where it has never had a connection in the clear.
_NOT_CONNECTED = re.compile(
    r"failed to connect to all addresses; last error: \w+: (unix|ipv4|ipv6):(.+?): (.+)"
)


class DeviceUnreachable(Exception):
    """No agent answers at the device's address (any more); ``str()`` is one line for the user."""

    def __init__(
        self, message: str, advice: str = "is the agent running there, and the tunnel up?"
    ) -> None:
        super().__init__(message)
        self.advice = advice


class IdentityProblem(IdentityRefused):
    """Found before anything was asked; ``help`` says what to do about this very reason."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        vars(self)["help"] = advice  # elsewhere it is the class's


@dataclass(frozen=True)
class NoAnswer:
    """Why a device does not tell what it is asked, and what to do about it."""

    reason: str
    advice: str


def no_answer(error: DeviceUnreachable | TrimtabError) -> NoAnswer:
    if isinstance(error, TrimtabError):
        return NoAnswer(error.message, error.help)
    return NoAnswer(str(error), error.advice)


def device_failure(error: DeviceUnreachable | TrimtabError) -> Failure:
    """What is written down for a device on which nothing could be measured."""
    if isinstance(error, TrimtabError):
        kind: FailureClass = "resources" if isinstance(error, NO_ROOM) else "device"
        return Failure(kind, f"{error.message} ({error.help})")
    return Failure("device", str(error))


@contextmanager
def translated(device: str) -> Iterator[None]:
    try:
        yield
    except AioRpcError as error:
        raise _translate(device, error) from error


def _translate(device: str, error: AioRpcError) -> Exception:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            known = _known(value)
            if known is not None:
                return known
    whole = printable(error.details() or "")
    text = whole[:_SHOWN]
    if error.code() in _GONE:
        why = _why_gone(whole[:_READ])[:_SHOWN]
        return DeviceUnreachable(f"no agent answers for device {device}: {why}")
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return NotServed(f"the agent on {device} is older than this host: {text}")
    return InternalError(f"the agent on {device} answered {error.code().name}: {text}")


def _why_gone(text: str) -> str:
    """gRPC's own words where nothing better is known."""
    if text == "Deadline Exceeded":
        return "nothing comes in time"
    found = _NOT_CONNECTED.fullmatch(text)
    if found is None:
        return text
    kind, place, reason = found.groups()
    where = place.replace("%5B", "[").replace("%5D", "]")
    if "Connection refused" in reason:
        return f"nothing listens at {where}: the connection is refused"
    if "No such file" in reason:
        return f"there is no socket {where}"
    if reason == "Socket closed":
        # So does an agent with an identity to whoever speaks in the clear.
        with_tls = f"; an agent with an identity is reached at tls://{where}"
        return f"what listens at {where} hangs up" + ("" if kind == "unix" else with_tls)
    return f"{where}: {reason}"


def _known(details: bytes) -> TrimtabError | None:
    """None where they are not ours, or damaged."""
    try:
        error = status_to_error(status_pb2.Status.FromString(details))
    except (DecodeError, TypeError):  # TypeError: a key of the metadata is no keyword of ours
        return None
    if error is not None:
        error.message, error.metadata = printable(error.message), cleaned(error.metadata)
        error.args = (error.message,)
    return error
