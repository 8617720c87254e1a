"""A service in a process of its own, and what tests do with it."""

import os
import re
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

RATE = 16_000
SERVICE = "from avtca.cli import main; main()"


@dataclass
class Service:
    """A running service."""

    process: "subprocess.Popen[str]"
    client: httpx.Client
    log: Path

    def children(self, name: str = "spawn_main") -> list[int]:
        """Process ids of the workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                command = (path.parent / "cmdline").read_text()
            except OSError:
                continue
            if parent == self.process.pid and name in command:
                found.append(int(path.parent.name))
        return found

    def memory_mb(self) -> float:
        """Resident memory of the service and its workers."""
        total = 0
        for pid in (self.process.pid, *self.children()):
            try:
                text = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += int((re.search(r"VmRSS:\s+(\d+)", text) or [0, "0"])[1])
        return total / 1024

    def ready(self, seconds: float = 60) -> None:
        """Wait until a worker is ready."""
        until(lambda: self.client.get("/readyz").status_code == 200, seconds)

    def finished(self, id: str, seconds: float = 60) -> dict[str, Any]:
        """A job once it ended."""
        found: list[dict[str, Any]] = []

        def ended() -> bool:
            found[:] = [self.client.get(f"/v1/jobs/{id}").json()]
            return found[0]["state"] not in ("queued", "running")

        until(ended, seconds)
        return found[0]


def until(condition: Any, seconds: float = 30) -> None:
    """Wait for a condition."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.02)


@contextmanager
def serving(folder: Path, *words: str, **settings: Any) -> Iterator[Service]:
    """`avtca serve` on a free port, with its data in a folder."""
    settings = {"data": folder, "workers": 1, "shutdown_s": 1, **settings}
    given = {f"AVTCA_SERVE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-c", SERVICE, "serve", "--port", "0", *words]
    log = folder.parent / f"{folder.name}.log"
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | given
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, log.read_text()
            with httpx.Client(base_url=address[0], timeout=60) as client:
                yield Service(process, client, log)
        finally:
            process.kill()


def long_speech(clip: Path, seconds: float, path: Path) -> Path:
    """A recording that takes a while to read: the speech of a clip again and again."""
    import numpy as np

    from avtca.media import open_media

    speech = np.concatenate(list(open_media(clip).audio(RATE)))
    whole = np.resize(speech, round(seconds * RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((whole * 32767).astype("<i2").tobytes())
    return path
