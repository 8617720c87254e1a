"""Recognition of one file while the client waits."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from avtca.serve import uploads
from avtca.serve.formats import render, wanted_format
from avtca.serve.uploads import Upload

router = APIRouter(prefix="/v1", tags=["recognition"])


class Options(BaseModel):
    """Options of a recognition, those of ``avtca predict``."""

    model_config = ConfigDict(extra="ignore")

    model: str | None = Field(None, description="Name of a model; see /v1/models.")
    window_s: float | None = Field(None, description="Seconds of a window.")
    hop_s: float | None = Field(None, description="Seconds from window to window.")
    person: Literal["main", "all"] = Field("main", description="The largest steady face or all.")
    start_s: float = Field(0.0, ge=0, description="First second of the part to read.")
    end_s: float | None = Field(None, gt=0, description="Second at which the part ends.")
    attention: bool = Field(False, description="Keep attention maps; for avt-ca.")


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The models of the service, with their labels and confidence thresholds."""
    return {"models": await asyncio.to_thread(request.app.state.models.describe)}


@router.post("/recognize")
async def recognize(
    request: Request, options: Annotated[Options, Query()], format: str | None = None
) -> Response:
    """Recognise the emotions in a video, an audio file or an image, and wait for the report."""
    wanted = wanted_format(format, request.headers.get("accept", ""))
    state = request.app.state
    model = state.models.name(options.model)
    upload = await uploads.receive_upload(request, state.spool, state.settings)

    def predict(upload: Upload) -> dict[str, Any]:
        try:
            given = options.model_dump(exclude={"model"})
            report = state.models.load(model).predict(upload.path, **given)
            plain: dict[str, Any] = replace(report, file=upload.name).to_dict()
            return plain
        finally:
            upload.delete()

    return render(await asyncio.to_thread(predict, upload), wanted)
