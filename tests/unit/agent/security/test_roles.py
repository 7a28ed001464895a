"""Every method has a role, and who has no role may do nothing."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from types import SimpleNamespace

import pytest
import trimtab_protos.v1 as contract
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from trimtab_agent.security.interceptor import check_role
from trimtab_agent.security.peer import NOBODY, OWNER, Peer, forget, peer_of, remember
from trimtab_agent.security.refusal_log import RefusalLog
from trimtab_agent.security.roles import ROLE_OF_METHOD, may, role_needed
from trimtab_protos.errors import IdentityRefused, RoleInsufficient

_SUBMIT = "/trimtab.v1.BenchmarkService/SubmitJob"
_INFO = "/trimtab.v1.DeviceService/GetDeviceInfo"
_LOG = RefusalLog(logging.getLogger(__name__))


def _methods() -> set[str]:
    files: list[FileDescriptor] = [health_pb2.DESCRIPTOR]
    for module in pkgutil.iter_modules(contract.__path__):
        if module.name.endswith("_pb2"):
            files.append(importlib.import_module(f"{contract.__name__}.{module.name}").DESCRIPTOR)
    return {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }


def test_every_method_of_the_contract_has_its_role_and_no_other_is_listed() -> None:
    assert set(ROLE_OF_METHOD) == _methods()


def test_a_method_that_is_not_listed_is_an_operators() -> None:
    assert role_needed("/trimtab.v1.NewService/Do") == "operator"


@pytest.mark.parametrize(
    ("role", "needed", "allowed"),
    [
        ("operator", "operator", True),
        ("operator", "viewer", True),
        ("viewer", "viewer", True),
        ("viewer", "operator", False),
        ("device", "viewer", False),
        ("", "viewer", False),
    ],
)
def test_who_may_do_what(role: str, needed: str, allowed: bool) -> None:
    assert may(role, needed) is allowed


def _context(peer: str) -> SimpleNamespace:
    return SimpleNamespace(peer=lambda: peer)


def test_the_peer_is_found_by_the_path_that_its_connection_is_bound_to() -> None:
    ann = Peer("ann", "viewer", authenticated=True)
    remember("/run/x/p1", ann)
    assert peer_of(_context("unix:/run/x/p1")) == ann
    with pytest.raises(RoleInsufficient, match="ann is a viewer") as refused:
        check_role(_context("unix:/run/x/p1"), _SUBMIT, _LOG)
    assert refused.value.metadata == {"role": "viewer", "needed": "operator"}
    check_role(_context("unix:/run/x/p1"), _INFO, _LOG)
    forget("/run/x/p1")


def test_a_connection_that_ended_is_not_taken_for_the_owners() -> None:
    assert peer_of(_context("unix:/run/x/p2")) == NOBODY
    with pytest.raises(IdentityRefused):
        check_role(_context("unix:/run/x/p2"), _INFO, _LOG)


@pytest.mark.parametrize("peer", ["unix:", "ipv4:127.0.0.1:5000", "ipv6:[::1]:5000"])
def test_a_unix_socket_and_loopback_are_the_owners(peer: str) -> None:
    assert peer_of(_context(peer)) == OWNER
    check_role(_context(peer), _SUBMIT, _LOG)
