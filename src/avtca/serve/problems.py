"""Errors as problem details (RFC 9457, ``application/problem+json``)."""

import errno
import logging
import re
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
from starlette.routing import Match

from avtca.errors import AvtcaError
from avtca.serve.invalid import invalid
from avtca.text import printable

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "DELETE")
_OPTIONS = (
    (re.compile(r"--(window|hop)(?!\w)"), r"\1_s"),
    (re.compile(r"--(model|person|merge) (?=\w)"), r"\1="),
)
"""Options of the command line that errors name, and what replaces them over HTTP."""
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
        return respond(request, 422, in_words_of_http(str(error)))

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        headers, path = dict(error.headers or {}), request.url.path[:80]
        if error.status_code == 404:
            text = f"find {path}: there is no such address; see /openapi.json"
        elif error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(request))
            text = f"send {request.method} {path}: it takes {headers['Allow']} only"
            text += "; see /openapi.json"
        elif error.status_code == 400:
            text = "read the request: the body is damaged; send valid JSON"
        else:
            text = str(error.detail)
        return respond(request, error.status_code, printable(text), **headers)

    async def invalid_request(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        problem, fix = invalid({**first, "loc": first["loc"][1:]})  # not "query" or "body"
        return respond(request, 422, f"read the request: {problem}; {fix}")

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(AvtcaError, avtca_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid_request)


def in_words_of_http(text: str) -> str:
    """A line of the command line with the names that its options have over HTTP."""
    for option, name in _OPTIONS:
        text = option.sub(name, text)
    return text


def _methods(request: Request) -> list[str]:
    """The methods that an address takes."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] == Match.FULL
            for route in request.app.routes
        )
    ]


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
