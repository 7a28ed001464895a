"""IdentityService of one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import grpc.aio
from trimtab_protos.v1 import identity_pb2, identity_pb2_grpc

from trimtab.fleet.errors import translated

if TYPE_CHECKING:
    _Identities = identity_pb2_grpc.IdentityServiceAsyncStub

_DEADLINE_S = 10.0


@dataclass(frozen=True)
class RemoteIdentity:
    """``device_time_unix_s``: by the device's wall clock."""

    name: str
    certificate: bytes
    revocation_number: int
    device_time_unix_s: int


class IdentityClient:
    """Every method raises TrimtabError (the agent refused) or DeviceUnreachable."""

    def __init__(self, device: str, channel: grpc.aio.Channel) -> None:
        self.device = device
        self._stub = cast("_Identities", identity_pb2_grpc.IdentityServiceStub(channel))

    async def identity(self) -> RemoteIdentity:
        with translated(self.device):
            answer = await self._stub.GetIdentity(
                identity_pb2.GetIdentityRequest(), timeout=_DEADLINE_S
            )
        return RemoteIdentity(
            answer.name,
            answer.certificate_chain,
            answer.revocation_number,
            answer.device_time_unix_s,
        )

    async def install(self, bundle: bytes) -> None:
        request = identity_pb2.InstallIdentityRequest(bundle=bundle)
        with translated(self.device):
            await self._stub.InstallIdentity(request, timeout=_DEADLINE_S)

    async def update_revocations(self, revocations: bytes) -> int:
        """The number that is then in force."""
        request = identity_pb2.UpdateRevocationsRequest(revocation_list=revocations)
        with translated(self.device):
            answer = await self._stub.UpdateRevocations(request, timeout=_DEADLINE_S)
        return answer.revocation_number
