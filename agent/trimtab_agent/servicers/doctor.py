"""DoctorService: what `trimtab-agent doctor` finds, over the wire."""

from __future__ import annotations

from typing import Any

from trimtab_protos.v1 import doctor_pb2, doctor_pb2_grpc

from trimtab_agent import __version__
from trimtab_agent.config import MAX_CHUNK_BYTES
from trimtab_agent.convert import device_to_message
from trimtab_agent.doctor.finding import Examination, Finding
from trimtab_agent.doctor.visits import Visits
from trimtab_agent.inventory import Inventory

_OUTCOMES = {
    "ok": doctor_pb2.Finding.OUTCOME_OK,
    "warning": doctor_pb2.Finding.OUTCOME_WARNING,
    "unknown": doctor_pb2.Finding.OUTCOME_UNKNOWN,
}


class DoctorServicer(doctor_pb2_grpc.DoctorServiceServicer):
    def __init__(self, visits: Visits, inventory: Inventory) -> None:
        self._visits = visits
        self._inventory = inventory

    async def Examine(  # noqa: N802
        self, request: doctor_pb2.ExamineRequest, context: Any
    ) -> doctor_pb2.ExamineResponse:
        # First: finding out what the device is loads it too, once.
        info = await self._inventory.device()
        found = await self._visits.examination()
        return doctor_pb2.ExamineResponse(
            findings=_messages(found),
            voids_latency=found.voids,
            device_info=device_to_message(info, __version__, MAX_CHUNK_BYTES),
        )


def _messages(found: Examination) -> list[doctor_pb2.Finding]:
    return [
        _message(section, finding)
        for section, findings in found.sections.items()
        for finding in findings
    ]


def _message(section: str, finding: Finding) -> doctor_pb2.Finding:
    return doctor_pb2.Finding(
        section=section,
        name=finding.name,
        outcome=_OUTCOMES[finding.outcome],
        seen=finding.seen,
        advice=finding.advice,
        voids_latency=finding.voids,
    )
