"""BenchmarkService: jobs, their events and their results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from trimtab_protos.errors import SpecInvalid
from trimtab_protos.v1 import benchmark_pb2, benchmark_pb2_grpc

from trimtab_agent.callers import shown_holder
from trimtab_agent.convert import event_to_message, job_to_message
from trimtab_agent.convert_spec import check_text, spec_from_message
from trimtab_agent.convert_status import check_holder
from trimtab_agent.job_record import JobView
from trimtab_agent.jobs import Jobs

# Of one page: any gRPC client takes 4 MiB unless it is told otherwise.
_MAX_PAGE_BYTES = 3 << 20


class BenchmarkServicer(benchmark_pb2_grpc.BenchmarkServiceServicer):
    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def SubmitJob(  # noqa: N802
        self, request: benchmark_pb2.SubmitJobRequest, context: Any
    ) -> benchmark_pb2.SubmitJobResponse:
        request_id = check_text(request.request_id, "request_id")
        holder = shown_holder(check_holder(request.holder), context)
        if not request.HasField("spec"):
            raise SpecInvalid("spec: is missing", field="spec")
        spec = spec_from_message(request.spec)
        job = await self._jobs.submit(request_id, spec, request.lease_id, holder)
        return benchmark_pb2.SubmitJobResponse(job=self._message(job))

    async def GetJob(  # noqa: N802
        self, request: benchmark_pb2.GetJobRequest, context: Any
    ) -> benchmark_pb2.GetJobResponse:
        job = self._jobs.get(request.job_id)
        return benchmark_pb2.GetJobResponse(job=self._message(job))

    async def ListJobs(  # noqa: N802
        self, request: benchmark_pb2.ListJobsRequest, context: Any
    ) -> benchmark_pb2.ListJobsResponse:
        page, token = self._jobs.page(request.page_size, request.page_token)
        answer = benchmark_pb2.ListJobsResponse()
        size = 0
        for job in page:
            message = self._message(job, with_result=False)
            size += message.ByteSize()
            if answer.jobs and size > _MAX_PAGE_BYTES:
                token = answer.jobs[-1].job_id
                break
            answer.jobs.append(message)
        answer.next_page_token = token
        return answer

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
        return benchmark_pb2.CancelJobResponse(job=self._message(job))

    async def AcknowledgeJob(  # noqa: N802
        self, request: benchmark_pb2.AcknowledgeJobRequest, context: Any
    ) -> benchmark_pb2.AcknowledgeJobResponse:
        self._jobs.acknowledge(request.job_id)
        return benchmark_pb2.AcknowledgeJobResponse()

    def _message(self, job: JobView, with_result: bool = True) -> benchmark_pb2.Job:
        return job_to_message(job, with_result, self._jobs.position(job.job_id))
