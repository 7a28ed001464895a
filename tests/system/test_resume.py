"""A run of twelve jobs that is cut off goes on, and measures nothing twice.

More of what happens where host, agent or worker are killed: ``faults/``.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from known_devices import know_devices
from supervised_agents import SupervisedAgent, running_agents, wait_until
from twelve_jobs import ARMS, twelve_jobs

Trimtab = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def agents(tmp_path: Path, shared_data: Path) -> Iterator[list[SupervisedAgent]]:
    shutil.copy(shared_data / "models" / "mnist.onnx", tmp_path)
    (tmp_path / "trimtab.toml").write_text(twelve_jobs())
    with running_agents(tmp_path, 3) as started:
        know_devices(tmp_path / "home", {agent.name: agent.address for agent in started})
        yield started


def begin(tmp_path: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "trimtab", "run"]
    with (tmp_path / "first.err").open("wb") as said:
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=said
        )


def jobs_collected(tmp_path: Path) -> int:
    ledgers = (tmp_path / "home" / "unfinished").glob("*/ledger.jsonl")
    return sum(ledger.read_text().count('"kind":"collected"') for ledger in ledgers)


def results_of(trimtab: Trimtab, *arguments: str) -> list[tuple[str, str]]:
    finished = trimtab("run", *arguments, "--format", "json")
    assert finished.returncode in (0, 1), finished.stderr  # 1: busy, so nothing can be chosen
    results = json.loads(finished.stdout)["results"]
    assert all(each["error"] is None for each in results), finished.stderr
    return [(each["device"]["name"], each["settings"]["threads"]) for each in results]


@pytest.mark.slow
def test_an_agent_that_is_killed_and_comes_back_costs_the_job_it_was_at(
    tmp_path: Path, trimtab: Trimtab, environment: dict[str, str], agents: list[SupervisedAgent]
) -> None:
    first = begin(tmp_path, environment)
    wait_until(lambda: any(job.state in (2, 4, 5) for job in agents[0].jobs()))
    agents[0].kill()
    agents[0].start()
    assert first.wait(240) in (0, 1), (tmp_path / "first.err").read_text()

    for agent in agents:
        assert sorted(agent.finished_arms()) == ARMS
    assert len(agents[0].jobs()) == 5  # one of them cut off
    assert len(agents[1].jobs()) == 4


@pytest.mark.slow
def test_a_device_that_stays_away_is_set_aside_and_tried_again_later(
    tmp_path: Path, trimtab: Trimtab, environment: dict[str, str], agents: list[SupervisedAgent]
) -> None:
    (tmp_path / "trimtab.toml").write_text(twelve_jobs(patience_s=1.0))
    first = begin(tmp_path, environment)
    wait_until(lambda: bool(agents[0].finished_arms()))
    agents[0].kill()
    code = first.wait(240)
    said = (tmp_path / "first.err").read_text()
    agents[0].start()
    results = results_of(trimtab, "--resume")

    assert code == 3
    assert "set aside: b1: no agent answers" in said
    assert "trimtab run --resume" in said
    assert len(results) == 12
    counts = Counter(agents[0].finished_arms())
    assert sorted(counts) == ARMS
    assert set(counts.values()) == {1}
    assert sorted(agents[2].finished_arms()) == ARMS  # untouched by the second command


def test_a_project_that_changed_is_not_gone_on_with(
    tmp_path: Path, trimtab: Trimtab, environment: dict[str, str], agents: list[SupervisedAgent]
) -> None:
    first = begin(tmp_path, environment)
    wait_until(lambda: jobs_collected(tmp_path) >= 1)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    said = (tmp_path / "first.err").read_text()
    listed = trimtab("runs", "list")
    (tmp_path / "trimtab.toml").write_text(
        twelve_jobs().replace("min_samples = 2", "min_samples = 3")
    )
    refused = trimtab("run", "--resume")

    assert "`trimtab run --resume` goes on" in said
    assert "unfinished" in listed.stdout
    assert refused.returncode == 2
    assert "was begun with another setting: min_samples" in refused.stderr
    assert "going on with run" not in refused.stderr
    assert list((tmp_path / "home" / "unfinished").iterdir())


def test_a_device_that_was_removed_meanwhile_is_set_aside_and_the_others_go_on(
    tmp_path: Path, trimtab: Trimtab, environment: dict[str, str], agents: list[SupervisedAgent]
) -> None:
    first = begin(tmp_path, environment)
    wait_until(lambda: any(job.acknowledged for job in agents[1].jobs()))
    first.kill()
    first.wait()
    before = [arm for job in agents[1].jobs() if job.acknowledged for arm in job.result.arms]
    assert trimtab("devices", "remove", "b2").returncode == 0
    resumed = trimtab("run", "--resume", "--format", "json")
    results = json.loads(resumed.stdout)["results"]
    measured = Counter(each["device"]["name"] for each in results if each["error"] is None)

    assert resumed.returncode == 3, resumed.stderr
    assert "set aside: b2: it was removed from the inventory" in resumed.stderr
    assert len(results) == 12
    assert measured["b1"] == measured["b3"] == 4
    assert len(before) <= measured["b2"] < 4  # what was collected counts

    assert trimtab("devices", "add", "b2", agents[1].address).returncode == 0
    assert len(results_of(trimtab, "--resume")) == 12
    for agent in agents:
        assert sorted(agent.finished_arms()) == ARMS  # each once
    assert list((tmp_path / "home" / "unfinished").iterdir()) == []
    refused = trimtab("run", "--resume")
    assert refused.returncode == 2
    assert "no unfinished run" in refused.stderr
