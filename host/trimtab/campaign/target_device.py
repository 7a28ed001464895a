"""The device that compression is for, measured with the real agent while variants are made."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.artifact_files import artifact_from_file
from trimtab.campaign.fleet import Campaign, measure_fleet
from trimtab.campaign.layer_times import export_to_profile, times_of_layers
from trimtab.campaign.plan import Candidate, Choices
from trimtab.campaign.selected_devices import local_agent_state, select_one
from trimtab.compress.device import Devices, TargetDevice
from trimtab.compress.passes import PassRejected
from trimtab.fleet.dispatch import Rules
from trimtab.fleet.inventory import InventoryDevice
from trimtab.fleet.progress import Progress
from trimtab.metrics import METRICS
from trimtab.operator_profile import OperatorTime
from trimtab.project import MeasureSettings
from trimtab.records import Artifact, Result, UserError
from trimtab.task import FileTask, Task, open_inputs

if TYPE_CHECKING:
    from torch import nn

Say = Callable[[str], None]
_BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class _Work:
    """What every measurement of a command has in common."""

    task: Task | FileTask
    choices: Choices
    say: Say
    rules: Rules


class FleetDevice:
    """One device of the inventory. Files are measured once: what was valid is kept.

    Of the runtimes and thread counts that the settings name, the first that a run would take.
    """

    def __init__(self, device: InventoryDevice, work: _Work) -> None:
        self._device = device
        self._work = work
        self._results: dict[str, Result] = {}

    @property
    def name(self) -> str:
        return self._device.name

    def figure(self, path: Path, model_format: str, metric: str) -> float:
        """Of a metric in ``trimtab.metrics``, in its unit. Raises PassRejected."""
        if metric not in METRICS:
            raise PassRejected(f"there is no metric {metric}; there are {', '.join(METRICS)}")
        artifact = _artifact(path, model_format)
        sizes = {"size_mb": artifact.size_bytes, "download_mb": artifact.download_bytes}
        if metric in sizes:
            return sizes[metric] / _BYTES_PER_MB
        return self._valid(artifact, metric)

    def operator_times(self, path: Path, model_format: str) -> Mapping[str, float]:
        """Milliseconds an inference, by the operators' names. Raises PassRejected."""
        times: dict[str, float] = {}
        for each in self._profiled(_artifact(path, model_format)):
            times[each.name] = times.get(each.name, 0.0) + (each.total_ms or 0.0)
        return times

    def layer_times(self, model: nn.Module, task: Task) -> Mapping[str, float]:
        """Milliseconds an inference, by the layers' names. Raises PassRejected."""
        with tempfile.TemporaryDirectory(prefix="trimtab-") as scratch:
            path = Path(scratch) / "model.onnx"
            nodes = export_to_profile(model, task, path)
            return times_of_layers(nodes, self._profiled(_artifact(path, "onnx")))

    def _profiled(self, artifact: Artifact) -> tuple[OperatorTime, ...]:
        """Shares of the time hold on a disturbed device too: a profile has no verdict."""
        result = self._measured(artifact, profile=True)
        profile = result.raw.profile if result.raw is not None else None
        if profile is None or profile.operators_ms is None:
            reason = (profile and profile.unavailable) or "the device sent no times"
            raise PassRejected(self._said(artifact, f"operators have no times: {reason}"))
        return profile.operators

    def _valid(self, artifact: Artifact, metric: str) -> float:
        result = self._measured(artifact, profile=False)
        found = result.metrics.get(metric)
        if found is None or found.value is None:
            reason = found.reason if found is not None else "it compares with the float model"
            raise PassRejected(self._said(artifact, f"{metric} is unavailable: {reason}"))
        if not found.valid:
            # The next one who asks finds the device in another state.
            self._results.pop(_key(artifact), None)
            raise PassRejected(self._said(artifact, f"{metric} is invalid: {found.reason}"))
        return found.value

    def _measured(self, artifact: Artifact, *, profile: bool) -> Result:
        """Raises PassRejected where the file failed there."""
        kept = self._results.get(_key(artifact))
        if kept is not None and (not profile or (kept.raw and kept.raw.profile) is not None):
            return kept
        self._work.say(f"{'profiling' if profile else 'measuring'} {artifact.name} on {self.name}")
        result = self._measure(artifact, profile)
        if result.error is not None:
            error = result.error
            raise PassRejected(self._said(artifact, f"{error.failure_class}: {error.message}"))
        self._results[_key(artifact)] = result
        return result

    def _measure(self, artifact: Artifact, profile: bool) -> Result:
        with tempfile.TemporaryDirectory(prefix="trimtab-") as name:
            scratch = Path(name)
            campaign = Campaign(
                devices=(self._device,),
                candidates=(Candidate(artifact),),
                choices=self._work.choices,
                scratch=scratch,
                state=local_agent_state(),
                inputs=open_inputs(self._work.task, scratch),
                profile=profile,
                rules=self._work.rules,
            )
            results = asyncio.run(measure_fleet(campaign, self._told, lambda found: None))
        return results[0]

    def _told(self, progress: Progress) -> None:
        if progress.severity in ("warning", "error"):
            self._work.say(f"{progress.device}: {progress.text}")

    def _said(self, artifact: Artifact, reason: str) -> str:
        return f"{artifact.name} on {self.name}: {reason}"


def devices_of(
    task: Task | FileTask,
    measure: MeasureSettings,
    own: Sequence[str] = (),
    say: Say = lambda line: None,
    rules: Rules | None = None,
) -> Devices:
    """``own``: the project's selectors, which an empty one stands for. ``rules``: for a device that
    is busy, away or not fit; None: the usual ones.

    The devices raise PassRejected for a selector that does not name exactly one.
    """
    base = replace(measure.base, runtime="")
    choices = Choices(
        base, measure.runtimes, or_preferred=True, threads=measure.threads[:1], first_only=True
    )
    work = _Work(task, choices, say, rules or Rules())
    known: dict[str, FleetDevice] = {}

    def find(selector: str) -> TargetDevice:
        device = _one_device((selector,) if selector else own)
        return known.setdefault(device.name, FleetDevice(device, work))

    return find


def _one_device(selectors: Sequence[str]) -> InventoryDevice:
    try:
        return select_one(selectors, "name the one to aim at")
    except UserError as error:
        raise PassRejected(f"{error.message}; {error.advice}") from error


def _artifact(path: Path, model_format: str) -> Artifact:
    try:
        artifact = artifact_from_file(path)
    except UserError as error:
        raise PassRejected(f"{error.message}; {error.advice}") from error
    if artifact.format != model_format:
        raise PassRejected(f"{path.name} is not named as a file of the format {model_format}")
    return artifact


def _key(artifact: Artifact) -> str:
    return " ".join(file.digest.sha256 for file in artifact.files)
