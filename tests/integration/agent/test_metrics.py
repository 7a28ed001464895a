"""What Prometheus would scrape from a real agent."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from trimtab.fleet.client import AgentClient
from trimtab.fleet.identity.authority import Authority
from trimtab.fleet.identity.probe import client_context

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus_client is missing")
_PLACE = re.compile(r"metrics at (http://127\.0\.0\.1:\d+/metrics)")


def scrape(agent: Any) -> dict[tuple[str, str], float]:
    found = _PLACE.search(agent.log.read_text())
    assert found, agent.log.read_text()
    with urllib.request.urlopen(found[1], timeout=20) as answer:  # noqa: S310 - our own
        families = parser.text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, sample.labels.get("end", "")): sample.value
            for family in families
            for sample in family.samples
        }


def test_the_figures_follow_what_happens(
    start_agent: Callable[..., Any], connect: Callable[[str], Any], make_spec: Callable[..., Any]
) -> None:
    agent = start_agent("--metrics-port", "0")
    client = connect(agent.address)
    before = scrape(agent)
    content = b"x" * 5000

    model = (client.upload(content), "a.null")
    client.finished(client.submit(make_spec({"a": model}, "null", "null", repeats=1)))
    waiting = client.submit(make_spec({"a": model}, "null", "null", repeats=50, min_duration_s=1))
    during = scrape(agent)
    client.cancel(waiting)
    client.finished(waiting)
    after = scrape(agent)

    assert before["trimtab_jobs_ended_total", "succeeded"] == 0
    assert before["trimtab_upload_bytes_total", ""] == 0
    assert during["trimtab_upload_bytes_total", ""] == len(content)
    assert during["trimtab_jobs_ended_total", "succeeded"] == 1
    assert during["trimtab_job_running", ""] + during["trimtab_jobs_queued", ""] == 1
    assert after["trimtab_results_waiting", ""] == 1, "of the cancelled one nothing waits"
    assert after["trimtab_agent_memory_bytes", ""] > 1e6
    assert ("trimtab_connections_refused_total", "") not in after, "in the clear it refuses nobody"


async def test_strangers_that_are_refused_are_counted_and_callers_are_not(
    start_agent: Callable[..., Any], pi5_identity: str, authority: Authority
) -> None:
    agent = start_agent("--identity", pi5_identity, "--metrics-port", "0", listen="127.0.0.1:0")
    host, _, port = agent.address.rpartition(":")
    refused = ("trimtab_connections_refused_total", "")
    assert scrape(agent)[refused] == 0

    for _ in range(3):
        with socket.create_connection((host, int(port)), 60) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while plain.recv(1000):
                pass
    assert scrape(agent)[refused] == 3

    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    another_device = client_context(authority.issue("device", "pi4"))
    for context in (nobody, another_device):
        plain = socket.create_connection((host, int(port)), 60)
        with context.wrap_socket(plain, server_hostname="pi5") as tls, pytest.raises(ssl.SSLError):
            tls.recv(1)
    assert scrape(agent)[refused] == 5

    async with AgentClient("pi5", f"tls://{agent.address}") as client:
        await client.device_info(60)
    assert scrape(agent)[refused] == 5
    told = [line for line in agent.log.read_text().splitlines() if " refused 127.0.0.1: " in line]
    assert len(told) == 3, "the log has each reason once a minute, and the figure each refusal"


def test_a_port_that_is_taken_stops_the_start(start_agent: Callable[..., Any]) -> None:
    agent = start_agent("--metrics-port", "0")
    found = _PLACE.search(agent.log.read_text())
    assert found
    port = found[1].rpartition(":")[2].partition("/")[0]

    with pytest.raises(AssertionError, match="choose another --metrics-port"):
        start_agent("--metrics-port", port)
