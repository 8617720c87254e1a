"""The live socket: sessions, and the messages between them and their clients."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from avtca.errors import AvtcaError, ConfigError
from avtca.recognize.live import LiveResult, LiveSession
from avtca.serve.live_document import asyncapi_document
from avtca.serve.live_messages import (
    Finalize,
    Limits,
    LiveError,
    Message,
    SessionClosed,
    SessionCreate,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    error_message,
    parse_media,
    parse_text,
    result_message,
)
from avtca.serve.live_worker import LiveWorker, RateLimit, warm_up
from avtca.serve.pictures import PictureDecoder
from avtca.serve.problems import Problem
from avtca.serve.service import Service

router = APIRouter()
MAX_OUTBOX = 20
"""Results that wait for a client; when there are more, the oldest are dropped."""
ERRORS_PER_S = 10.0
"""Messages of errors that are sent; more are only counted."""
FINISH_S = 10.0
"""Longest wait for the last result."""
DRAIN_S = 1.0
"""Longest wait for the last messages when the service stops."""
NORMAL, GOING_AWAY, NO_CODE, POLICY, TOO_LARGE, TRY_LATER = 1000, 1001, 1005, 1008, 1009, 1013
"""Close codes of RFC 6455 and its registry."""

Reason = Literal["finalized", "idle", "limit", "shutdown", "replaced"]


class Session:
    """A live session, which outlives a lost socket.

    Attributes:
        owner: Owner of the token.
        socket: The socket that it has now, by identity.
        ended: Set once the last result was given.
    """

    def __init__(self, sessions: "LiveSessions", owner: str, create: SessionCreate) -> None:
        self.id, self.owner = secrets.token_urlsafe(24), owner
        self.started_s = time.monotonic()
        self.socket: WebSocket | None = None
        self.detached_s = self.started_s
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()
        self.n_results = 0
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._outbox: deque[Callable[[], Message]] = deque(maxlen=MAX_OUTBOX)
        self._errors = RateLimit(ERRORS_PER_S)
        self.settings = create.session

    def start(self) -> None:
        """Load the model and start the thread; not for the event loop.

        Raises:
            AvtcaError: The model or a setting cannot be used.
        """
        given, service = self.settings, self._sessions.service
        name = service.models.name(given.model)
        self.recognizer = service.models.load(name)
        engine = self._engine()
        if name not in self._sessions.warm:
            warm_up(engine)
            self._sessions.warm.add(name)
        self.decoder = PictureDecoder(service.settings.live_pixels)
        self.decoder.ready()
        window_s = given.window_s or self.recognizer.backend.spec.window_s
        self.settings = given.model_copy(update={"model": name, "window_s": window_s})
        self.worker = LiveWorker(
            self._engine,
            decode=self.decoder.decode,
            pictures_per_s=service.settings.live_pictures_per_s,
            start_us=given.start_us,
            on_result=self._on_result,
            on_error=self._on_error,
            on_end=self._on_end,
        )

    def _engine(self) -> LiveSession:
        """An engine with the settings now in force."""
        options = self.settings.model_dump(include={"every_s", "person", "window_s"})
        return self.recognizer.live_session(**options)

    def created(self, *, resumed: bool) -> SessionCreated:
        """The answer to ``session.create``."""
        backend, limits = self.recognizer.backend, self._sessions.service.settings
        return SessionCreated(
            session_id=self.id,
            resumed=resumed,
            resume_s=limits.live_resume_s,
            model=backend.name,
            labels=list(backend.spec.labels),
            thresholds=backend.thresholds,
            settings=self.settings,
            limits=Limits(
                message_bytes=1000 * limits.live_message_kb,
                pixels=limits.live_pixels,
                pictures_per_s=limits.live_pictures_per_s,
                session_s=limits.live_s,
                idle_s=limits.live_idle_s,
            ),
        )

    def closed(self, reason: Reason) -> SessionClosed:
        """The last message."""
        results, counts = self.n_results, self.worker.counts
        return SessionClosed(session_id=self.id, reason=reason, results=results, counts=counts)

    def update(self, message: SessionUpdate) -> SessionUpdated:
        """Change settings."""
        changes = message.session.model_dump(exclude_none=True)
        self.settings = self.settings.model_copy(update=changes)
        self.worker.update(message.session)
        return SessionUpdated(settings=self.settings)

    def post(self, message: Callable[[], Message]) -> None:
        """Send a message, which is made when it is sent."""
        self._outbox.append(message)
        self.changed.set()

    def post_error(self, error: LiveError, time_us: int | None = None) -> None:
        """Send an error, unless there are too many."""
        if self._errors.allows():
            message = error_message(error, time_us)
            self.post(lambda: message)

    def next_message(self) -> Message | None:
        """The next message to send, if there is one."""
        return self._outbox.popleft()() if self._outbox else None

    def _on_result(self, result: LiveResult) -> None:
        made_s, sequence, zero_us = time.monotonic(), self.n_results, self.worker.zero_us or 0
        self.n_results += 1
        self._sessions.delay_seconds.observe(result.delay_s)

        def message() -> Message:
            delay_s = result.delay_s + time.monotonic() - made_s
            counts = self.worker.counts
            return result_message(
                result, sequence=sequence, zero_us=zero_us, delay_s=delay_s, counts=counts
            )

        self._call(lambda: self.post(message))

    def _on_error(self, error: LiveError, time_us: int | None) -> None:
        self._call(lambda: self.post_error(error, time_us))

    def _on_end(self) -> None:
        self.decoder.close()
        self._call(self.ended.set)

    def _call(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback)


class LiveSessions:
    """The live sessions of an application, as ``app.state.live``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.warm: set[str] = set()
        self._sessions: dict[str, Session] = {}
        self._starting = 0
        metrics = service.metrics
        metrics.gauge("avtca_live_sessions", "Live sessions.", lambda: len(self._sessions))
        self.delay_seconds = metrics.live_delay_seconds

    async def open(self, owner: str, create: SessionCreate) -> tuple[Session, bool]:
        """Resume a session or start one; and whether it was resumed.

        Raises:
            LiveError: There are too many, or a setting cannot be used.
        """
        known = self._sessions.get(create.session_id or "")
        if known is not None and known.owner == owner and not known.ended.is_set():
            return known, True
        limit = self.service.settings.live_sessions
        is_full = len(self._sessions) + self._starting >= limit
        lost = [one for one in self._sessions.values() if one.socket is None]
        stops = self.service.stopping.is_set()
        if stops or (is_full and not lost):
            problem = "the service stops" if stops else f"all {limit} places are taken"
            raise LiveError("too_many_sessions", "start a session", problem, "try again later")
        if is_full:
            self.end(min(lost, key=lambda one: one.detached_s))
        session = Session(self, owner, create)
        self._starting += 1
        try:
            await asyncio.to_thread(session.start)
        except Problem as error:  # of the model's name
            action, _, rest = error.detail.partition(": ")
            problem, _, fix = rest.partition("; ")
            raise LiveError("bad_settings", action, problem, fix) from None
        except AvtcaError as error:
            code: Any = "bad_settings" if isinstance(error, ConfigError) else "internal"
            raise LiveError(code, error.action, error.problem, error.fix) from error
        finally:
            self._starting -= 1
        self._sessions[session.id] = session
        return session, False

    def end(self, session: Session) -> None:
        """End a session; it cannot be resumed."""
        session.worker.stop()
        self._sessions.pop(session.id, None)

    async def drain(self) -> None:
        """Wait until the clients were told that the service stops, for at most :data:`DRAIN_S`."""
        limit = time.monotonic() + DRAIN_S
        while time.monotonic() < limit and any(one.socket for one in self._sessions.values()):
            await asyncio.sleep(0.02)

    def detach(self, session: Session) -> None:
        """The socket of a session is lost: keep the session for a while."""
        session.socket, session.detached_s = None, time.monotonic()
        since = session.detached_s

        def expire() -> None:
            if session.socket is None and session.detached_s == since:
                self.end(session)

        asyncio.get_running_loop().call_later(self.service.settings.live_resume_s, expire)


@router.websocket("/v1/live")
async def live(websocket: WebSocket) -> None:
    """Recognise pictures and audio while they are recorded (docs/live.md)."""
    sessions: LiveSessions = websocket.app.state.live
    await websocket.accept()
    connection = _Connection(websocket, sessions)
    with suppress(WebSocketDisconnect, RuntimeError):  # the client is gone
        await connection.run()


@router.get("/asyncapi.json", include_in_schema=False)
async def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document of the live socket."""
    return asyncapi_document()


class _Connection:
    """One socket."""

    def __init__(self, websocket: WebSocket, sessions: LiveSessions) -> None:
        self.websocket, self.sessions = websocket, sessions
        self.settings = sessions.service.settings

    async def run(self) -> None:
        """Serve the socket until it or its session ends."""
        try:
            create = await self._first()
            owner = self.websocket.state.owner
            session, resumed = await self.sessions.open(owner, create)
        except LiveError as error:
            await self._send(error_message(error, fatal=True))
            busy = error.code == "too_many_sessions"
            await self.websocket.close(TRY_LATER if busy else POLICY)
            return
        session.socket = self.websocket
        session.changed.set()  # an older socket of the session ends
        await self._send(session.created(resumed=resumed))
        sending = asyncio.create_task(self._send_all(session))
        sending.add_done_callback(lambda task: task.cancelled() or task.exception())
        reason: Reason | None = None
        try:
            reason = await self._receive_all(session, sending)
        finally:
            sending.cancel()
            if self._has(session):
                leave = self.sessions.detach if reason is None else self.sessions.end
                leave(session)
        if reason is not None and self.websocket.client_state == WebSocketState.CONNECTED:
            while (message := session.next_message()) is not None and reason != "replaced":
                await self._send(message)
            await self._send(session.closed(reason))
            await self.websocket.close(GOING_AWAY if reason == "shutdown" else NORMAL)

    async def _first(self) -> SessionCreate:
        """The first message.

        Raises:
            LiveError: It is not ``session.create``.
        """
        try:
            message = await asyncio.wait_for(self.websocket.receive(), self.settings.live_idle_s)
        except TimeoutError:
            message = {"text": None}
        if message.get("type") == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", NORMAL))
        first = parse_text(message.get("text") or "null")
        if not isinstance(first, SessionCreate):
            problem, fix = f"the first message is {first.type}", "send session.create first"
            raise LiveError("bad_message", "start a session", problem, fix)
        return first

    async def _receive_all(self, session: Session, sending: "asyncio.Task[None]") -> Reason | None:
        """Receive until the session ends, for the reason returned; ``None``: the socket is lost."""
        stopping = asyncio.create_task(self.sessions.service.stopping.wait())
        receiving: asyncio.Task[Any] | None = None
        try:
            while True:
                left_s = session.started_s + self.settings.live_s - time.monotonic()
                receiving = asyncio.create_task(self.websocket.receive())
                done, _ = await asyncio.wait(
                    (receiving, sending, stopping),
                    timeout=max(0.0, min(self.settings.live_idle_s, left_s)),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if stopping in done:
                    return "shutdown"
                if sending in done:  # it failed, or another socket has taken over
                    return None if self._has(session) else "replaced"
                if not done:
                    if left_s <= self.settings.live_idle_s:
                        await self._finalize(session)
                        return "limit"
                    return "idle"
                message = receiving.result()
                if message["type"] == "websocket.disconnect":
                    if message.get("code") in (NORMAL, NO_CODE) and self._has(session):
                        self.sessions.end(session)
                    return None
                if self._handle(session, message):
                    await self._finalize(session)
                    return "finalized"
        finally:
            stopping.cancel()
            if receiving is not None:
                receiving.cancel()

    def _handle(self, session: Session, message: Any) -> bool:
        """Take a message; whether it is ``finalize``. Errors concern the message only."""
        data, text = message.get("bytes"), message.get("text")
        time_us: int | None = None
        try:
            size, limit = len(data or text or ""), 1000 * self.settings.live_message_kb
            if size > limit:
                problem, fix = f"it has {size} bytes", f"send at most {limit}"
                raise LiveError("too_large", "read a message", problem, fix)
            if data is not None:
                kind, time_us, payload = parse_media(data)
                session.worker.add(kind, time_us, payload)
                return False
            parsed = parse_text(text or "")
            if isinstance(parsed, SessionUpdate):
                updated = session.update(parsed)
                session.post(lambda: updated)
            elif isinstance(parsed, SessionCreate):
                problem, fix = "the session has started", "open another socket"
                raise LiveError("bad_message", "start a session", problem, fix)
            return isinstance(parsed, Finalize)
        except LiveError as error:
            session.post_error(error, time_us)
            return False

    def _has(self, session: Session) -> bool:
        """Whether the session has no newer socket."""
        return session.socket is self.websocket

    async def _finalize(self, session: Session) -> None:
        session.worker.finalize()
        with suppress(TimeoutError):
            await asyncio.wait_for(session.ended.wait(), FINISH_S)

    async def _send_all(self, session: Session) -> None:
        """Send messages while this is the socket of the session."""
        while self._has(session):
            session.changed.clear()
            while (message := session.next_message()) is not None:
                await self._send(message)
            await session.changed.wait()

    async def _send(self, message: Message) -> None:
        await self.websocket.send_text(message.model_dump_json())
