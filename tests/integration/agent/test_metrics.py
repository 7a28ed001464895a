"""What Prometheus would scrape from a real agent."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

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
    assert after["trimtab_results_waiting", ""] >= 1
    assert after["trimtab_agent_memory_bytes", ""] > 1e6
    assert ("trimtab_connections_refused_total", "") not in after, "in the clear it refuses nobody"


def test_a_port_that_is_taken_stops_the_start(start_agent: Callable[..., Any]) -> None:
    agent = start_agent("--metrics-port", "0")
    found = _PLACE.search(agent.log.read_text())
    assert found
    port = found[1].rpartition(":")[2].partition("/")[0]

    with pytest.raises(AssertionError, match="choose another --metrics-port"):
        start_agent("--metrics-port", port)
