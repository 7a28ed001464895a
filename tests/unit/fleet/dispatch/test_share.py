"""What becomes of results where a device, its disk or its line fails at a bad moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trimtab.fleet.dispatch import Measured, Rules, measure_on, share
from trimtab.fleet.errors import DeviceUnreachable, IdentityProblem
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.ledger import RunLedger
from trimtab.fleet.ledger.event_file import EventFile
from trimtab_protos.errors import InternalError, StoreFull, TrimtabError

from .played_agent import ARMS, PlayedAgent, connecting_to, device_info, job_events, workload

PI5 = InventoryDevice("pi5", "10.0.0.1:7433")
REMOVED = InventoryDevice("pi5", "", is_removed=True)
GONE = DeviceUnreachable("no agent answers")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RunLedger]:
    ledger = RunLedger(tmp_path / "run", durable=False)
    ledger.begin({"run_id": "r"})
    yield ledger
    ledger.close()


def note_job(ledger: RunLedger, *, collected: bool, events: bool = True) -> None:
    """Both arms were asked for by an earlier process."""
    pi5, work = ledger.device("pi5"), workload(ledger)
    keys = [work.key(each) for each in ARMS]
    pi5.note_device(device_info())
    pi5.note_asked("first", keys)
    pi5.note_job("first", "1-job")
    if events:
        with EventFile(pi5.events_path("first")) as file:
            for event in job_events(["a", "b"]):
                file.append(event.SerializeToString())
    if collected:
        pi5.note_collected("first", keys)


async def measured(
    monkeypatch: pytest.MonkeyPatch,
    ledger: RunLedger,
    agent: PlayedAgent | Exception,
    rules: Rules | None = None,
    device: InventoryDevice = PI5,
) -> list[Measured]:
    monkeypatch.setattr(share, "connected", connecting_to(agent))
    monkeypatch.setattr("trimtab.fleet.dispatch.attempts.pause_s", lambda failures: 0.0)
    monkeypatch.setattr("trimtab.fleet.dispatch.asking.pause_s", lambda failures: 0.0)
    monkeypatch.setattr(share, "pause_s", lambda failures: 0.0)
    return await measure_on(device, Path("unused"), workload(ledger, rules), lambda progress: None)


def failures(found: list[Measured]) -> list[str]:
    return [each.raw.failure.message if each.raw.failure else "" for each in found]


@pytest.mark.parametrize("error", [GONE, IdentityProblem("it calls itself pi4", "look")])
async def test_what_was_collected_stays_where_the_device_is_gone(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger, error: Exception
) -> None:
    note_job(ledger, collected=True)
    found = await measured(monkeypatch, ledger, error)
    assert failures(found) == ["", ""]
    assert {each.device.device_id for each in found} == {"board-1"}
    assert ledger.set_aside == {}


@pytest.mark.parametrize("error", [GONE, IdentityProblem("it calls itself pi4", "look")])
async def test_a_job_under_way_stays_in_the_ledger_where_the_device_is_gone(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger, error: Exception
) -> None:
    note_job(ledger, collected=False, events=False)
    found = await measured(monkeypatch, ledger, error)
    assert all(str(error).partition(" (")[0] in text for text in failures(found))
    assert "pi5" in ledger.set_aside
    assert ledger.device("pi5").submissions["first"].is_open


async def test_what_a_device_gave_before_it_was_removed_counts_and_nothing_is_left_undone(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=True)
    assert failures(await measured(monkeypatch, ledger, GONE, device=REMOVED)) == ["", ""]
    assert ledger.set_aside == {}


async def test_a_removed_device_is_set_aside_with_what_brings_it_back(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=False, events=False)
    agent = PlayedAgent()
    found = await measured(monkeypatch, ledger, agent, device=REMOVED)
    assert all(
        "`trimtab devices add pi5 ADDRESS` brings it back" in text for text in failures(found)
    )
    assert agent.acknowledged == []  # it is not asked, wherever it is
    assert ledger.device("pi5").submissions["first"].is_open


async def test_a_removed_device_that_was_never_met_is_set_aside_too(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    with pytest.raises(DeviceUnreachable, match="pi5: it was removed from the inventory"):
        await measured(monkeypatch, ledger, GONE, device=REMOVED)
    assert "removed" in ledger.set_aside["pi5"]


async def test_a_device_never_met_is_tried_again_and_raised(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    with pytest.raises(IdentityProblem):
        await measured(monkeypatch, ledger, IdentityProblem("not valid yet", "set its clock"))
    assert "not valid yet" in ledger.set_aside["pi5"]


async def test_another_device_at_its_address_says_so_and_costs_no_result(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=False, events=False)
    found = await measured(monkeypatch, ledger, PlayedAgent(device_info("board-2")))
    assert all("another device answers" in text for text in failures(found))


async def test_another_device_before_anything_was_asked_is_an_error(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    ledger.device("pi5").note_device(device_info())
    with pytest.raises(DeviceUnreachable, match="pi5: another device answers"):
        await measured(monkeypatch, ledger, PlayedAgent(device_info("board-2")))
    assert "pi5" in ledger.set_aside


async def test_a_collected_job_is_thanked_for_and_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=True)
    agent = PlayedAgent()
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert (agent.acknowledged, agent.submitted) == (["1-job"], [])


async def test_a_runtime_that_is_unavailable_now_takes_no_result_back(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=True)
    agent = PlayedAgent(device_info(litert_unavailable="its import took too long"))
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert agent.submitted == []


async def test_a_job_under_way_is_collected_although_a_runtime_is_unavailable_now(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=False, events=False)
    agent = PlayedAgent(device_info(litert_unavailable="its import took too long"))
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert (agent.acknowledged, agent.submitted) == (["1-job"], [])


async def test_events_that_are_lost_here_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    note_job(ledger, collected=True, events=False)
    agent = PlayedAgent()
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert agent.submitted == []


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), InternalError("x"), GONE])
async def test_a_result_that_cannot_be_thanked_for_is_one(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger, error: TrimtabError | DeviceUnreachable
) -> None:
    agent = PlayedAgent(acknowledge=error)
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert agent.submitted == [["a", "b"]]
    assert ledger.set_aside == {}
    assert not next(iter(ledger.device("pi5").submissions.values())).lost


async def test_a_line_that_passes_only_short_messages_comes_to_an_end(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    found = await measured(monkeypatch, ledger, PlayedAgent(submit=GONE))
    assert failures(found) == ["no agent answers"] * 2
    assert "pi5" in ledger.set_aside


async def test_a_job_whose_end_never_comes_is_not_asked_about_for_ever(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    class Endless(PlayedAgent):
        async def watch(self, job_id, after):  # type: ignore[no-untyped-def]
            return
            yield

    found = await measured(monkeypatch, ledger, Endless())
    assert all("has no end on the device" in text for text in failures(found))


async def test_what_a_device_could_not_run_then_is_tried_now(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    pi5, work = ledger.device("pi5"), workload(ledger)
    pi5.note_device(device_info(litert_unavailable="not installed"))
    pi5.note_asked("first", [work.key(ARMS[0])])
    pi5.note_job("first", "1-job")
    with EventFile(pi5.events_path("first")) as file:
        for event in job_events(["a"]):
            file.append(event.SerializeToString())
    pi5.note_collected("first", [work.key(ARMS[0])])
    pi5.note_acknowledged("first")

    gone = await measured(monkeypatch, ledger, GONE)
    assert failures(gone) == ["", "not installed"]
    assert ledger.set_aside == {}
    agent = PlayedAgent()
    assert failures(await measured(monkeypatch, ledger, agent)) == ["", ""]
    assert agent.submitted == [["b"]]


async def test_outputs_that_a_device_cannot_send_cost_their_arm_alone(
    monkeypatch: pytest.MonkeyPatch, ledger: RunLedger
) -> None:
    async def pull_outputs(client: object, collector: object, arm: str, *rest: object) -> str:
        if arm == "a":
            raise InternalError("incident 7")
        return ""

    monkeypatch.setattr("trimtab.fleet.dispatch.job.pull_outputs", pull_outputs)
    agent = PlayedAgent()
    found = await measured(monkeypatch, ledger, agent)
    assert [each.raw.failure is None for each in found][1]
    assert agent.submitted == [["a", "b"], ["a"]]  # attempts=2, and b is not measured again
