"""What `make bench-fleet` and `make soak` do with many agents and jobs, with few of both."""

from __future__ import annotations

from benchkit.fleet.agents import running_fleet
from benchkit.fleet.soak import soaking
from benchkit.fleet.trial import run_trial

MEGABYTE = 1_000_000


def test_every_job_of_a_fleet_is_there_once_and_was_acknowledged() -> None:
    with running_fleet() as fleet:
        agents = fleet.grow(3)
        trial = run_trial(agents, 2)
        kept = [job for agent in agents for job in agent.jobs()]

    assert trial.audit.jobs == 6
    assert trial.audit.lost == ()
    assert trial.audit.doubled == ()
    assert len(kept) == 6
    assert all(job.acknowledged for job in kept)
    assert trial.use.cpu_s > 0
    assert trial.serialising.jobs == 6
    assert trial.serialising.event_bytes > 6 * 1000


def test_job_after_job_leaves_neither_memory_nor_files_behind() -> None:
    with running_fleet() as fleet, soaking(fleet.grow(1), 8) as soak:
        first = soak.jobs(6)
        last = soak.jobs(8)

    assert last.open_files == first.open_files
    for name, held in last.memory_bytes.items():
        # Eight jobs more are remembered; a worker, a channel or a model each would be tens of MB.
        assert held - first.memory_bytes[name] < 3 * MEGABYTE, (first, last)
