"""BenchmarkService: jobs, their events and their results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from trimtab_protos.errors import LeaseExpired, SpecInvalid
from trimtab_protos.v1 import benchmark_pb2, benchmark_pb2_grpc

from trimtab_agent.convert import event_to_message, job_to_message
from trimtab_agent.convert_spec import check_text, spec_from_message
from trimtab_agent.jobs import Jobs


class BenchmarkServicer(benchmark_pb2_grpc.BenchmarkServiceServicer):
    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def SubmitJob(  # noqa: N802
        self, request: benchmark_pb2.SubmitJobRequest, context: Any
    ) -> benchmark_pb2.SubmitJobResponse:
        request_id = check_text(request.request_id, "request_id")
        if request.lease_id:
            raise LeaseExpired("this agent hands out no leases yet; leave lease_id empty")
        if not request.HasField("spec"):
            raise SpecInvalid("spec: is missing", field="spec")
        job = await self._jobs.submit(request_id, spec_from_message(request.spec))
        return benchmark_pb2.SubmitJobResponse(job=job_to_message(job))

    async def GetJob(  # noqa: N802
        self, request: benchmark_pb2.GetJobRequest, context: Any
    ) -> benchmark_pb2.GetJobResponse:
        return benchmark_pb2.GetJobResponse(job=job_to_message(self._jobs.get(request.job_id)))

    async def ListJobs(  # noqa: N802
        self, request: benchmark_pb2.ListJobsRequest, context: Any
    ) -> benchmark_pb2.ListJobsResponse:
        page, token = self._jobs.page(request.page_size, request.page_token)
        jobs = [job_to_message(job, with_result=False) for job in page]
        return benchmark_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)

    async def WatchJob(  # noqa: N802
        self, request: benchmark_pb2.WatchJobRequest, context: Any
    ) -> AsyncIterator[benchmark_pb2.WatchJobResponse]:
        log, events = self._jobs.watch(request.job_id, request.after_sequence)
        async for event in events:
            yield benchmark_pb2.WatchJobResponse(event=event_to_message(event, log.view))

    async def CancelJob(  # noqa: N802
        self, request: benchmark_pb2.CancelJobRequest, context: Any
    ) -> benchmark_pb2.CancelJobResponse:
        job = await self._jobs.cancel(request.job_id)
        return benchmark_pb2.CancelJobResponse(job=job_to_message(job))

    async def AcknowledgeJob(  # noqa: N802
        self, request: benchmark_pb2.AcknowledgeJobRequest, context: Any
    ) -> benchmark_pb2.AcknowledgeJobResponse:
        self._jobs.acknowledge(request.job_id)
        return benchmark_pb2.AcknowledgeJobResponse()
