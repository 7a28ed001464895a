"""Runs one job: repeats in turns (A B C A B C ...), then profile, memory, accuracy."""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from trimtab_protos.failure import GATE_REFUSED, Failure

from trimtab_agent.arm_passes import ArmPasses
from trimtab_agent.arm_progress import ArmProgress
from trimtab_agent.arm_result import Surroundings, arm_result
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.attempts import Attempts
from trimtab_agent.cache_folder import MAX_CACHE_BYTES, keep_within
from trimtab_agent.config import DEFAULT_MAX_JOB_NS, Settings
from trimtab_agent.doctor.harness import null_median_ns
from trimtab_agent.health_gate import examine
from trimtab_agent.housekeeping import give_memory_back
from trimtab_agent.interleaved import InterleavedRounds
from trimtab_agent.job_deadline import ended_in_time, limit_of, out_of_time
from trimtab_agent.job_log import JobLog
from trimtab_agent.logs import bound
from trimtab_agent.power.meter import NOT_INTERLEAVED, PowerMeter
from trimtab_agent.preflight import Preflight, preflight
from trimtab_agent.quiet import Quiet
from trimtab_agent.records import (
    ArmFinished,
    ArmResult,
    JobFinished,
    JobSpec,
    LogLine,
    StateChanged,
)
from trimtab_agent.scenario import policy_to_check, scenario_conditions
from trimtab_agent.support import check_arms

_LOG = logging.getLogger(__name__)
_ROOT = Path("/")


@dataclass(frozen=True)
class JobRules:
    """``allow_code``: models may run code. ``caches``: where runtimes keep what they compiled.
    ``max_job_ns``: what no job may exceed, whatever it asks for. ``max_artifact_bytes``: the most
    that one output may have. ``max_worker_bytes``: what a worker may keep in memory; 0: any."""

    allow_code: bool = False
    caches: Path | None = None
    max_job_ns: int = DEFAULT_MAX_JOB_NS
    max_artifact_bytes: int = Settings.max_artifact_bytes
    max_worker_bytes: int = 0


class JobRunner:
    """``scratch`` is wiped: what lies there is an earlier agent's. ``root``: of sys and proc."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        scratch: Path,
        quiet: Quiet,
        root: Path = _ROOT,
        rules: JobRules | None = None,
        meter: PowerMeter | None = None,
    ) -> None:
        self._artifacts = artifacts
        self._root = root
        self._scratch = scratch
        self._quiet = quiet
        self._rules = rules or JobRules()
        self._harness: str | None = None
        self._meter = meter or PowerMeter(root)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)

    async def run(self, log: JobLog) -> None:
        """Run the job to its end; cancelling kills the worker and leaves the end to the caller."""
        with bound(job_id=log.view.job_id, request_id=log.view.request_id):
            _LOG.info("runs %d arms for %s", len(log.view.spec.arms), log.view.holder or "nobody")
            await self._run(log)
            _LOG.info("ended: %s", log.view.state)

    async def _run(self, log: JobLog) -> None:
        folder = self._scratch / log.view.job_id
        folder.mkdir()
        failure = None
        try:
            give_memory_back()
            await log.record(StateChanged("preparing"))
            failure = await self._refusal(log, folder) or await self._run_in_time(log, folder)
        except Exception as error:
            _LOG.exception("job %s", log.view.job_id)
            failure = _unexpected(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        arms = _in_order(log)
        if failure is None and arms and all(arm.failure is not None for arm in arms):
            failure = arms[0].failure
        await log.record(JobFinished("failed" if failure else "succeeded", failure, arms))

    def tidy_up(self) -> None:
        """Between two jobs; it may take a while on a slow card."""
        if self._rules.caches is not None:
            keep_within(self._rules.caches, MAX_CACHE_BYTES)

    async def _refusal(self, log: JobLog, folder: Path) -> Failure | None:
        """Why the device is in no state to run the job."""
        report = await examine(log.view.spec.policy.health_gate, self._root, folder)
        for text in report.untold:
            await log.record(LogLine("warning", f"the health gate cannot tell: {text}"))
        if not report.unmet:
            return None
        return Failure("device", GATE_REFUSED + "; ".join(report.unmet))

    async def _run_in_time(self, log: JobLog, folder: Path) -> Failure | None:
        asked_ns, most_ns = log.view.spec.policy.job_timeout_ns, self._rules.max_job_ns
        work = self._run_arms(log, folder)
        if await ended_in_time(work, limit_of(asked_ns, most_ns)):
            return None
        return out_of_time(asked_ns, most_ns)

    async def _run_arms(self, log: JobLog, folder: Path) -> None:
        spec = log.view.spec
        arms = [
            ArmProgress(
                arm, index, str(self._artifacts.materialize(arm.files, folder / f"arm-{index}"))
            )
            for index, arm in enumerate(spec.arms)
        ]
        started_ns = time.perf_counter_ns()
        passes = ArmPasses(
            log,
            self._artifacts,
            folder,
            started_ns,
            self._rules.allow_code,
            self._rules.caches,
            self._rules.max_artifact_bytes,
            self._rules.max_worker_bytes,
        )
        if spec.support_only:
            await check_arms(log, passes, arms)
            return
        power = await self._meter.plan() if spec.blocks is None else NOT_INTERLEAVED
        surroundings = Surroundings(await self._preflight(folder, spec), self._root, power)
        for text in surroundings.preflight.warnings(spec.arms):
            await log.record(LogLine("warning", text))
        if spec.blocks is None:
            attempts = Attempts(log, passes, self._quiet, self._root, self._meter, power)
            await _Rounds(log, passes, attempts, surroundings, self._quiet).run(arms)
        else:
            interleaved = InterleavedRounds(
                log, passes, surroundings, self._quiet, spec.blocks, self._root
            )
            await interleaved.run(arms)

    async def _preflight(self, folder: Path, spec: JobSpec) -> Preflight:
        if self._harness is None:
            median_ns = await null_median_ns(folder)
            known = isinstance(median_ns, (int, float))
            self._harness = f"{median_ns:.0f}" if known else f"unknown: {median_ns}"
        facts = {"harness_null_ns": self._harness, **scenario_conditions(spec)}
        return await preflight(self._root, folder, facts)


@dataclass
class _Rounds:
    log: JobLog
    passes: ArmPasses
    attempts: Attempts
    surroundings: Surroundings
    quiet: Quiet

    async def run(self, arms: list[ArmProgress]) -> None:
        spec = self.log.view.spec
        for index in range(spec.repeat_count):
            for arm in _active(arms):
                async with self.surroundings.around(arm):
                    with bound(arm=arm.arm.name):
                        await self.attempts.repeat(arm, index)
                if arm.failure is not None:
                    await self._report(arm)
        for arm in _active(arms):
            if spec.profile_operators:
                with self.quiet:
                    await self.passes.profile(arm)
        for arm in _active(arms):
            with self.quiet:
                await self.passes.memory(arm)
        for arm in _active(arms):
            if spec.evaluation is not None:
                await self.passes.evaluate(arm, spec.evaluation)
            await self._report(arm)

    async def _report(self, arm: ArmProgress) -> None:
        policy = policy_to_check(self.log.view.spec)
        result = await asyncio.to_thread(arm_result, arm, policy, self.surroundings)
        await self.log.record(ArmFinished(result), arm.arm.name)


def _active(arms: list[ArmProgress]) -> list[ArmProgress]:
    return [arm for arm in arms if arm.failure is None]


def _in_order(log: JobLog) -> tuple[ArmResult, ...]:
    """As the specification has them; they finish in another order where one fails."""
    places = {arm.name: place for place, arm in enumerate(log.view.spec.arms)}
    return tuple(sorted(log.view.arms, key=lambda result: places[result.arm]))


def _unexpected(error: Exception) -> Failure:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("resources", "the device's disk is full: free some room")
    name = type(error).__name__
    return Failure("harness", f"the agent failed with {name}; its log on the device says more")
