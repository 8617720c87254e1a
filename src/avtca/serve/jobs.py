"""Recognition in the background: jobs with progress, and their results."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from avtca.serve.formats import render, wanted_format
from avtca.serve.problems import Problem
from avtca.serve.recognition import Options, upload_of
from avtca.serve.schemas import JobBody, JobsBody, ReportBody, TrackBody
from avtca.serve.service import Service
from avtca.serve.store import Job, Part
from avtca.serve.uploads import shown_name

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _job(request: Request, id: str) -> Job:
    return await asyncio.to_thread(_service(request).job, id, request.state.owner)


@router.post("", status_code=202, response_model=JobBody)
async def add_job(request: Request, options: Annotated[Options, Query()]) -> Response:
    """Send a recording that is recognised in the background."""
    service = _service(request)
    async with upload_of(request, options) as (slot, upload, model, given):
        owner = request.state.owner
        job = await asyncio.to_thread(service.add_job, owner, slot, upload, model, given)
    return JSONResponse(job.to_dict(), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("", response_model=JobsBody)
async def list_jobs(request: Request) -> dict[str, Any]:
    """The jobs of the token, the newest first."""
    jobs = await asyncio.to_thread(_service(request).jobs, request.state.owner)
    return {"jobs": [job.to_dict() for job in jobs]}


@router.get("/{id}", response_model=JobBody)
async def get_job(request: Request, id: str) -> dict[str, Any]:
    """A job and how far it is."""
    return (await _job(request, id)).to_dict()


@router.delete("/{id}", response_model=JobBody)
async def delete_job(request: Request, id: str) -> dict[str, Any]:
    """Cancel a job that is not finished, or delete a finished one and its result."""
    job = await _job(request, id)
    return (await asyncio.to_thread(_service(request).remove_job, job)).to_dict()


@router.get("/{id}/events", response_class=StreamingResponse)
async def job_events(request: Request, id: str) -> StreamingResponse:
    """The job after each change, as server-sent events ``job``, until it ends."""
    await _job(request, id)

    async def events() -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        async for job in _service(request).watch(id, request.state.owner):
            yield (
                ": waiting\n\n"
                if job is None
                else (f"event: job\ndata: {json.dumps(job.to_dict())}\n\n")
            )

    return StreamingResponse(
        events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/{id}/report", response_model=ReportBody)
async def job_report(request: Request, id: str, format: str | None = None) -> Response:
    """The report of a job that is done, in any format of /v1/recognize."""
    for name in request.query_params:
        if name != "format":
            text = f"read the request: {shown_name(name)} is no option of a report; "
            raise Problem(422, text + "give it with the recording, to POST /v1/jobs")
    wanted = wanted_format(format, request.headers.get("accept", ""))
    report = await _part(request, id, "report")
    faces = await _part(request, id, "faces") if wanted == "html" else b""
    return await asyncio.to_thread(render, json.loads(report), wanted, faces)


@router.get("/{id}/track", response_model=TrackBody)
async def job_track(request: Request, id: str) -> Response:
    """Face boxes by true timestamps, and peaks of the waveform, of a job that is done."""
    return Response(await _part(request, id, "track"), media_type="application/json")


@router.get("/{id}/attention", response_model=dict[str, Any])
async def job_attention(request: Request, id: str) -> Response:
    """Attention maps of a job with ``attention=true`` that is done."""
    found = await _part(request, id, "attention")
    if not found:
        text = "show attention: there are no maps; send the job with attention=true, and a "
        raise Problem(404, text + "recording with a face and a voice")
    return Response(found, media_type="application/json")


async def _part(request: Request, id: str, part: Part) -> bytes:
    """A part of a result.

    Raises:
        Problem: The job is not done.
    """
    job = await _job(request, id)
    if job.state != "done":
        reason = f": {job.problem['detail']}" if job.problem else ""
        text = f"read the result of the job: it is {job.state}{reason}"
        raise Problem(409, f"{text}; see /v1/jobs/{id}")
    return await asyncio.to_thread(_service(request).store.part, id, part)
