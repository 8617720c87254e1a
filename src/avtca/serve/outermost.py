"""What goes around every request: its id, a line in the log, metrics, and errors of the service."""

import asyncio
import logging
import re
import time
import uuid
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avtca.serve.metrics import Metrics
from avtca.serve.problems import problem_response, server_error

DRAINED_BYTES, DRAINED_S = 2**25, 5.0
"""How much of a refused upload is read, so that the client gets the answer."""
METHODS = ("WS", "GET", "HEAD", "POST", "DELETE", "OPTIONS")
GONE = 499
"""Status in log and metrics of a request whose client is gone."""
_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
logger = logging.getLogger("avtca.serve")


class Outermost:
    """Middleware around all others.

    Logs have the method, the route (without ids and names), the status, and the request id.

    Args:
        app: The application.
        metrics: Its metrics.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its id, and a response with the id of its request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = _Request(scope, receive, send)
        started = time.monotonic()
        try:
            await self.app(scope, request.receive, request.send)
        except ClientDisconnect:
            request.status = GONE
        except Exception as error:
            if request.status or scope["type"] == "websocket":
                logger.error("internal error %s, request %s", type(error).__name__, request.id)
                raise
            status, text = server_error(error, request.id)
            await problem_response(status, text, request.id)(scope, receive, request.send)
        finally:
            self._record(scope, request, time.monotonic() - started)

    def _record(self, scope: Scope, request: "_Request", seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope.get("method", "WS")
        method = method if method in METHODS else "other"  # few values: each is a row of metrics
        self.metrics.requests.labels(method, route, request.status).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        text = "%s %s %d, %.0f ms, request %s"
        logger.info(text, method, route, request.status, 1000 * seconds, request.id)


class _Request:
    """The messages of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.status = 0
        scope.setdefault("state", {})["request_id"] = self.id
        self._receive, self._send = receive, send
        has_body = "content-length" in headers or "transfer-encoding" in headers
        self._has_more = has_body and headers.get("expect", "").lower() != "100-continue"

    async def receive(self) -> Message:
        """The next message of the client."""
        message = await self._receive()
        self._has_more = self._has_more and bool(message.get("more_body"))
        return message

    async def send(self, message: Message) -> None:
        """Send a message, with the headers of every response."""
        if message["type"] in ("http.response.start", "websocket.accept"):
            self.status = int(message.get("status", 101))
            if self.status >= 400:
                await self._drain()
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def _drain(self) -> None:
        """Read what is left of the body: many clients look for the answer after they sent it."""

        async def read() -> None:
            size = 0
            while self._has_more and size < DRAINED_BYTES:
                message: Any = await self.receive()
                size += len(message.get("body", b""))

        with suppress(TimeoutError, ClientDisconnect):
            await asyncio.wait_for(read(), DRAINED_S)
