import pytest
from trimtab.fleet.dispatch.attempts import Attempts, SetAside
from trimtab.fleet.dispatch.pauses import pause_s
from trimtab.fleet.dispatch.workload import Rules
from trimtab.records import RawArm
from trimtab_protos.errors import Failure

REBOOTED = Failure("device", "the device rebooted")


def cut_off(*keys: str) -> dict[str, RawArm]:
    raw = RawArm("a", "null", "", "", "", (), {}, (), {}, {}, (), (), None, None, REBOOTED)
    return dict.fromkeys(keys, raw)


def test_a_device_that_never_answered_is_asked_a_few_times() -> None:
    attempts = Attempts(Rules(attempts=3, patience_s=1e9), is_local=False)

    assert [attempts.reconnect() for _ in range(3)] == [True, True, False]


def test_a_device_that_answered_once_is_waited_for() -> None:
    attempts = Attempts(Rules(attempts=1, patience_s=1e9), is_local=False)
    attempts.reached()

    assert all(attempts.reconnect() for _ in range(50))


def test_without_patience_it_is_set_aside_at_once() -> None:
    attempts = Attempts(Rules(patience_s=0), is_local=False)
    attempts.reached()

    assert not attempts.reconnect()


def test_a_local_agent_that_dies_each_time_comes_to_an_end() -> None:
    attempts = Attempts(Rules(attempts=2, patience_s=1e9), is_local=True)

    tries = []
    for _ in range(2):
        attempts.reached()
        tries.append(attempts.reconnect())
    assert tries == [True, False]


def test_jobs_without_any_outcome_set_a_device_aside_with_the_last_reason() -> None:
    attempts = Attempts(Rules(attempts=2), is_local=False)

    assert attempts.note((), cut_off("a", "b"))
    with pytest.raises(SetAside) as found:
        attempts.note((), cut_off("a", "b"))
    assert found.value.failure == REBOOTED


def test_an_outcome_in_between_counts_as_progress() -> None:
    attempts = Attempts(Rules(attempts=2), is_local=False)

    for _ in range(5):
        assert attempts.note((), cut_off("a"))
        assert not attempts.note(("b",), {})


def test_one_arm_that_fails_again_and_again_is_given_up_alone() -> None:
    attempts = Attempts(Rules(attempts=2), is_local=False)

    assert attempts.exhausted(cut_off("a", "b")) == {}
    assert list(attempts.exhausted(cut_off("a", "c"))) == ["a"]


def test_pauses_grow_and_end_at_half_a_minute() -> None:
    assert 0.25 <= pause_s(0) <= 0.5
    assert 15 <= pause_s(50) <= 30


def test_a_line_on_which_only_answers_get_through_comes_to_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("trimtab.fleet.dispatch.attempts.time.monotonic", lambda: now[0])
    attempts = Attempts(Rules(attempts=3, patience_s=60), is_local=False)

    connections = 0
    goes_on = True
    while goes_on:
        attempts.reached()
        connections += 1
        now[0] += 10
        goes_on = attempts.reconnect()
    assert connections == 6  # for as long as a device may be silent


def test_a_line_that_breaks_often_is_gone_on_with_while_something_gets_through() -> None:
    attempts = Attempts(Rules(attempts=1, patience_s=0.001), is_local=False)

    for _ in range(50):
        attempts.reached()
        attempts.progressed()
        assert attempts.reconnect()
