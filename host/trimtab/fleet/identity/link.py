"""A connection with TLS: what it needs of this host's identity, and the look before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import grpc

from trimtab.fleet.address import NetworkPlace
from trimtab.fleet.errors import IdentityProblem
from trimtab.fleet.identity.bundle import Bundle
from trimtab.fleet.identity.folder import NO_IDENTITY
from trimtab.fleet.identity.own import present_own
from trimtab.fleet.identity.probe import Seen, probe


@dataclass(frozen=True)
class TlsLink:
    """``device`` is the name that its certificate must have, whatever its address."""

    device: str
    place: NetworkPlace
    bundle: Bundle

    def credentials(self) -> grpc.ChannelCredentials:
        """The same for every connection with this identity."""
        return _credentials(self.bundle)

    async def look(self) -> Seen:
        """Raises IdentityProblem or DeviceUnreachable, with the reason and what to do."""
        return await probe(self.place.host, self.place.port, self.device, self.bundle)


def tls_link(device: str, place: NetworkPlace) -> TlsLink:
    """Raises IdentityProblem where this host has no identity, UserError for a broken one."""
    own = present_own()
    if own is None:
        raise IdentityProblem(
            f"{device} ({place}) is reached with TLS, and this host has no identity", NO_IDENTITY
        )
    return TlsLink(device, place, own.bundle)


@lru_cache(maxsize=2)
def _credentials(bundle: Bundle) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=bundle.authority,
        private_key=bundle.key,
        certificate_chain=bundle.certificate,
    )
