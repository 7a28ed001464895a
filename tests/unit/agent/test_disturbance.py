"""What goes on around a measurement, judged: every verdict from a recorded trace."""

import subprocess
import sys

import pytest
from trimtab_agent.disturbance import (
    Gate,
    Reading,
    Seen,
    foreign_load_check,
    not_throttled_check,
    spoiled_by,
    steady_check,
    temperature_check,
)
from trimtab_agent.foreign import ForeignLoad, name_culprits, process_times

S = 1_000_000_000


def trace(*frequencies: float, start_s: float = 10.0) -> tuple[Reading, ...]:
    return tuple(
        Reading(int((start_s + 0.25 * step) * S), frequency, (), None, 60.0 + step)
        for step, frequency in enumerate(frequencies)
    )


def test_a_frequency_that_drops_and_stays_down_voids_with_its_moment() -> None:
    calm, hot = Seen(readings=trace(2400, 2400)), Seen(readings=trace(2400, 2400, 2400, 1500, 1500))
    check = not_throttled_check([calm, hot])
    assert (check.outcome, check.invalidates) == ("failed", True)
    assert "repeat 2 of 2: frequency down from 2400 to 1500 MHz from 0.75 s into" in check.seen
    assert "10.75 s into the job), at 63.0 °C" in check.seen
    assert check.advice


def test_one_slow_reading_is_a_governor_at_work() -> None:
    seen = Seen(readings=trace(2400, 1500, 2400, 2300, 2400))
    assert not_throttled_check([seen]).outcome == "passed"


def test_the_firmwares_flags_void_with_their_name_and_the_first_moment() -> None:
    readings = (
        Reading(5 * S, flags=()),
        Reading(6 * S, flags=("under-voltage",)),
        Reading(7 * S, flags=("throttled",)),
    )
    check = not_throttled_check([Seen(readings=readings)])
    assert check.outcome == "failed"
    assert "under-voltage from 1.00 s into measuring on (6.00 s into the job)" in check.seen


def test_a_counter_that_grows_voids_and_one_that_stands_does_not() -> None:
    grows = (Reading(0, flags=(), throttle_count=7), Reading(S, flags=(), throttle_count=8))
    stands = (Reading(0, flags=(), throttle_count=7), Reading(S, flags=(), throttle_count=7))
    assert not_throttled_check([Seen(readings=grows)]).outcome == "failed"
    assert not_throttled_check([Seen(readings=stands)]).outcome == "passed"


def test_a_kernel_that_tells_nothing_is_unknown() -> None:
    check = not_throttled_check([Seen(readings=(Reading(0), Reading(S)))])
    assert check.outcome == "unknown"
    assert not_throttled_check([]).outcome == "unknown"


@pytest.mark.parametrize(
    ("share", "threads", "processors", "outcome", "invalidates"),
    [
        (0.05, 1, 2, "passed", False),
        (0.50, 1, 2, "failed", False),  # one busy core, one left for the worker
        (0.70, 1, 2, "failed", True),
        (0.30, 2, 2, "failed", True),
        (0.80, 1, 4, "failed", False),
        (0.30, 1, 1, "failed", True),
    ],
)
def test_load_voids_where_it_leaves_too_few_processors(
    share: float, threads: int, processors: int, outcome: str, invalidates: bool
) -> None:
    load = ForeignLoad(share, processors, ("stress (90% of a processor)",))
    check = foreign_load_check(0.0, [Seen(), Seen(load=load)], threads)
    assert (check.outcome, check.invalidates) == (outcome, invalidates)
    assert "stress (90% of a processor)" in check.seen
    assert (spoiled_by(Seen(load=load), threads) is not None) is invalidates


@pytest.mark.parametrize(("runnable", "invalidates"), [(1, False), (2, True)])
def test_others_that_queue_for_more_than_is_free_void_whatever_they_got(
    runnable: int, invalidates: bool
) -> None:
    load = ForeignLoad(0.5, 2, runnable=runnable)
    check = foreign_load_check(0.0, [Seen(load=load)], threads=1)
    assert (check.outcome, check.invalidates) == ("failed", invalidates)
    assert foreign_load_check(0.0, [Seen(load=ForeignLoad(0.05, 2, runnable=9))], 1).outcome == (
        "passed"
    )


def test_load_before_the_job_still_warns_and_no_answer_is_unknown() -> None:
    calm = [Seen(load=ForeignLoad(0.01, 2))]
    check = foreign_load_check(0.4, calm, 1)
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "40% before" in check.seen
    assert foreign_load_check(None, [Seen()], 1).outcome == "unknown"


def test_what_the_hypervisor_took_is_named() -> None:
    check = foreign_load_check(0.0, [Seen(load=ForeignLoad(0.3, 2, (), stolen=0.25))], 1)
    assert "other virtual machines (25% stolen)" in check.seen


def test_culprits_are_named_by_what_they_used_meanwhile_and_never_ourselves() -> None:
    before = {(1, 1.0): ("old", 100.0), (2, 1.0): ("busy", 50.0), (3, 2.0): ("worker", 0.0)}
    after = {
        (1, 1.0): ("old", 100.1),
        (2, 1.0): ("busy", 53.0),
        (3, 2.0): ("worker", 5.0),
        (4, 3.0): ("busy", 1.0),
    }
    assert name_culprits(before, after, 4.0, {3}) == ("busy (100% of a processor)",)


def test_a_number_given_to_another_process_does_not_hide_it() -> None:
    before, after = {(7, 1.0): ("gone", 90.0)}, {(7, 9.0): ("new", 2.0)}
    assert name_culprits(before, after, 2.0, ()) == ("new (100% of a processor)",)


def test_a_process_that_takes_another_name_has_not_used_its_whole_life_just_now() -> None:
    before, after = {(7, 1.0): ("sleeping", 90.0)}, {(7, 1.0): ("working", 91.0)}
    assert name_culprits(before, after, 2.0, ()) == ("working (50% of a processor)",)


# Uses 0.3 s of a processor; then each line that it reads becomes its name.
_RENAMED = """
import sys, time
while time.process_time() < 0.3: pass
print(flush=True)
for line in sys.stdin:
    open("/proc/self/comm", "w").write(line)
    print(flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process rename itself so")
def test_a_real_process_that_renames_itself_is_the_same_one() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _RENAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = process_times()
        process.stdin.write("kworker/7:3-busy\n")
        process.stdin.flush()
        process.stdout.readline()
        after = process_times()
        process.stdin.close()

    key = next(each for each in after if each[0] == process.pid)
    assert after[key][0] == "kworker"
    assert before[key][0] != "kworker"
    assert after[key][1] - before[key][1] < 0.2


def test_a_warm_up_that_never_settled_warns_and_is_worth_a_retry() -> None:
    good = Seen(settled=True, spread=0.01, warmup_ns=S)
    bad = Seen(settled=False, spread=0.3, warmup_ns=2 * S)
    check = steady_check([good, bad], 0.05)
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "1 of 2 repeats never settled: medians still 30.0% apart" in check.seen
    assert "30.0% apart" in (spoiled_by(bad, 1) or "")
    assert steady_check([good, good], 0.05).outcome == "passed"
    assert steady_check([good, Seen()], 0.05).outcome == "unknown"
    assert steady_check([Seen()], 0.0).outcome == "not_applicable"


def test_the_temperature_gate_says_what_it_saw() -> None:
    met = Seen(gate=Gate(50.0, 48.0, "cpu", S, True))
    hot = Seen(gate=Gate(50.0, 71.25, "cpu-thermal", 60 * S, False))
    blind = Seen(gate=Gate(50.0, None, "", 0, None))
    check = temperature_check([met, hot])
    assert check is not None
    assert (check.outcome, check.invalidates) == ("failed", True)
    assert "still 71.2 °C (cpu-thermal) after waiting 60.0 s (limit 50 °C)" in check.seen
    found = [temperature_check(gates) for gates in ([met], [met, blind], [Seen()])]
    assert [check and check.outcome for check in found] == ["passed", "unknown", None]
