"""The example of `avtca serve` on Ray Serve, with two replicas on this machine."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest
from services import until

import avtca

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_serve.py"
MISSING = [name for name in ("ray", "grpc_reflection") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"ray[serve] is not installed: {MISSING}"),
    pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="needs SO_REUSEPORT"),
]


def processes(variable: str) -> list[int]:
    """Processes that inherited a variable of the environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if variable.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def held_port():
    """A port that other processes cannot get, unless they share it as Ray Serve does."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_two_replicas_give_the_reports_of_the_library(corpora, tmp_path, held_port):
    clip = corpora / "cremad" / "1001_DFA_ANG_XX.flv"
    data = f"AVTCA_SERVE_DATA={tmp_path / 'data'}"
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        env = {
            "HOME": folder,  # Ray keeps its token there
            "RAY_TMPDIR": folder,  # names of sockets are short
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback only
            "SERVE_SOCKET_REUSE_PORT_ENABLED": "1",
            "AVTCA_SERVE_PORT": str(held_port),
        } | dict([data.split("=", 1)])
        log = tmp_path / "log"
        with log.open("w") as text:
            process = subprocess.Popen(
                [sys.executable, EXAMPLE], env=os.environ | env, stdout=text, stderr=text
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{held_port}", timeout=60) as client:
                use(client, process, clip, log)
            assert len(processes(data)) > 4
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, log.read_text()
            until(lambda: not processes(data), 10)
        finally:
            for pid in processes(data):
                os.kill(pid, signal.SIGKILL)
            process.wait()
    replicas = [tmp_path / "data" / f"replica-{rank}" for rank in (0, 1)]
    assert sorted((tmp_path / "data").iterdir()) == replicas
    assert not any(any((replica / "spool").iterdir()) for replica in replicas)
    assert clip.name not in log.read_text()


def use(client: httpx.Client, process: subprocess.Popen, clip: Path, log: Path) -> None:
    def ready() -> bool:
        time.sleep(0.2)
        assert process.poll() is None, log.read_text()
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    until(ready, 90)
    expected = json.loads(json.dumps(avtca.load().predict(clip).to_dict() | {"file": clip.name}))
    answers = [
        client.post("/v1/recognize", files={"file": (clip.name, clip.read_bytes())})
        for _ in range(4)
    ]
    assert [answer.json() for answer in answers] == [expected] * 4
    refused = client.post("/v1/recognize?name=a.mp4", content=b"no film")
    assert refused.status_code == 422 and "read a.mp4: it is not a media" in refused.text
    job = client.post("/v1/jobs?name=a.flv", content=clip.read_bytes()).json()["id"]
    # The other replica does not know the job: docs/serve.md.
    seen: set[int] = set()
    until(lambda: seen.add(client.get(f"/v1/jobs/{job}").status_code) or seen == {200, 404}, 20)
