"""The one place where gRPC's errors become ours.

::

    TrimtabError (trimtab_protos.errors)   the agent refused, with a reason of the catalogue
    DeviceUnreachable                      no agent answers there
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.rpc import status_pb2
from grpc.aio import AioRpcError
from trimtab_protos.errors import (
    DETAILS_KEY,
    Failure,
    InternalError,
    NotServed,
    TrimtabError,
    status_to_error,
)

_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class DeviceUnreachable(Exception):
    """No agent answers at the device's address (any more); ``str()`` is one line for the user."""


def device_failure(error: DeviceUnreachable | TrimtabError) -> Failure:
    """What is written down for a device on which nothing could be measured."""
    if isinstance(error, TrimtabError):
        return Failure("device", f"{error.message} ({error.help})")
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
            known = status_to_error(status_pb2.Status.FromString(value))
            if known is not None:
                return known
    text = " ".join((error.details() or "").split())[:300]
    if error.code() in _GONE:
        return DeviceUnreachable(f"no agent answers for device {device}: {text}")
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return NotServed(f"the agent on {device} is older than this host: {text}")
    return InternalError(f"the agent on {device} answered {error.code().name}: {text}")
