"""Gathers a job's numbered events into raw measurements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from trimtab_protos.errors import Failure

from trimtab.fleet.jobs import ArmOutcome, ArmRequest, JobUpdate, Samples
from trimtab.records import Int64Array, RawArm, RawRepeat, SensorSeries, Window


class JobCollector:
    """Feed it every update once, in order; then ask for the arms."""

    def __init__(self, arms: tuple[ArmRequest, ...]) -> None:
        self._arms = {arm.name: arm for arm in arms}
        self._samples: dict[tuple[str, int], list[Samples]] = defaultdict(list)
        self._sensors: dict[tuple[str, int], dict[str, list[SensorSeries]]] = defaultdict(dict)
        self._windows: dict[tuple[str, int], list[Window]] = defaultdict(list)
        self._outcomes: dict[str, ArmOutcome] = {}
        self.last_sequence = 0
        self.terminal_state = ""
        self.failure: Failure | None = None

    def take(self, update: JobUpdate) -> None:
        if update.sequence <= self.last_sequence:
            return  # heard already, before a reconnection
        self.last_sequence = update.sequence
        if update.samples is not None:
            self._samples[update.arm, update.repeat_index].append(update.samples)
        if update.readings is not None:
            sensors = self._sensors[update.arm, update.repeat_index]
            sensors.setdefault(update.readings.sensor, []).append(update.readings.series)
        if update.window is not None:
            self._windows[update.arm, update.repeat_index].append(update.window)
        if update.outcome is not None:
            self._outcomes[update.arm] = update.outcome
        if update.terminal_state:
            self.terminal_state = update.terminal_state
            self.failure = update.failure

    def outcome(self, arm: str) -> ArmOutcome | None:
        return self._outcomes.get(arm)

    def blocks(self, arm: str) -> tuple[dict[int, Int64Array], ...]:
        """An interleaved arm's latencies: repeat by repeat, by the number of the block."""
        return tuple(
            _by_block(self._samples[arm, index])
            for index in sorted(index for name, index in self._samples if name == arm)
        )

    def raw_arm(
        self, arm: str, evaluation_outputs: Path | None, evaluation_failure: Failure | None
    ) -> RawArm:
        """An arm that the device said nothing of has failed, with the job's reason."""
        outcome = self._outcomes.get(arm)
        if outcome is None:
            return self._silent_arm(arm)
        return RawArm(
            arm=arm,
            runtime=self._arms[arm].settings.runtime,
            runtime_version=outcome.runtime_version,
            runtime_package=outcome.runtime_package,
            accelerator_used=outcome.accelerator_used,
            repeats=self._repeats(arm, outcome),
            memory_bytes=outcome.memory_bytes,
            checks=outcome.checks,
            conditions=outcome.conditions,
            unavailable=outcome.unavailable,
            inputs=outcome.inputs,
            outputs=outcome.outputs,
            evaluation_outputs=evaluation_outputs,
            evaluation_failure=evaluation_failure or outcome.evaluation_failure,
            failure=outcome.failure,
            sensors=outcome.sensors,
        )

    def _repeats(self, arm: str, outcome: ArmOutcome) -> tuple[RawRepeat, ...]:
        measured = sorted(index for name, index in self._samples if name == arm)
        complete = min(len(outcome.load_ns), len(outcome.first_inference_ns))
        return tuple(
            RawRepeat(
                index=index,
                start_offset_ns=_joined([part.start_offset_ns for part in parts]),
                latency_ns=_joined([part.latency_ns for part in parts]),
                load_ns=outcome.load_ns[position],
                first_inference_ns=outcome.first_inference_ns[position],
                io_ns=outcome.io_ns[position] if position < len(outcome.io_ns) else None,
                sensors=_whole(self._sensors.get((arm, index), {})),
                windows=tuple(self._windows.get((arm, index), ())),
            )
            for position, index in enumerate(measured[:complete])
            for parts in [self._samples[arm, index]]
        )

    def _silent_arm(self, arm: str) -> RawArm:
        failure = self.failure or Failure("device", "the device ended the job without a result")
        if self.terminal_state == "cancelled":
            failure = Failure("harness", "cancelled before it was measured")
        return failed_arm(self._arms[arm], failure)


def failed_arm(arm: ArmRequest, failure: Failure) -> RawArm:
    return RawArm(
        arm=arm.name,
        runtime=arm.settings.runtime,
        runtime_version="",
        runtime_package="",
        accelerator_used="",
        repeats=(),
        memory_bytes={},
        checks=(),
        conditions={},
        unavailable={},
        inputs=(),
        outputs=(),
        evaluation_outputs=None,
        evaluation_failure=None,
        failure=failure,
    )


def _by_block(parts: list[Samples]) -> dict[int, Int64Array]:
    return {
        block: _joined([part.latency_ns for part in parts if part.block_index == block])
        for block in sorted({part.block_index for part in parts})
    }


def _whole(sensors: Mapping[str, Sequence[SensorSeries]]) -> dict[str, SensorSeries]:
    return {
        name: SensorSeries(
            np.concatenate([part.offset_ns for part in parts]),
            np.concatenate([part.values for part in parts]),
        )
        for name, parts in sensors.items()
    }


def _joined(
    parts: list[np.ndarray[tuple[int], np.dtype[np.int64]]],
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.concatenate(parts)
