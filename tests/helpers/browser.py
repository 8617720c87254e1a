"""A browser for tests of the page, clips made for it, and a connection that can be cut."""

import io
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
DEBIAN = "/usr/bin/chromium"
LIBRARIES = Path("/tmp/al2023/lib")
"""Where the packaged Chromium unpacks the libraries that it links to."""
MILLISECOND = Fraction(1, 1000)


def missing(what: str) -> Any:
    """Skip the tests, or fail in CI."""
    text = f"{what} not found: install Debian's chromium, or Node 20 and run npm ci in web/"
    return pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)


def chromium() -> tuple[str, dict[str, str]]:
    """Path of a Chromium and its environment: Debian's, else the packaged one of ``web/``."""
    if Path(DEBIAN).exists():
        return DEBIAN, {}
    node = shutil.which("node")
    if node is None or not (WEB / "node_modules" / "@sparticuz").exists():
        return missing("a browser")
    command = [node, str(WEB / "chromium.mjs")]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return path, {"LD_LIBRARY_PATH": str(LIBRARIES)} if LIBRARIES.exists() else {}


@contextmanager
def browser(picture: Path, sound: Path) -> Iterator[Any]:
    """A headless Chromium with files as camera and microphone, and without background requests."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path, environment = chromium()
    arguments = [
        "--disable-background-networking",
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={picture}",
        f"--use-file-for-fake-audio-capture={sound}",
    ]
    env = {**os.environ, **environment}
    with sync_api.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=path, args=arguments, env=env)
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def without_errors(page: Any) -> Iterator[Any]:
    """Open the start page, close it afterwards, and fail if a script of it failed."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/")
    yield page
    page.close()
    assert not errors


def violations(page: Any) -> list[str]:
    """What axe finds on a page."""
    if not AXE.exists():
        missing("axe-core")
    # Through the debugger: the policy of the page allows no script from elsewhere.
    page.evaluate(f"() => {{ if (!window.axe) {{ {AXE.read_text()} }} }}")
    found = page.evaluate(
        "async () => (await axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', "
        "'wcag22aa', 'best-practice']})).violations.map("
        "(v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', '))"
    )
    return list(found)


def heap_mb(page: Any) -> float:
    """JavaScript objects of a page, their buffers, and what the browser keeps for them."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    names = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    return sum(float(usage.get(name, 0)) for name in names) / 1e6


def frames_of(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Time and RGB of all frames."""
    with av.open(str(path)) as container:
        return [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def audio_of(path: Path, rate: int = 48_000) -> NDArray[np.int16]:
    """The audio as mono PCM16."""
    resampler = av.AudioResampler("s16", "mono", rate)
    with av.open(str(path)) as container:
        parts = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def write_webm(
    path: Path, frames: Sequence[tuple[float, NDArray[np.uint8]]], audio: NDArray[np.int16]
) -> Path:
    """A WebM file that every Chromium plays: VP8 with the times given, and Opus."""
    height, width, _ = frames[0][1].shape
    with av.open(str(path), "w") as out:
        video = out.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "8"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = 1_500_000
        video.codec_context.time_base = MILLISECOND
        sound = out.add_stream("libopus", rate=48_000, layout="mono")
        for time_s, rgb in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), MILLISECOND
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, len(audio), 960):
            block = np.ascontiguousarray(audio[None, start : start + 960])
            part = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = 48_000, start, Fraction(1, 48_000)
            out.mux(sound.encode(part))
        out.mux(sound.encode(None))
    return path


def write_camera(folder: Path, clip: Path) -> tuple[Path, Path]:
    """Files for Chromium's fake camera (MJPEG) and microphone (WAV), made of a clip."""
    from PIL import Image

    picture, sound = folder / "camera.mjpeg", folder / "microphone.wav"
    with picture.open("wb") as out:
        for _, rgb in frames_of(clip):
            jpeg = io.BytesIO()
            Image.fromarray(rgb).resize((640, 480)).save(jpeg, "JPEG", quality=85)
            out.write(jpeg.getvalue())
    with av.open(str(sound), "w") as wav:
        stream = wav.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(audio_of(clip)[None], format="s16", layout="mono")
        frame.sample_rate = 48_000
        wav.mux(stream.encode(frame))
    return picture, sound


class Wire:
    """Passes connections on to a server until they are cut.

    Args:
        port: Port of the server on this machine.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.connected = True
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self.connected = False
        for pair in self._pairs:
            for end in pair:
                with_closed(end)
        self._pairs.clear()

    def mend(self) -> None:
        """Accept connections again."""
        self.connected = True

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self.connected:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.port))
            self._pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def with_closed(end: socket.socket) -> None:
    """Close a socket in both directions, so that the other side notices."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with_closed(end)
