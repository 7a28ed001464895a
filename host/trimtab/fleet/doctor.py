"""What the doctor finds on each of several devices, asked of all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trimtab_protos.errors import NotServed, TrimtabError
from trimtab_protos.v1 import doctor_pb2, doctor_pb2_grpc

from trimtab.fleet.dispatch import connected
from trimtab.fleet.errors import DeviceUnreachable, IdentityProblem, no_answer, translated
from trimtab.fleet.inventory_device import InventoryDevice
from trimtab.fleet.open_files import allow_open_files
from trimtab.plain_text import cleaned

# It takes some fifteen seconds on a fast board, and waits for another host's examination.
DEADLINE_S = 180.0
_OLDER = ("an older agent, without a doctor", "upgrade trimtab-agent there")
_OUTCOMES: dict[int, Literal["ok", "warning", "unknown"]] = {
    doctor_pb2.Finding.OUTCOME_OK: "ok",
    doctor_pb2.Finding.OUTCOME_WARNING: "warning",
}


@dataclass(frozen=True)
class Finding:
    """``advice`` is empty where there is nothing to do; ``voids_latency``: latencies measured now
    would be INVALID for it."""

    section: str
    name: str
    outcome: Literal["ok", "warning", "unknown"]
    seen: str
    advice: str
    voids_latency: bool


@dataclass(frozen=True)
class Examined:
    findings: tuple[Finding, ...]
    voids_latency: bool


@dataclass(frozen=True)
class NotExamined:
    """``answers``: the agent does, and says why not; false also where one of the two does not trust
    the other."""

    reason: str
    advice: str
    answers: bool


async def examine_devices(
    devices: Sequence[InventoryDevice], state: Path
) -> dict[str, Examined | NotExamined]:
    """By name. ``state``: the local agent's folder."""
    allow_open_files(len(devices))
    answers = await asyncio.gather(*(_examine(device, state) for device in devices))
    return {device.name: answer for device, answer in zip(devices, answers, strict=True)}


async def _examine(device: InventoryDevice, state: Path) -> Examined | NotExamined:
    try:
        async with connected(device, state) as client:
            stub: Any = doctor_pb2_grpc.DoctorServiceStub(client.channel)
            with translated(device.name):
                answer = await stub.Examine(doctor_pb2.ExamineRequest(), timeout=DEADLINE_S)
    except NotServed:
        return NotExamined(*_OLDER, answers=True)
    except (DeviceUnreachable, TrimtabError) as error:
        why = no_answer(error)
        answers = not isinstance(error, DeviceUnreachable | IdentityProblem)
        return NotExamined(why.reason, why.advice, answers)
    findings = tuple(cleaned(_finding(each)) for each in answer.findings)
    return Examined(findings, answer.voids_latency)


def _finding(message: doctor_pb2.Finding) -> Finding:
    return Finding(
        section=message.section,
        name=message.name,
        outcome=_OUTCOMES.get(message.outcome, "unknown"),
        seen=message.seen,
        advice=message.advice,
        voids_latency=message.voids_latency,
    )
