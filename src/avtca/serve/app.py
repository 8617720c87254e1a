"""The application: its routes, and what goes around every request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from avtca.serve import coding, jobs, live, login, page, probes, recognition
from avtca.serve.auth import Auth, Tokens
from avtca.serve.openapi import describe
from avtca.serve.outermost import Outermost
from avtca.serve.problems import ProblemDetails, add_handlers
from avtca.serve.service import Service
from avtca.serve.settings import Settings, read_tokens


def create_app(settings: Settings) -> FastAPI:
    """The application of `avtca serve`.

    ``app.state`` has the ``service`` and its ``settings``, ``models`` and ``spool``, and the
    ``live`` sessions; ``request.state`` has the ``owner`` (a hash of the token) and the
    ``request_id``.

    Args:
        settings: See :func:`avtca.serve.settings.load_settings`.

    Raises:
        ConfigError: The tokens cannot be read, or other machines reach the service without one.
    """
    tokens = Tokens(read_tokens(settings))
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="avtca",
        summary="Which emotions are expressed in a video, when, and by whom.",
        version=version("avtca"),
        docs_url=None,  # these pages load scripts of another host
        redoc_url=None,
        lifespan=lifespan,
        responses={"4XX": {"model": ProblemDetails}},  # see avtca.serve.openapi
    )
    app.state.service, app.state.settings = service, settings
    app.state.models, app.state.spool = service.models, service.spool
    app.state.owner_of = tokens.owner
    app.state.live = live.LiveSessions(service)
    add_handlers(app)
    app.add_middleware(Auth, tokens=tokens)
    app.add_middleware(Outermost, metrics=service.metrics)

    for part in (probes, login, recognition, jobs, live, coding, page):
        app.include_router(part.router)
    describe(app, tokens)
    return app
