"""The passes of an arm, each in a worker of its own; what the workers say becomes events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trimtab_protos.digest import Digest
from trimtab_protos.failure import Failure

from trimtab_agent.arm_progress import ArmProgress, Message, RepeatProgress, memory_use
from trimtab_agent.artifacts import ArtifactStore
from trimtab_agent.config import Settings
from trimtab_agent.job_log import JobLog
from trimtab_agent.kept_outputs import KeptOutputs, forget
from trimtab_agent.power.meter import PowerPlan
from trimtab_agent.power.outcome import power_batches
from trimtab_agent.records import (
    EvaluationSpec,
    JobState,
    LogLine,
    Phase,
    PhaseStarted,
    SampleBatch,
    StateChanged,
)
from trimtab_agent.sensor_batches import sensor_batches
from trimtab_agent.watch import Watch
from trimtab_agent.worker.block_worker import BlockWorker
from trimtab_agent.worker.messages import SAMPLES_PER_MESSAGE, Mode, WorkerTask
from trimtab_agent.worker.process import OnMessage, OnStart, run_worker

_STATES: Mapping[Phase, JobState] = {
    "warm_up": "warming_up",
    "measure": "measuring",
    "memory": "measuring",
    "evaluate": "measuring",
    "profile": "measuring",
}


@dataclass
class ArmPasses:
    """``folder`` is the job's scratch; ``clock_origin_ns`` its start on the monotonic clock.

    ``caches``: where runtimes keep what they compiled.
    """

    log: JobLog
    artifacts: ArtifactStore
    folder: Path
    clock_origin_ns: int
    allow_code: bool = False
    caches: Path | None = None
    max_artifact_bytes: int = Settings.max_artifact_bytes
    max_worker_bytes: int = 0

    async def repeat(self, arm: ArmProgress, index: int, watch: Watch, power: PowerPlan) -> None:
        """Measure the arm's last repeat; where it fails, ``arm.failure`` says why.

        Its samples stay with the agent: see :meth:`publish_samples`. Where power is read it lasts
        long enough for that, up to the policy's maximum.
        """
        policy = self.log.view.spec.policy
        task = replace(
            self._task("repeat", arm),
            idle_ns=power.idle_ns,
            min_duration_ns=max(
                policy.min_duration_ns, min(power.min_duration_ns, policy.max_duration_ns)
            ),
            max_duration_ns=policy.max_duration_ns,
            min_sample_count=policy.min_sample_count,
            warmup_duration_ns=policy.warmup_duration_ns,
            min_warmup_count=policy.min_warmup_count,
            steady_tolerance=policy.steady_tolerance,
            max_warmup_duration_ns=policy.max_warmup_duration_ns,
            percentile_sample_count=policy.percentile_sample_count,
            target_precision=policy.target_precision,
            sustain_ns=self.log.view.spec.sustain_ns,
        )

        async def hear(message: Message) -> None:
            watch.hear(message)
            arm.measured_repeat(message)
            await self._publish(message, arm, index)

        arm.failure = await self._run(task, hear, watch.worker_started)

    async def publish_samples(self, arm: ArmProgress, index: int) -> None:
        """The last repeat's samples become events: it is the one that counts."""
        repeat = arm.repeats[-1]
        for begin in range(0, len(repeat.latency_ns), SAMPLES_PER_MESSAGE):
            end = begin + SAMPLES_PER_MESSAGE
            batch = SampleBatch(
                tuple(repeat.start_offset_ns[begin:end]), tuple(repeat.latency_ns[begin:end])
            )
            await self.log.record(batch, arm.arm.name, index, "measure")

    async def publish_readings(self, arm: ArmProgress, index: int) -> None:
        """What the sensors told around the last repeat becomes events."""
        repeat = arm.repeats[-1]
        for batch in (*sensor_batches(repeat.readings), *power_batches(repeat.power)):
            await self.log.record(batch, arm.arm.name, index, "measure")
        if repeat.power.series:
            for phase, window in repeat.windows:
                await self.log.record(window, arm.arm.name, index, phase)

    def block_worker(
        self, arm: ArmProgress, index: int, keep_samples: Callable[[Message], None]
    ) -> BlockWorker:
        """A worker for one repeat of an interleaved job; all it says but samples becomes events."""
        arm.repeats.append(RepeatProgress(index))
        policy = self.log.view.spec.policy
        task = replace(
            self._task("blocks", arm),
            warmup_duration_ns=policy.warmup_duration_ns,
            min_warmup_count=policy.min_warmup_count,
            steady_tolerance=policy.steady_tolerance,
            max_warmup_duration_ns=policy.max_warmup_duration_ns,
        )

        async def hear(message: Message) -> None:
            arm.measured_repeat(message)
            if message["kind"] == "samples":
                keep_samples(message)
            else:
                await self._publish(message, arm, index)

        return BlockWorker(task, self.folder, policy.process_timeout_ns, hear)

    async def memory(self, arm: ArmProgress) -> None:
        """The memory pass; where it fails, memory is unavailable and the arm goes on."""

        async def hear(message: Message) -> None:
            if message["kind"] == "memory":
                arm.memory = memory_use(message)
                await self.log.record(arm.memory, arm.arm.name, 0, "memory")
            await self._publish(message, arm, 0)

        arm.memory_failure = await self._run(self._task("memory", arm), hear)
        if arm.memory_failure is not None:
            text = f"no memory figures: {arm.memory_failure.message}"
            await self.log.record(LogLine("warning", text), arm.arm.name, 0, "memory")

    async def profile(self, arm: ArmProgress) -> None:
        """The profile pass; its document becomes an artifact, or ``profile_failure`` says why."""
        document = self._own_folder("profile", arm) / "profile.json"

        async def hear(message: Message) -> None:
            if message["kind"] == "profiled":
                # A compiled subgraph is one operator in a profile: its parts were told at load.
                arm.operator_places = arm.operator_places or message["places"]
                arm.arena_bytes = message["arena_bytes"]
            await self._publish(message, arm, 0)

        task = replace(self._task("profile", arm), outputs_path=str(document))
        arm.profile_failure = await self._run(task, hear)
        if arm.profile_failure is None:
            arm.operator_profile, arm.profile_failure = await self._keep(document, "profile")
        forget(document)

    async def check(self, arm: ArmProgress) -> None:
        """Load and run once; where that fails, ``arm.failure`` says why."""
        folder = self._own_folder("check", arm)

        async def hear(message: Message) -> None:
            if message["kind"] == "checked":
                arm.operator_places = message["places"] or None
                arm.operators_unavailable = message["unavailable"]
            await self._publish(message, arm, 0)

        task = replace(self._task("check", arm), outputs_path=str(folder / "check"))
        arm.failure = await self._run(task, hear)

    async def evaluate(self, arm: ArmProgress, evaluation: EvaluationSpec) -> None:
        """The accuracy pass; its outputs become an artifact, or ``evaluation_failure`` says why."""
        outputs = self._own_folder("outputs", arm) / "outputs.npz"
        task = replace(
            self._task("evaluate", arm),
            evaluation_inputs_path=str(self.artifacts.path(evaluation.inputs)),
            reduction=evaluation.reduction,
            outputs_path=str(outputs),
        )

        async def hear(message: Message) -> None:
            await self._publish(message, arm, 0)

        arm.evaluation_failure = await self._run(task, hear)
        if arm.evaluation_failure is None:
            arm.evaluation_outputs, arm.evaluation_failure = await self._keep(outputs, "outputs")
        forget(outputs)

    def _own_folder(self, name: str, arm: ArmProgress) -> Path:
        """The worker may write in it, and nowhere beside the models."""
        folder = self.folder / f"{name}-{arm.index}"
        folder.mkdir(exist_ok=True)
        return folder

    async def _keep(self, file: Path, what: str) -> tuple[Digest | None, Failure | None]:
        outputs = KeptOutputs(self.log, self.artifacts, self.max_artifact_bytes)
        return await outputs.keep(file, what)

    def _task(self, mode: Mode, arm: ArmProgress) -> WorkerTask:
        spec, settings = self.log.view.spec, arm.arm
        inputs = None if spec.inputs is None else str(self.artifacts.path(spec.inputs))
        return WorkerTask(
            mode=mode,
            runtime=settings.runtime,
            model_path=arm.model_path,
            format=settings.format,
            accelerator=settings.accelerator,
            thread_count=settings.thread_count,
            runtime_options=settings.runtime_options,
            input_shapes=settings.input_shapes,
            inputs_path=inputs,
            input_seed=spec.input_seed,
            clock_origin_ns=self.clock_origin_ns,
            batch_size=None if mode == "evaluate" else spec.batch_size,
            rate_hz=spec.rate_hz,
            cpu_affinity=settings.cpu_affinity,
            memory_limit_bytes=spec.policy.memory_limit_bytes,
            kept_limit_bytes=self.max_worker_bytes,
            allow_code_in_models=self.allow_code,
            cache_path="" if self.caches is None else str(self.caches),
        )

    async def _run(
        self, task: WorkerTask, hear: OnMessage, on_start: OnStart | None = None
    ) -> Failure | None:
        timeout_ns = self.log.view.spec.policy.process_timeout_ns + (task.sustain_ns or 0)
        return await run_worker(task, self.folder, timeout_ns, hear, on_start)

    async def _publish(self, message: Message, arm: ArmProgress, repeat_index: int) -> None:
        kind, name = message["kind"], arm.arm.name
        if kind == "phase":
            await self._phase(message["phase"], name, repeat_index)
        elif kind == "loaded":
            for text in arm.loaded(message):
                await self.log.record(LogLine("warning", text), name, repeat_index, "load")

    async def _phase(self, phase: Phase, arm: str, repeat_index: int) -> None:
        state = _STATES.get(phase, self.log.view.state)
        if state != self.log.view.state:
            await self.log.record(StateChanged(state))
        count = self.log.view.spec.repeat_count
        await self.log.record(PhaseStarted(count), arm, repeat_index, phase)
