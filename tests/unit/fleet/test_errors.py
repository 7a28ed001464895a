"""What a status of gRPC's means for a device, and so whether it is asked again."""

from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from trimtab.fleet.errors import DeviceUnreachable, translated
from trimtab_protos.errors import InternalError, NotServed


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("UNAVAILABLE", DeviceUnreachable),
        ("DEADLINE_EXCEEDED", DeviceUnreachable),
        ("CANCELLED", DeviceUnreachable),  # the agent's server ends, or is made anew
        ("UNIMPLEMENTED", NotServed),
        ("UNKNOWN", InternalError),
    ],
)
def test_a_status_without_details_is_told_with_the_devices_name(
    code: str, meaning: type[Exception]
) -> None:
    status = AioRpcError(grpc.StatusCode[code], Metadata(), Metadata(), details="so it\nwas")
    with pytest.raises(meaning, match=r"pi5.*: so it was"), translated("pi5"):
        raise status
