"""Recognition of one recording while the client waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from avtca.recognize.merge import PAIR, MergedPeople
from avtca.serve.formats import render, wanted_format
from avtca.serve.pool import Task, stopping
from avtca.serve.problems import Problem
from avtca.serve.schemas import ModelsBody, ReportBody
from avtca.serve.service import Service, Slot
from avtca.serve.uploads import Upload, receive_upload

router = APIRouter(prefix="/v1", tags=["recognition"])


class Options(BaseModel):
    """Options of a recognition, those of ``avtca predict``."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Name of a model; see /v1/models.")
    window_s: float | None = Field(None, description="Seconds of a window.")
    hop_s: float | None = Field(None, description="Seconds from window to window.")
    person: Literal["main", "all", "speaker"] = Field(
        "main", description="The largest steady face, all, or the person who speaks."
    )
    start_s: float = Field(0.0, ge=0, description="First second of the part to read.")
    end_s: float | None = Field(None, gt=0, description="Second at which the part ends.")
    attention: bool = Field(False, description="Keep attention maps; for avt-ca.")
    merge: list[str] = Field(
        [],
        description="Persons A and B are one, numbered anew after a cut; may be repeated.",
        json_schema_extra={"items": {"type": "string", "pattern": PAIR}},
    )
    name: str = Field("", description="Name of the recording, for a body that is no form.")


class WaitingOptions(Options):
    """Options of a recognition whose report is the answer."""

    format: str | None = Field(None, description="Format of the report; else that of Accept.")


def checked(service: Service, options: Options) -> tuple[str, dict[str, Any]]:
    """Name of the model, and options of ``Recognizer.predict``, checked before the upload.

    Raises:
        Problem: There is no such model.
        ConfigError: The model has no such windows, or no attention; a pair is not A=B.
    """
    model = service.models.name(options.model)
    recognizer = service.models.load(model)
    recognizer.steps(options.window_s, options.hop_s)
    if options.attention:
        recognizer.require_attention()
    merge = MergedPeople.parse(options.merge)
    return model, options.model_dump(exclude={"model", "name", "format"}) | {"merge": merge}


@asynccontextmanager
async def upload_of(
    request: Request, options: Options
) -> AsyncIterator[tuple[Slot, Upload, str, dict[str, Any]]]:
    """A place, the upload, the model and the options; place and upload go on an error."""
    service: Service = request.app.state.service
    model, given = await asyncio.to_thread(checked, service, options)
    slot = service.admit(request.state.owner)
    upload = None
    try:
        upload = await receive_upload(request, service.spool, service.settings)
        yield slot, upload, model, given
    except BaseException:
        slot.release()
        if upload is not None:
            upload.delete()
        raise


@router.get("/models", response_model=ModelsBody)
async def models(request: Request) -> dict[str, Any]:
    """The models of the service, with their labels and confidence thresholds."""
    service: Service = request.app.state.service
    return {"models": await asyncio.to_thread(service.models.describe)}


@router.post("/recognize", response_model=ReportBody)
async def recognize(request: Request, options: Annotated[WaitingOptions, Query()]) -> Response:
    """Recognise the emotions in a video, an audio file or an image, and wait for the report.

    For recordings of more than a few minutes use jobs.
    """
    wanted = wanted_format(options.format, request.headers.get("accept", ""))
    service: Service = request.app.state.service
    async with upload_of(request, options) as (slot, upload, model, given):
        task = Task(upload.path, upload.name, model, given, waits=True)
        service.read(task, slot, upload)
    result = await _wait(request, service, task)
    return await asyncio.to_thread(render, json.loads(result.report), wanted, result.faces)


async def _wait(request: Request, service: Service, task: Task) -> Any:
    """The result; the task is cancelled where the client is gone or it does not start in time."""
    future = asyncio.wrap_future(task.future)
    gone = asyncio.create_task(_disconnected(request))
    stops = asyncio.create_task(service.stopping.wait())
    late = asyncio.create_task(asyncio.sleep(service.settings.max_wait_s))
    try:
        waiting: set[asyncio.Future[Any]] = {future, gone, stops, late}
        while not future.done():
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            waiting -= {each for each in (stops, late) if each.done()}
            if gone.done():
                raise ClientDisconnect
            if not task.tries and not future.done() and (stops.done() or late.done()):
                if stops.done():
                    raise stopping()
                seconds = service.settings.max_wait_s
                text = f"recognise: no worker was free for {seconds:g} s; try again, or send a job"
                raise Problem(503, text, service.retry_s(service.pool.waiting))
        return future.result()
    except CancelledError:
        raise Problem(503, "recognise: it was cancelled; send it again", 1) from None
    finally:
        if not task.future.done():
            task.cancel()
        for each in (gone, stops, late):
            each.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
