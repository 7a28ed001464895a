"""Two hosts on the same three devices: both come to their end, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from supervised_agents import SupervisedAgent, wait_until
from system.faults.kit import TwelveJobs

_JOBS = 4
_LEASE_S = 30.0
_BETWEEN_S = 10.0  # a job that was running ends, a host asks again

MakeRun = Callable[..., TwelveJobs]


def test_both_runs_complete_and_their_jobs_alternate(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second")
    for run in (first, second):
        run.begin()
    ends = [run.end() for run in (first, second)]

    assert [len(results) for results in ends] == [12, 12]
    assert all(each["error"] is None for results in ends for each in results)
    for agent in first.agents:
        holders = holders_of(agent)
        assert sorted(map(holders.count, set(holders))) == [_JOBS, _JOBS]
        shared = between_first_and_last(holders)
        assert longest_row(shared) <= 2, shared


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_host_that_is_killed_frees_its_devices_within_its_leases_time(
    make_run: MakeRun,
) -> None:
    first, second = make_run("first"), make_run("second")
    first.begin()
    wait_until(lambda: all(agent.jobs() for agent in first.agents))
    first.kill_host()
    killed = time.monotonic()
    second.begin()
    wait_until(lambda: all(len(set(holders_of(agent))) > 1 for agent in second.agents))
    assert time.monotonic() - killed < _LEASE_S + _BETWEEN_S
    results = second.end()
    assert len(results) == 12
    first.begin("--resume")
    assert len(first.end()) == 12


def holders_of(agent: SupervisedAgent) -> list[str]:
    """Whose each job was, in the order of their submission."""
    return [job.holder for job in agent.jobs()]


def between_first_and_last(holders: list[str]) -> list[str]:
    """Where both were there: from the later one's first job to the earlier one's last."""
    begin = max(holders.index(each) for each in set(holders))
    end = min(len(holders) - holders[::-1].index(each) for each in set(holders))
    return holders[begin:end]


def longest_row(holders: list[str]) -> int:
    longest = row = 0
    before = ""
    for holder in holders:
        row = row + 1 if holder == before else 1
        longest, before = max(longest, row), holder
    return longest
