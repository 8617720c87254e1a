"""Annotations of the page: export, import and agreement."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import fields
from pathlib import PurePath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from avtca.recognize.coding import (
    MAX_BYTES,
    Agreement,
    CodedTier,
    Coding,
    agreement,
    make_coding,
    read_coding,
)
from avtca.recognize.exports.coding import CODING_EXPORTS
from avtca.serve import uploads
from avtca.serve.formats import TYPES
from avtca.serve.problems import Problem

Seconds = Annotated[float, Field(ge=0, le=1e7)]


class _SmallRequest(Request):
    """A request whose JSON is refused before it fills the memory."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            data = bytearray()
            async for block in self.stream():
                data += block
                if len(data) > MAX_BYTES:
                    text = f"read the coding: it is over {MAX_BYTES >> 20} MB"
                    # FastAPI passes on errors of this kind only
                    raise HTTPException(413, f"{text}; send fewer tiers at a time")
            self._body = bytes(data)
        return self._body


class _SmallRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.body_field is not None:
                _check_type(request)
            return await handler(_SmallRequest(request.scope, request.receive))

        return handle


def _check_type(request: Request) -> None:
    """Raise a problem where the body is not declared to be JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        text = f"read the coding: its Content-Type is {kind[:80] or 'missing'}"
        raise Problem(415, f"{text}; send application/json")


router = APIRouter(prefix="/v1/coding", tags=["coding"], route_class=_SmallRoute)


class Compared(BaseModel):
    """Two tiers of one recording."""

    first: CodedTier
    second: CodedTier
    exclude: list[tuple[Seconds, Seconds]] = Field([], description="Ranges that are left out.")


@router.post("/export", response_class=Response)
def export(coding: Coding, format: Literal["eaf", "textgrid", "vtt", "csv", "json"]) -> Response:
    """The coding as a file: ELAN, Praat TextGrid, WebVTT, a sheet of labelled clips, or JSON."""
    coding = make_coding(
        f"export to {format}", *(getattr(coding, field.name) for field in fields(coding))
    )
    suffix, write = CODING_EXPORTS[format]
    name = quote((PurePath(coding.media).stem or "coding") + suffix, safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(write(coding), media_type=TYPES[format], headers=headers)


@router.post("/import", name="import")
async def import_(
    request: Request,
    name: Annotated[str, Query(description="Name of the file, for a body that is no form.")] = "",
) -> Coding:
    """The coding in a file: ELAN, TextGrid, VTT, SRT, CSV, or the JSON of an export."""
    state = request.app.state
    settings = state.settings.model_copy(
        update={"max_mb": min(state.settings.max_mb, MAX_BYTES / 1e6)}
    )
    upload = await uploads.receive_upload(request, state.spool, settings)

    def read() -> Coding:
        try:
            return read_coding(upload.name, upload.path.read_bytes())
        finally:
            upload.delete()

    return await asyncio.to_thread(read)


@router.post("/agreement")
def compare(compared: Compared) -> Agreement:
    """Cohen's kappa of two tiers, weighted by time, over the seconds that both have labelled."""
    first, second = (
        make_coding("compare the tiers", "", None, [tier]).tiers[0]
        for tier in (compared.first, compared.second)
    )
    for start_s, end_s in compared.exclude:
        if start_s >= end_s:
            text = f"compare the tiers: the excluded range from {start_s:g} to {end_s:g} s has no"
            raise Problem(422, f"{text} length; correct its times")
    return agreement(first, second, compared.exclude)
