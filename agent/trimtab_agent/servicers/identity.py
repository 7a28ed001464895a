"""IdentityService: who the device is in its fleet; where it has an identity, for operators."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from trimtab_protos.errors import IdentityInvalid, NotServed, StoreFull
from trimtab_protos.v1 import identity_pb2, identity_pb2_grpc

from trimtab_agent.security.bundle import BundleError, NotKept

if TYPE_CHECKING:
    from trimtab_agent.security.identity import DeviceIdentity


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    def __init__(self, identity: DeviceIdentity | None) -> None:
        self._identity = identity

    async def GetIdentity(  # noqa: N802
        self, request: identity_pb2.GetIdentityRequest, context: Any
    ) -> identity_pb2.GetIdentityResponse:
        identity = self._served()
        return identity_pb2.GetIdentityResponse(
            name=identity.own.name,
            certificate_chain=identity.certificate,
            revocation_number=identity.revocations.number,
            device_time_unix_s=int(time.time()),
        )

    async def InstallIdentity(  # noqa: N802
        self, request: identity_pb2.InstallIdentityRequest, context: Any
    ) -> identity_pb2.InstallIdentityResponse:
        identity = self._served()
        try:
            identity.install(request.bundle)
        except BundleError as error:
            raise IdentityInvalid(f"the bundle is not installed: {error}") from error
        return identity_pb2.InstallIdentityResponse()

    async def UpdateRevocations(  # noqa: N802
        self, request: identity_pb2.UpdateRevocationsRequest, context: Any
    ) -> identity_pb2.UpdateRevocationsResponse:
        identity = self._served()
        try:
            number = identity.revoke(request.revocation_list)
        except BundleError as error:
            raise IdentityInvalid(f"the revocation list is not taken: {error}") from error
        except NotKept as error:  # the host does not count it as brought, and brings it again
            raise StoreFull(str(error)) from error
        return identity_pb2.UpdateRevocationsResponse(revocation_number=number)

    def _served(self) -> DeviceIdentity:
        """Raises NotServed."""
        if self._identity is None:
            raise NotServed("this agent has no identity: it serves in the clear")
        return self._identity
