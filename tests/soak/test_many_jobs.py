"""2,000 jobs through one host process and two agents: nothing is held on to."""

import pytest
from benchkit.fleet.agents import running_fleet
from benchkit.fleet.soak import growth, soaking

JOBS = 2000
AGENTS = 2  # each keeps 100 jobs: after the first 200 it drops one for each that comes
FIRST = 200
BATCH = 100
MOST = 0.05


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_2000_jobs_leave_memory_and_open_files_where_the_first_200_left_them() -> None:
    with running_fleet() as fleet, soaking(fleet.grow(AGENTS), BATCH) as soak:
        first = soak.jobs(FIRST // AGENTS)
        told = [first]
        for _ in range((JOBS - FIRST) // (AGENTS * BATCH)):
            told.append(soak.jobs(BATCH))
            print(len(told), growth(first, told[-1]), told[-1], flush=True)  # noqa: T201

    grown = growth(first, told[-1])
    assert all(memory <= MOST for memory, _ in grown.values()), grown
    assert all(files <= MOST for _, files in grown.values()), grown
