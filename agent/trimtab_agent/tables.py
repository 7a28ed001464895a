"""Plain lines for people: the device, and what the doctor found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from trimtab_agent.records import DeviceInfo, RuntimeInfo, SensorInfo

if TYPE_CHECKING:
    from trimtab_agent.doctor.finding import Examination, Finding

_NOT_TOLD = "not told by this device"


def device_lines(device: DeviceInfo, agent_version: str) -> Iterator[str]:
    memory = f"{device.memory_bytes / 1e6:.0f} MB" if device.memory_bytes else ""
    facts = [
        ("agent", agent_version),
        ("device id", device.device_id),
        ("name", device.display_name),
        ("board", device.board_model),
        ("SoC", device.soc),
        ("CPU", device.cpu_model),
        ("architecture", device.machine_arch),
        ("memory", memory),
        ("system", f"{device.os_release}, kernel {device.kernel_release}"),
        ("Python", device.python_version),
        *device.tuning.items(),
    ]
    yield from _columns([(name, value or _NOT_TOLD) for name, value in facts])
    yield ""
    yield from _columns([_runtime_row(runtime) for runtime in device.runtimes])
    if device.sensors:
        yield ""
        yield from _columns([_sensor_row(sensor) for sensor in device.sensors])


def examination_lines(examination: Examination) -> Iterator[str]:
    for title, findings in examination.sections.items():
        yield f"{title}:"
        yield from (f"  {line}" for line in finding_lines(findings))
        yield ""
    if examination.voids:
        yield "latencies measured now would be INVALID"
    else:
        yield "nothing seen here would make latencies INVALID now"


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.outcome:8} {finding.name}: {finding.seen}"
        if finding.advice:
            yield f"{'':8} -> {finding.advice}"


def _runtime_row(runtime: RuntimeInfo) -> tuple[str, ...]:
    if runtime.unavailable_reason:
        return ("runtime", runtime.name, f"unavailable: {runtime.unavailable_reason}")
    where = ", ".join(runtime.accelerators)
    formats = ", ".join(runtime.model_formats) or "any file"
    return ("runtime", runtime.name, f"{runtime.package} {runtime.version}: {formats} on {where}")


def _sensor_row(sensor: SensorInfo) -> tuple[str, ...]:
    if sensor.unavailable_reason:
        return ("sensor", sensor.name, f"unavailable: {sensor.unavailable_reason}")
    return ("sensor", sensor.name, f"{sensor.unit}, {sensor.scope}")


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
