"""`avtca serve` and the example client, over a connection that breaks once, and to the end."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

EXAMPLE = Path(__file__).parents[2] / "examples" / "live_client.py"
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with a token, and its port."""
    tmp_path = tmp_path_factory.mktemp("server")
    (tmp_path / "tokens").write_text(TOKEN)
    command = [sys.executable, "-m", "avtca", "serve", "--port", "0", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--token", str(tmp_path / "tokens")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AVTCA_SERVE_DATA": str(tmp_path / "data")},
    )
    line = process.stdout.readline()
    yield process, int(re.search(r":(\d+)/", line)[1])
    process.kill()
    process.wait(30)


class Proxy:
    """Passes connections on; the first breaks after so many bytes of the client."""

    def __init__(self, target, first_bytes):
        self.target, self.left = target, first_bytes
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            left = self.left if self.connections == 1 else float("inf")
            for pair in ((client, server, left), (server, client, float("inf"))):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, sink, left):
        with contextlib.suppress(OSError):
            while left > 0 and (data := source.recv(65_536)):
                sink.sendall(data)
                left -= len(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_the_client_goes_on_after_a_lost_connection(server, corpora):
    proxy = Proxy(server[1], first_bytes=250_000)
    clip = corpora / "cremad" / "1001_DFA_ANG_XX.flv"
    command = [sys.executable, str(EXAMPLE), str(clip), "--every", "0.3"]
    command += ["--url", f"ws://127.0.0.1:{proxy.port}/v1/live"]
    environment = {**os.environ, "AVTCA_TOKEN": TOKEN}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "the socket is lost; connecting again\n"
    assert proxy.connections == 2
    *results, last = done.stdout.splitlines()
    assert re.match(r"\d+ results, finalized; {'pictures': \d+", last)
    times = [float(line.split()[0]) for line in results]
    assert times and times == sorted(times) and times[-1] < 2.4  # what was under way is lost
    assert "person 0, face and voice: angry" in results[-1]


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/live"
    command = [sys.executable, str(EXAMPLE), "clip.mp4", "--url", url]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"connect to {url}: ") and failed.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_session_is_closed_when_the_server_stops(server):
    process, port = server
    with connect(f"ws://127.0.0.1:{port}/v1/live?token={TOKEN}") as client:
        client.send('{"type": "session.create"}')
        assert json.loads(client.recv())["type"] == "session.created"
        process.send_signal(signal.SIGINT)
        assert json.loads(client.recv(timeout=10))["reason"] == "shutdown"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
        assert closed.value.rcvd.code == 1001
    assert process.wait(30) in (0, 130)
