"""Errors as problem details (RFC 9457, ``application/problem+json``)."""

import errno
import logging
import sqlite3
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from avtca.errors import AvtcaError
from avtca.text import printable

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger("avtca.serve")


class ProblemDetails(BaseModel):
    """What failed, in the words of the command line."""

    type: str = Field("about:blank", description="Kind of the problem.")
    title: str = Field(description="The kind in words.", examples=["Unprocessable Content"])
    status: int = Field(description="HTTP status.", examples=[422])
    detail: str = Field(
        description="One line: action, problem and fix.",
        examples=["read clip.mp4: the file is empty; export or copy the file again"],
    )
    instance: str = Field("", description="X-Request-Id of the request.")


class Problem(Exception):
    """An error with an HTTP status.

    Args:
        status: HTTP status.
        detail: One line: what was attempted, what is wrong, what to do.
        retry_s: Seconds after which the request may be repeated.
    """

    def __init__(self, status: int, detail: str, retry_s: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_s = status, printable(detail), retry_s

    def to_dict(self, instance: str = "") -> dict[str, Any]:
        """The content of :class:`ProblemDetails`."""
        return problem_details(self.status, self.detail, instance)


def problem_details(status: int, detail: str, instance: str = "") -> dict[str, Any]:
    """The content of :class:`ProblemDetails`."""
    title = HTTPStatus(status).phrase
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": " ".join(detail.split()),
        "instance": instance,
    }


def problem_response(
    status: int, detail: str, instance: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A response with problem details."""
    content = problem_details(status, detail, instance)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every error of an application with problem details."""

    def respond(request: Request, status: int, detail: str, **headers: str) -> JSONResponse:
        instance = getattr(request.state, "request_id", "")
        return problem_response(status, detail, instance, headers)

    async def problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        headers = {} if error.retry_s is None else {"Retry-After": str(error.retry_s)}
        return respond(request, error.status, error.detail, **headers)

    async def avtca_error(request: Request, error: Exception) -> JSONResponse:
        return respond(request, 422, str(error))

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        text = str(error.detail)
        if text == HTTPStatus(error.status_code).phrase:
            text = f"{request.method} {request.url.path[:80]}: {text.lower()}; see /openapi.json"
        return respond(request, error.status_code, printable(text), **dict(error.headers or {}))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()
        )
        return respond(request, 422, printable(f"read the request: {problems}; see /openapi.json"))

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(AvtcaError, avtca_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)


def server_error(error: Exception, instance: str) -> tuple[int, str]:
    """Status and text of an error of the service itself.

    The log gets the kind and the place of the error, not its text, which could have a file name.
    """
    no_space = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    if no_space or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return 507, "store the upload: the disk of the service is full; try again later"
    places = traceback.extract_tb(error.__traceback__)
    place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    logger.error("internal error %s at %s, request %s", type(error).__name__, place, instance)
    return 500, "internal error; report it with the instance, which is in the log of the service"
