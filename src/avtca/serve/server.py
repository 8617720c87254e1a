"""Run the application in uvicorn."""

import math
import socket

import uvicorn
from fastapi import FastAPI

from avtca.errors import ConfigError
from avtca.serve.live import LiveSessions
from avtca.serve.service import Service
from avtca.serve.settings import Settings

MAX_SOCKET_MESSAGE = 2**22
"""Largest message of the live socket in bytes."""


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal ends the process; the address is printed once the service answers.

    Raises:
        ConfigError: The address or the folder cannot be used.
        CheckpointError: The model is missing or damaged.
    """
    service: Service = app.state.service
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            problem, fix = error.strerror or str(error), "choose another --port or --host"
            place = f"{settings.host} port {settings.port}"
            raise ConfigError(f"listen on {place}", problem, fix) from error
        host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
        config = uvicorn.Config(
            app,
            log_level="critical",  # the application logs its errors, without file names
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_s),
            ws_max_size=MAX_SOCKET_MESSAGE,
            ws_per_message_deflate=False,  # JPEG and PCM do not get smaller
        )
        address = f"http://{host}:{listener.getsockname()[1]}/"
        server = _Server(config, service, app.state.live, address)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            if service.failure is not None:
                raise service.failure from None
            raise


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, service: Service, live: LiveSessions, address: str
    ) -> None:
        super().__init__(config)
        self.service, self.live, self.address = service, live, address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"avtca serves on {self.address} (Ctrl-C to stop)", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.service.stopping.set()  # streams to clients end, so that their connections close
        await self.live.drain()
        await super().shutdown(sockets)
