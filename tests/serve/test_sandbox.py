"""What a worker process can reach."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from avtca.serve import sandbox

PROBE = """
import json, socket, sys
from pathlib import Path
from avtca.serve.sandbox import limit_memory, restrict

spool, other, port = *map(Path, sys.argv[1:3]), int(sys.argv[3])
limits = restrict([spool]) + limit_memory(64)
found = {}

def attempt(name, action):
    try:
        action()
        found[name] = "done"
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__

attempt("read the spool", lambda: (spool / "a").read_bytes())
attempt("read another file", lambda: (other / "b").read_bytes())
attempt("read passwords", lambda: Path("/etc/passwd").read_bytes())
attempt("write to the spool", lambda: (spool / "c").write_bytes(b"x"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port), timeout=1))
attempt("take memory", lambda: bytearray(2**28))
print(json.dumps([limits, found]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_a_worker_reads_its_spool_and_nothing_else(tmp_path):
    for name in ("spool/a", "other/b"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(b"x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = [tmp_path / "spool", tmp_path / "other", listener.getsockname()[1]]
        command = [sys.executable, "-c", PROBE, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    limits, found = json.loads(done.stdout)
    assert found["read the spool"] == "done"
    assert found["write to the spool"] != "done"
    assert found["take memory"] == "MemoryError"
    if "files" not in limits:
        pytest.skip("this kernel has no Landlock")
    denied = ("read another file", "read passwords", "write to the spool")
    assert {found[name] for name in denied} == {"PermissionError"}
    assert "network" not in limits or found["connect"] != "done"


def test_the_programs_can_be_read():
    assert Path(sandbox.__file__).resolve().parents[1] in list(sandbox._program_folders())
