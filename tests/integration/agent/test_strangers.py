"""Who is not let in learns why and nothing else, and the agent's log says who it was not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from trimtab.fleet.address import NetworkPlace
from trimtab.fleet.channel import open_channel
from trimtab.fleet.client import AgentClient
from trimtab.fleet.errors import DeviceUnreachable, IdentityProblem
from trimtab.fleet.identity import certificates
from trimtab.fleet.identity.authority import Authority, open_authority
from trimtab.fleet.identity.bundle import Bundle, read_bundle, write_private
from trimtab.fleet.identity.folder import FleetFolder
from trimtab.fleet.identity.link import TlsLink
from trimtab.fleet.identity.probe import client_context
from trimtab.fleet.identity.refusals import of_alert
from trimtab.fleet.identity.remote import IdentityClient
from trimtab_protos.errors import IdentityInvalid, RoleInsufficient, TrimtabError
from trimtab_protos.v1 import artifact_pb2, benchmark_pb2, device_pb2, identity_pb2

_LOG_S = 20.0
_TIMEOUT_S = 60.0


@dataclass
class Served:
    """An agent called ``pi5`` that serves with TLS on a loopback port."""

    authority: Authority
    folder: FleetFolder
    agent: Any
    bundle: Path

    @property
    def place(self) -> NetworkPlace:
        host, _, port = self.agent.address.rpartition(":")
        return NetworkPlace(host, int(port))

    def host(self) -> Bundle:
        bundle = self.folder.host_bundle()
        assert bundle is not None
        return bundle

    def look(self, bundle: Bundle, name: str = "pi5") -> str:
        """Why there is no connection, as the host tells it; empty where there is one."""
        try:
            asyncio.run(TlsLink(name, self.place, bundle).look())
        except (IdentityProblem, DeviceUnreachable) as error:
            return str(error)
        return ""

    def problem(self) -> IdentityProblem:
        """What this host is told who cannot connect."""
        with pytest.raises(IdentityProblem) as caught:
            asyncio.run(TlsLink("pi5", self.place, self.host()).look())
        return caught.value

    def channel(self, bundle: Bundle) -> grpc.Channel:
        link = TlsLink("pi5", self.place, bundle)
        options = [("grpc.ssl_target_name_override", "pi5")]
        return grpc.secure_channel(str(self.place), link.credentials(), options=options)

    def logged(self, text: str) -> bool:
        """Waits for it."""
        deadline = time.monotonic() + _LOG_S
        while time.monotonic() < deadline:
            if text in self.agent.log.read_text():
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_agent: Any) -> Served:
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path / "home"))
    folder = FleetFolder(tmp_path / "home" / "fleet")
    authority = open_authority(folder)
    # Some are revoked before the device gets its list with its identity.
    revoked = authority.issue("operator", "eve")
    (tmp_path / "eve.identity").write_bytes(revoked.pem())
    authority.revoke("eve")
    bundle = tmp_path / "pi5.identity"
    write_private(bundle, authority.issue("device", "pi5").pem())
    agent = start_agent("--identity", str(bundle), listen="127.0.0.1:0")
    return Served(authority, folder, agent, bundle)


def _issued_in_future(
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    role: certificates.Role = "operator",
    name: str = "tomorrow",
) -> Bundle:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_now", lambda: later)
        return authority.issue(role, name)


def _raw(served: Served, context: ssl.SSLContext) -> str:
    """How a stranger that does not use our client fares."""
    plain = socket.create_connection((served.place.host, served.place.port), _TIMEOUT_S)
    try:
        with context.wrap_socket(plain, server_hostname="pi5") as tls:
            tls.recv(1)
    except ssl.SSLError as error:
        return str(of_alert("pi5", error, served.host()))
    raise AssertionError("let in")


def _without_certificate(served: Served) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=served.host().authority.decode())
    return context


def test_each_stranger_is_refused_with_its_own_reason_on_both_sides(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = open_authority(FleetFolder(tmp_path / "others"))
    other = others.issue("operator", "mallory")
    # It trusts this fleet's device, or its own refusal of it would come first.
    own = served.host()
    foreign = replace(other, authority=own.authority, revocations=own.revocations)
    strangers = {
        "another fleet": (foreign, "belongs to another fleet", "is of another fleet"),
        "revoked": (read_bundle(tmp_path / "eve.identity"), "is revoked", "is revoked"),
        "expired": (
            served.authority.issue("operator", "old", days=-1),
            "refuses this host: its identity has expired",
            "has expired",
        ),
        "not yet valid": (
            _issued_in_future(served.authority, monkeypatch),
            "not valid yet: its clock is behind",
            "is not valid yet: is this device's clock behind?",
        ),
        "a device's": (
            served.authority.issue("device", "pi4"),
            "its identity is a device's",
            "is for another purpose: a device's may not act as a caller",
        ),
    }
    for stranger, (bundle, told, logged) in strangers.items():
        assert told in served.look(bundle), stranger
        assert served.logged(f"refused 127.0.0.1: its certificate {logged}"), stranger

    assert served.look(served.host()) == ""


def test_without_a_certificate_or_with_old_tls_nobody_is_let_in(served: Served) -> None:
    told = _raw(served, _without_certificate(served))
    assert "it showed no certificate" in told
    assert served.logged("refused 127.0.0.1: it shows no certificate")

    old = client_context(served.host())
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    told = _raw(served, old)
    assert "has no TLS 1.3" in told
    assert served.logged("refused 127.0.0.1: it speaks TLS below 1.3")


@pytest.mark.parametrize(
    "first", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 99]
)
def test_plain_text_gets_nothing_that_tells_of_the_device(served: Served, first: bytes) -> None:
    with socket.create_connection((served.place.host, served.place.port), _TIMEOUT_S) as plain:
        plain.sendall(first)
        plain.settimeout(_TIMEOUT_S)
        got = b""
        while piece := plain.recv(4096):
            got += piece
    assert len(got) <= 7  # one alert
    assert served.logged("refused 127.0.0.1: it does not speak TLS")


def test_grpc_in_the_clear_gets_no_call_through(served: Served) -> None:
    with grpc.insecure_channel(str(served.place)) as channel:
        call: Any = channel.unary_unary("/trimtab.v1.DeviceService/GetDeviceInfo")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=20)
    error: Any = refused.value
    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "pi5" not in error.details()
    assert served.logged("it does not speak TLS")


def test_a_viewer_looks_and_submits_nothing(
    served: Served, error_of: Callable[[Callable[[], object]], TrimtabError]
) -> None:
    bundle = served.authority.issue("viewer", "ann")
    with served.channel(bundle) as channel:
        ask: Any = channel.unary_unary(
            "/trimtab.v1.DeviceService/GetDeviceInfo",
            response_deserializer=device_pb2.GetDeviceInfoResponse.FromString,
        )
        assert ask(b"", timeout=_TIMEOUT_S).device_info.device_id
        for method, request in (
            ("BenchmarkService/SubmitJob", benchmark_pb2.SubmitJobRequest()),
            ("DeviceService/AcquireLease", device_pb2.AcquireLeaseRequest()),
            ("ArtifactService/FindMissingArtifacts", artifact_pb2.FindMissingArtifactsRequest()),
            ("IdentityService/InstallIdentity", identity_pb2.InstallIdentityRequest()),
        ):
            call: Any = channel.unary_unary(f"/trimtab.v1.{method}")
            data = request.SerializeToString()
            error = error_of(lambda call=call, data=data: call(data, timeout=_TIMEOUT_S))  # type: ignore[misc]
            assert isinstance(error, RoleInsufficient)
            assert "ann is a viewer" in error.message
    assert served.logged("refused SubmitJob to ann: a viewer may only look")


def test_the_host_tells_what_is_wrong_at_the_other_end(
    served: Served, tmp_path: Path, start_agent: Any
) -> None:
    assert "calls itself pi5" in served.look(served.host(), name="pi4")
    others = open_authority(FleetFolder(tmp_path / "others"))
    assert "another fleet" in served.look(others.issue("operator", "mallory"))
    newer = served.authority
    newer.revoke("pi5")
    assert "the device's identity is revoked" in served.look(served.host())
    in_the_clear = start_agent(listen="127.0.0.1:0")
    served.agent.stop()
    assert "the connection is refused" in served.look(served.host())
    served.agent = in_the_clear
    assert "speaks in the clear" in served.look(served.host())


def test_a_device_whose_certificate_has_expired_is_told_apart(served: Served) -> None:
    short = served.authority.issue("device", "pi5", days=2 / 86_400)

    async def install() -> None:
        link = TlsLink("pi5", served.place, served.host())
        async with open_channel("", link) as channel:
            await IdentityClient("pi5", channel).install(short.pem())

    asyncio.run(install())
    over = certificates.whose(short.certificate).not_after
    time.sleep(max(0.0, (over - datetime.now(UTC)).total_seconds()) + 1.1)
    problem = served.problem()
    assert str(problem) == f"pi5 ({served.place}): the device's identity has expired"
    assert problem.help == (
        "make it a new one: trimtab fleet identity NAME, on the host that has the fleet's "
        "authority; check this clock, too"
    )


def test_a_device_whose_certificate_is_not_valid_yet_is_told_apart(
    served: Served, monkeypatch: pytest.MonkeyPatch, start_agent: Any
) -> None:
    served.agent.stop()
    served.bundle.write_bytes(
        _issued_in_future(served.authority, monkeypatch, "device", "pi5").pem()
    )
    served.agent = start_agent("--identity", str(served.bundle), listen="127.0.0.1:0")
    problem = served.problem()
    text = "the device's identity is not valid yet by this machine's clock"
    assert str(problem) == f"pi5 ({served.place}): {text}"
    assert problem.help == "compare `date` on both sides, and set the clock that is off"


def test_a_revocation_holds_at_once_and_after_a_restart(served: Served, start_agent: Any) -> None:
    ann = served.authority.issue("operator", "ann")
    first_list = served.authority.revocations

    async def scenario() -> None:
        address = f"tls://{served.place}"
        async with AgentClient("pi5", address) as host:
            served.authority.revoke("ann")
            client = IdentityClient("pi5", host.channel)
            assert await client.update_revocations(served.authority.revocations) == 3
            assert (await client.identity()).revocation_number == 3
            with pytest.raises(IdentityInvalid, match="older than the present one"):
                await client.update_revocations(first_list)

    assert served.look(ann) == ""
    asyncio.run(scenario())
    assert "refuses this host: its identity is revoked" in served.look(ann)
    served.agent.stop()
    served.agent = start_agent("--identity", str(served.bundle), listen="127.0.0.1:0")
    assert "refuses this host: its identity is revoked" in served.look(ann)
    assert served.look(served.host()) == ""


def test_what_soon_expires_is_renewed_when_the_authority_connects(served: Served) -> None:
    short = served.authority.issue("device", "pi5", days=0.01)
    before = served.bundle.read_bytes()

    async def scenario() -> tuple[bytes, bytes]:
        address = f"tls://{served.place}"
        async with AgentClient("pi5", address) as host:
            client = IdentityClient("pi5", host.channel)
            await client.install(short.pem())
        async with AgentClient("pi5", address) as host:  # renewed on the way in
            pass
        async with AgentClient("pi5", address) as host:
            client = IdentityClient("pi5", host.channel)
            return short.certificate, (await client.identity()).certificate

    old, new = asyncio.run(scenario())
    assert new.split() != old.split()
    assert certificates.whose(new).not_after > datetime.now(UTC) + timedelta(days=300)
    assert served.bundle.read_bytes() != before
    assert read_bundle(served.bundle).certificate.split() == new.split()
