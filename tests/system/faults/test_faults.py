"""Whatever is killed, frozen, cut or full: the run ends with its twelve results, each made once.

The soak takes each kill at 20 random moments, in a run of its own; here stands one of each kind.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from fault_proxy import Direction, Faults
from fuzz.target import chosen_seed, tell
from supervised_agents import SupervisedAgent, wait_until
from system.faults.kit import TwelveJobs, filled, frozen, kill_worker

MOMENTS = 20
# Of the host towards a device that says nothing, and then the patience it has.
_SILENCE_S = 50.0
_RESTART_S = 0.3
_WAYS: tuple[Direction, ...] = ("up", "down")

Strike = Callable[[TwelveJobs, Random], None]


def kill_host(run: TwelveJobs, random: Random) -> None:
    run.kill_host()


def kill_agent(run: TwelveJobs, random: Random) -> None:
    agent = random.choice(run.agents)
    agent.kill()
    time.sleep(_RESTART_S)
    agent.start()


def kill_a_worker(run: TwelveJobs, random: Random) -> None:
    kill_worker(random.choice(run.agents), lambda: run.is_over)


def freeze_for_a_moment(run: TwelveJobs, random: Random) -> None:
    with frozen(random.choice(run.agents)):
        time.sleep(random.uniform(1, 4))


def cut(run: TwelveJobs, random: Random) -> None:
    random.choice(run.proxies).cut()


def refuse(run: TwelveJobs, random: Random) -> None:
    proxy = random.choice(run.proxies)
    proxy.refuse()
    time.sleep(random.uniform(0.5, 4))
    proxy.heal()


def cut_in_the_middle_of_bytes(run: TwelveJobs, random: Random) -> None:
    way: Direction = random.choice(_WAYS)
    for proxy in run.proxies:
        proxy.set(Faults(cut_after=random.randrange(20_000), direction=way))


def delay(run: TwelveJobs, random: Random) -> None:
    for proxy in run.proxies:
        proxy.set(Faults(delay_s=random.uniform(0.05, 0.5)))


def throttle(run: TwelveJobs, random: Random) -> None:
    for proxy in run.proxies:
        proxy.set(Faults(bytes_per_s=random.uniform(10_000, 50_000)))


def stall(run: TwelveJobs, random: Random) -> None:
    proxy = random.choice(run.proxies)
    proxy.set(Faults(stall_after=random.randrange(2000), direction=random.choice(_WAYS)))
    time.sleep(random.uniform(1, 5))
    random.choice((proxy.heal, proxy.cut))()
    proxy.heal()


NETWORK: tuple[Strike, ...] = (cut, refuse, cut_in_the_middle_of_bytes, delay, throttle, stall)
KILLS: tuple[Strike, ...] = (kill_host, kill_agent, kill_a_worker)
# In one run: events are journaled from the first job on.
MOMENTS_OF_KILLS: tuple[tuple[Strike, int], ...] = (
    (kill_a_worker, 20),
    (kill_agent, 50),
    (kill_host, 90),
)


def survive(run: TwelveJobs, strike: Strike, random: Random, moment: int | None = None) -> None:
    """Begin, be struck at a moment (a random one, or after so many events), end well."""
    run.begin()
    if moment is None:
        tell(f"{strike.__name__} {run.wait_for_moment(random)}")
    else:
        wait_until(lambda: run.is_over or run.events() >= moment)
        assert not run.is_over, "the moment came too late"
    strike(run, random)
    run.check(run.end())


def test_what_is_killed_costs_nothing_that_was_finished(run: TwelveJobs) -> None:
    """One after the other in one run: a worker, an agent, the host."""
    random = Random(chosen_seed(default=1))
    run.begin()
    for strike, moment in MOMENTS_OF_KILLS:
        wait_until(lambda least=moment: run.is_over or run.events() >= least)
        assert not run.is_over, "the moment came too late"
        strike(run, random)
    run.check(run.end())


def test_a_bad_network_costs_nothing(run: TwelveJobs) -> None:
    """One after the other in one run: frozen, cut, refused, delayed, throttled, stalled."""
    random = Random(chosen_seed(default=2))
    run.begin()
    for number, strike in enumerate((freeze_for_a_moment, *NETWORK)):
        wait_until(lambda least=5 + 18 * number: run.is_over or run.events() >= least)
        strike(run, random)
    for proxy in run.proxies:
        proxy.heal()
    run.check(run.end())
    run.check_next_begins_at_once()


def test_an_agent_that_is_restarted_between_upload_and_job_is_asked_again(run: TwelveJobs) -> None:
    agent = run.agents[0]
    run.begin()
    wait_until(lambda: any((agent.state / "artifacts" / "blobs").glob("*/*")))
    agent.kill()
    agent.start()
    run.check(run.end())


def test_a_full_disk_costs_nothing_once_there_is_room(small_disk: Path, run: TwelveJobs) -> None:
    run.begin()
    wait_until(lambda: run.events() >= 30)
    with filled(small_disk):
        time.sleep(3)
    run.check(run.end())


@contextlib.contextmanager
def each_moment(kind: str) -> Iterator[Random]:
    seed = chosen_seed()
    try:
        yield Random(f"{kind}-{seed}")
    except BaseException as error:
        error.add_note(f"TRIMTAB_FUZZ_SEED={seed}")
        raise


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(MOMENTS))
@pytest.mark.parametrize("strike", KILLS, ids=lambda strike: strike.__name__)
def test_killed_at_twenty_random_moments(run: TwelveJobs, strike: Strike, number: int) -> None:
    with each_moment(f"{strike.__name__}-{number}") as random:
        survive(run, strike, random)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("strike", NETWORK, ids=lambda strike: strike.__name__)
def test_a_bad_network_at_random_moments(run: TwelveJobs, strike: Strike, number: int) -> None:
    with each_moment(f"{strike.__name__}-{number}") as random:
        survive(run, strike, random)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(3))
def test_an_agent_frozen_past_every_deadline_is_set_aside_and_resumed(
    make_run: Callable[..., TwelveJobs], number: int
) -> None:
    with each_moment(f"freeze-{number}") as random:
        run = make_run(patience_s=1.0)
        agent: SupervisedAgent = random.choice(run.agents)
        run.begin()
        run.wait_for_moment(random)
        with frozen(agent):
            time.sleep(_SILENCE_S)
        run.check(run.end())


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(MOMENTS // 4))
def test_a_disk_that_fills_at_random_moments(
    small_disk: Path, run: TwelveJobs, number: int
) -> None:
    with each_moment(f"disk-{number}") as random:
        run.begin()
        run.wait_for_moment(random)
        with filled(small_disk):
            time.sleep(random.uniform(0.5, 8))
        run.check(run.end())
