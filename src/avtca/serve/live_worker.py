"""Recognition of one live session in a separate thread."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avtca import preprocess
from avtca.audio import voice_activity
from avtca.recognize.live import LiveResult, LiveSession
from avtca.serve.live_messages import (
    AUDIO,
    PICTURE,
    SAMPLE_RATE,
    Counts,
    LiveError,
    SessionUpdates,
    decode_audio,
)
from avtca.serve.pictures import BadPicture

MAX_PICTURES = 32
"""Pictures that may wait."""
MAX_AUDIO_BYTES = 10 * 2 * SAMPLE_RATE
"""Audio that may wait: ten seconds."""
STALE_S = 0.3
"""A picture that has waited for longer is dropped, if a newer one waits."""
MAX_AHEAD_S = 10.0
"""Media may come faster than they were recorded by so many seconds."""
AUDIO_BLOCKS_PER_S = 200.0

logger = logging.getLogger("avtca.serve")


@dataclass(frozen=True)
class _Item:
    """A media message that waits."""

    kind: int
    time_us: int
    payload: memoryview
    arrived_s: float


class RateLimit:
    """At most so many a second, and a second's worth at once."""

    def __init__(self, per_s: float) -> None:
        self._per_s = self._left = per_s
        self._last_s = time.monotonic()

    def allows(self) -> bool:
        """Whether there may be one more now; counts it."""
        now = time.monotonic()
        self._left = min(self._per_s, self._left + (now - self._last_s) * self._per_s)
        self._last_s = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class LiveWorker:
    """Feeds a session in a thread.

    Media wait in the order of their arrival. When pictures come faster than they can be read, the
    oldest are dropped.

    Args:
        make_session: Makes the engine; called again after an internal error.
        decode: Decodes a picture, or raises ``BadPicture``.
        pictures_per_s: Most pictures a second.
        start_us: Zero of the session on the client's clock; ``None`` for the first media.
        on_result: Called in the thread with each result.
        on_error: Called in the thread with an error and the time of its message.
        on_end: Called in the thread once the last result was given.
    """

    def __init__(
        self,
        make_session: Callable[[], LiveSession],
        *,
        decode: Callable[[memoryview], NDArray[np.uint8]],
        pictures_per_s: float,
        start_us: int | None,
        on_result: Callable[[LiveResult], None],
        on_error: Callable[[LiveError, int | None], None],
        on_end: Callable[[], None],
    ) -> None:
        self.counts = Counts()
        self.zero_us = start_us
        self._make_session, self._decode = make_session, decode
        self._on_result, self._on_error, self._on_end = on_result, on_error, on_end
        self._session = make_session()
        self._rates = {PICTURE: RateLimit(pictures_per_s), AUDIO: RateLimit(AUDIO_BLOCKS_PER_S)}
        self._first_s: float | None = None
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting = {PICTURE: 0, AUDIO: 0}
        self._updates = SessionUpdates()
        self._ending = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="avtca-live", daemon=True)
        self._thread.start()

    # In the event loop

    def add(self, kind: int, time_us: int, payload: memoryview) -> None:
        """Queue a media message.

        Raises:
            LiveError: Its time is far from the others.
        """
        now = time.monotonic()
        with self._changed:
            self._count("pictures" if kind == PICTURE else "audio_blocks")
            if not self._rates[kind].allows():
                self._count("over_rate")
                return
            self._check_time(time_us, now)
            self._items.append(_Item(kind, time_us, payload, now))
            self._waiting[kind] += 1 if kind == PICTURE else len(payload)
            if self._waiting[PICTURE] > MAX_PICTURES:
                self._drop(PICTURE)
                self._count("stale")
            while self._waiting[AUDIO] > MAX_AUDIO_BYTES:
                self._drop(AUDIO)
                self._count("stale_audio")
            self._changed.notify()

    def update(self, updates: SessionUpdates) -> None:
        """Change settings, from the next result on."""
        with self._changed:
            given = updates.model_dump(exclude_none=True)
            self._updates = self._updates.model_copy(update=given)
            self._changed.notify()

    def finalize(self) -> None:
        """Read what waits, give the last result, and end."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def stop(self) -> None:
        """End without another result."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(seconds)

    def _check_time(self, time_us: int, now: float) -> None:
        if self.zero_us is None:
            self.zero_us = time_us
        if self._first_s is None:
            self._first_s = now - max(0, time_us - self.zero_us) / 1e6
        ahead_s = (time_us - self.zero_us) / 1e6 - (now - self._first_s)
        if ahead_s > MAX_AHEAD_S or time_us - self.zero_us < -1e6 * MAX_AHEAD_S:
            where = f"{ahead_s:.0f} s ahead of the clock" if ahead_s > 0 else "before the start"
            problem, fix = f"its time is {where}", "send microseconds of one clock, as they pass"
            raise LiveError("bad_time", "place a media message", problem, fix)

    def _count(self, name: str) -> None:
        with self._changed:
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    def _drop(self, kind: int) -> None:
        """Drop the oldest message of a kind."""
        oldest = next(item for item in self._items if item.kind == kind)
        self._items.remove(oldest)
        self._waiting[kind] -= 1 if kind == PICTURE else len(oldest.payload)

    # In the thread

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._guard(item)
            if not self._stopped:
                self._guard(None)
        finally:
            self._on_end()

    def _next(self) -> _Item | None:
        """The next message, ``None`` at the end."""
        with self._changed:
            while True:
                while not (self._items or self._ending or self._stopped):
                    self._changed.wait()
                if self._stopped or not self._items:
                    return None
                item = self._items.popleft()
                self._waiting[item.kind] -= 1 if item.kind == PICTURE else len(item.payload)
                waited_s = time.monotonic() - item.arrived_s
                if item.kind == AUDIO or waited_s < STALE_S or not self._waiting[PICTURE]:
                    return item
                self._count("stale")

    def _guard(self, item: _Item | None) -> None:
        """Read a message, or the end; an error concerns this message only."""
        time_us = None if item is None else item.time_us
        try:
            for result in self._session.finish() if item is None else self._read(item):
                self._on_result(result)
        except LiveError as error:
            self._count("bad_pictures" if error.code == "bad_picture" else "bad_audio")
            self._on_error(error, time_us)
        except Exception as error:
            logger.error("internal error %s in a live session", type(error).__name__)
            problem, fix = "internal error", "go on; results begin anew"
            self._on_error(LiveError("internal", "recognise", problem, fix), time_us)
            self._session = self._make_session()

    def _read(self, item: _Item) -> list[LiveResult]:
        assert self.zero_us is not None
        with self._changed:
            updates, self._updates = self._updates, SessionUpdates()
            waited_s = time.monotonic() - item.arrived_s
            self._session.behind = waited_s > STALE_S and bool(self._items)
        if updates.every_s is not None:
            self._session.every_s = updates.every_s
        if updates.person is not None:
            self._session.person = updates.person
        at_s = (item.time_us - self.zero_us) / 10**6
        if item.kind == AUDIO:
            wave = decode_audio(item.payload)
            if at_s + len(wave) / SAMPLE_RATE <= self._session.audio_s - 0.1:
                self._count("stale_audio")
                return []
            return self._session.add_audio(wave, time_s=at_s, arrived_s=item.arrived_s)
        if at_s < 0 or at_s <= self._session.frame_s:
            self._count("stale")
            return []
        if not self._session.needs(at_s):
            return []
        try:
            rgb = self._decode(item.payload)
        except BadPicture as error:
            raise LiveError("bad_picture", error.action, error.problem, error.fix) from error
        return self._session.add_frame(at_s, rgb, arrived_s=item.arrived_s)


def warm_up(session: LiveSession) -> None:
    """Load all networks, so that the first result is as fast as the others."""
    backend = session.backend
    spec = backend.spec
    noise = np.random.default_rng(0).standard_normal(spec.window_samples, np.float32)
    noise /= np.float32(20)
    voice_activity(noise, spec.sample_rate)
    audio = preprocess.audio_window(noise, spec)
    side = backend.crop_px
    crop = np.zeros((1, side, side, *((3,) if backend.colour == "rgb" else ())), np.uint8)
    video = preprocess.video_window(np.arange(1), backend.encode_faces(crop), 0, spec)
    backend.logits(preprocess.stack([(*video, *audio)]))
