"""What a profile adds to an arm's result, and what is left where it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimtab_agent.arm_progress import ArmProgress, RepeatProgress
from trimtab_agent.arm_result import Surroundings, arm_result
from trimtab_agent.preflight import Preflight
from trimtab_agent.records import Arm, Check, MemoryUse, Policy
from trimtab_agent.scenario import Periods
from trimtab_protos.failure import Failure

POLICY = Policy(1, 1, 1, 1, 1, 1)


def checks_of(arm: ArmProgress) -> dict[str, Check]:
    return {check.name: check for check in _result(arm).checks}


def _result(arm: ArmProgress) -> Any:
    name = arm.arm.name
    preflight = Preflight(0.0, facts={"scenario": "back to back"})
    surroundings = Surroundings(preflight, Path("/"), looks={name: [{}, {}]})
    return arm_result(arm, POLICY, surroundings)


def an_arm(**known: Any) -> ArmProgress:
    arm = Arm("a", (), "onnxruntime", known.pop("asked", "cpu"), 1, "onnx")
    return ArmProgress(arm, 0, "m.onnx", **{"accelerator_used": arm.accelerator, **known})


def test_a_failed_profile_leaves_its_reason_and_the_rest() -> None:
    arm = an_arm(profile_failure=Failure("harness", "the worker crashed"))
    assert _result(arm).failure is None
    assert _result(arm).unavailable["operator_profile"] == "the worker crashed"
    assert checks_of(arm)["ACCELERATOR_USED"].seen == "cpu, as asked"


def test_a_profile_says_more_than_the_runtime_does() -> None:
    arm = an_arm(asked="cuda", operator_places={"cuda": {"Conv": 3}, "cpu": {"Gather": 1}})
    check = checks_of(arm)["ACCELERATOR_USED"]
    assert (check.outcome, check.invalidates) == ("failed", False)
    assert "1 of 4 operators fell back from cuda" in check.seen
    without = checks_of(an_arm(asked="cuda"))["ACCELERATOR_USED"]
    assert without.outcome == "unknown"


def test_a_profile_does_not_excuse_another_accelerator() -> None:
    places = {"cuda": {"Conv": 3}}
    arm = an_arm(asked="cuda", accelerator_used="cpu", operator_places=places)
    check = checks_of(arm)["ACCELERATOR_USED"]
    assert (check.outcome, check.invalidates) == ("failed", True)


def test_what_memory_is_not_known_says_why() -> None:
    result = _result(an_arm(asked="cuda", memory=MemoryUse(peak_bytes=5)))
    assert "memory_peak_mb" not in result.unavailable
    assert result.unavailable["memory_loaded_mb"] == "the operating system does not tell"
    assert "--profile" in result.unavailable["memory_arena_mb"]
    assert "cuda" in result.unavailable["memory_accelerator_mb"]


def test_the_arena_is_what_the_profile_told() -> None:
    result = _result(an_arm(memory=MemoryUse(peak_bytes=5), arena_bytes=7))
    assert (result.memory.peak_bytes, result.memory.arena_bytes) == (5, 7)
    assert "memory_arena_mb" not in result.unavailable


def test_missed_periods_of_any_repeat_are_a_check() -> None:
    kept, missed = Periods(30.0, 50, 0, 0), Periods(30.0, 50, 9, 0)
    arm = an_arm(repeats=[RepeatProgress(0, periods=kept), RepeatProgress(1, periods=missed)])
    assert checks_of(arm)["RATE_KEPT"].outcome == "failed"
    assert "RATE_KEPT" not in checks_of(an_arm(repeats=[RepeatProgress(0)]))
