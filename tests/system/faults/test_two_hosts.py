"""Two hosts on the same three devices: both come to their end, in turns."""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from supervised_agents import SupervisedAgent, wait_until
from system.faults.kit import TwelveJobs

_JOBS = 4
_LEASE_S = 30.0
_NOTICED_S = 5.0  # who waits asks again each second, on a busy machine a little later
_CLOCKS_S = 0.1  # a lease is counted on the boot clock, the log's lines on the wall clock
_HELD = re.compile(
    r"^(?P<at>\S+ \S+),(?P<ms>\d{3}) INFO lease (?P<id>\w+) is held by (?P<holder>.+)$", re.M
)

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
    killed, expire = kill_while_it_holds_all(first)
    theirs = [leases_of(agent)[-1] for agent in first.agents]
    assert all(killed < moment <= killed + _LEASE_S for moment in expire)

    second.begin()
    # It has to wait: that the first one's connection is gone frees nothing.
    wait_until(lambda: all(agent.status().waiting_holders for agent in second.agents), _LEASE_S)
    wait_until(
        lambda: all(
            leases_of(agent)[-1].lease_id != lease.lease_id
            for agent, lease in zip(second.agents, theirs, strict=True)
        ),
        _LEASE_S + _NOTICED_S,
    )
    for agent, lease, moment in zip(second.agents, theirs, expire, strict=True):
        before, after = next(
            pair for pair in itertools.pairwise(leases_of(agent)) if pair[0].since == lease.since
        )
        assert not before.released, "it is to expire, not to be given back"
        assert after.holder != before.holder
        assert moment - _CLOCKS_S <= after.since <= moment + _NOTICED_S

    assert len(second.end()) == 12
    first.begin("--resume")
    assert len(first.end()) == 12


def kill_while_it_holds_all(run: TwelveJobs) -> tuple[float, list[float]]:
    """When that was, and when each of its leases expires, or a moment before.

    It is frozen first: what it holds then it cannot give back before it is killed.
    """
    assert run.host is not None
    while True:
        wait_until(lambda: run.is_over or all(held_for_s(each) for each in run.agents))
        assert not run.is_over, run.said()
        run.host.send_signal(signal.SIGSTOP)
        expire = [time.time() + held_for_s(agent) for agent in run.agents]
        if all(held_for_s(agent) for agent in run.agents):
            run.kill_host()
            return time.time(), expire
        run.host.send_signal(signal.SIGCONT)


def held_for_s(agent: SupervisedAgent) -> float:
    """For how long it is held unless that is renewed; 0 where nobody holds it."""
    status = agent.status()
    remaining = status.lease.remaining
    return remaining.seconds + remaining.nanos / 1e9 if status.HasField("lease") else 0.0


@dataclass(frozen=True)
class Lease:
    """``since``: seconds of the wall clock."""

    lease_id: str
    holder: str
    since: float
    released: bool


def leases_of(agent: SupervisedAgent) -> list[Lease]:
    """As the agent's log has them, the first given first."""
    log = agent.log.read_text()
    return [
        Lease(
            lease_id=found["id"],
            holder=found["holder"],
            since=time.mktime(time.strptime(found["at"], "%Y-%m-%d %H:%M:%S"))
            + int(found["ms"]) / 1e3,
            released=f"lease {found['id']} is released" in log,
        )
        for found in _HELD.finditer(log)
    ]


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
