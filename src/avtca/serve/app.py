"""The application: its routes, and what goes around every request."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avtca.serve import coding, live, page, recognition
from avtca.serve.auth import Auth
from avtca.serve.models import Models
from avtca.serve.problems import ProblemDetails, add_handlers
from avtca.serve.settings import Settings, read_tokens

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def create_app(settings: Settings) -> FastAPI:
    """The application of `avtca serve`.

    ``app.state`` has ``settings``, ``models`` and the folder ``spool``; ``request.state`` has the
    ``owner`` (a hash of the token) and the ``request_id``.

    Args:
        settings: See :func:`avtca.serve.settings.load_settings`.

    Raises:
        ConfigError: The tokens cannot be read, or other machines reach the service without one.
    """
    tokens = read_tokens(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.spool = settings.data / "spool"
        app.state.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield

    app = FastAPI(
        title="avtca",
        summary="Which emotions are expressed in a video, when, and by whom.",
        version=version("avtca"),
        lifespan=lifespan,
        responses={"4XX": {"model": ProblemDetails}, "5XX": {"model": ProblemDetails}},
    )
    app.state.settings = settings
    app.state.models = Models(settings.model)
    add_handlers(app)
    app.add_middleware(Auth, tokens=tokens)
    app.add_middleware(RequestIds)

    @app.get("/healthz", tags=["service"])
    async def healthz() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    for part in (recognition, live, coding, page):
        app.include_router(part.router)
    return app


class RequestIds:
    """Middleware: the id of each request, ``X-Request-Id``, given or drawn."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its id, and a response with the id of its request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_id)
