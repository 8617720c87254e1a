"""Nothing leaves the machine, and files are written in named places only (docs/privacy.md)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "helpers" / "network_guard"
SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture
def guarded(tmp_path):
    """Run Python in a child with empty homes; returns it and the lines of the guard."""
    log = tmp_path / "guard.log"
    folders = {"HOME": "home", "XDG_CACHE_HOME": "home/.cache", "TMPDIR": "tmp"}
    env = {name: x for name, x in os.environ.items() if not name.startswith(("ORT_", "AVTCA_"))}
    env.pop("MPLCONFIGDIR", None)
    for name, folder in folders.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        env[name] = str(tmp_path / folder)
    env["PYTHONPATH"] = os.pathsep.join([str(GUARD), str(SOURCE)])
    env |= {"GUARD_LOG": str(log), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}

    def run(*arguments, prefix=(), **more):
        command = [*prefix, sys.executable, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env | more, check=False, cwd=tmp_path
        )
        return done, log.read_text().splitlines()

    return run


def works(*command) -> bool:
    """Whether a tool is there and may be used."""
    return (
        bool(shutil.which(command[0]))
        and not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the folders are set by POSIX variables")
def test_predict_never_uses_the_network_and_writes_in_two_places(guarded, corpora, tmp_path):
    """The guard sees what Python does; strace, where it is installed, what libraries do."""
    clip = sorted((corpora / "cremad").glob("*.flv"))[0]
    prefix, calls = [], tmp_path / "calls.log"
    if works("unshare", "-rn"):
        prefix += ["unshare", "-rn"]
    if works("strace", "-f"):
        prefix += ["strace", "-f", "-qq", "-e", "trace=connect,bind,sendto", "-e", "signal=none"]
        prefix += ["-o", str(calls)]
    out = tmp_path / "out"
    done, lines = guarded("-m", "avtca", "predict", clip, "--out", out, prefix=prefix)
    assert done.returncode == 0, done.stderr
    assert not [line for line in lines if line.startswith("network")]
    assert not calls.exists() or calls.read_text() == ""
    written = [Path(line.split(" ", 1)[1]) for line in lines if line.startswith("write")]
    cache = tmp_path / "home" / ".cache" / "avtca"
    if sys.platform == "darwin":
        cache = tmp_path / "home" / "Library" / "Caches" / "avtca"
    allowed = (out, cache, tmp_path / "tmp", Path("/dev"))
    assert [path for path in written if not any(map(path.is_relative_to, allowed))] == []
    assert any(path.is_relative_to(out) for path in written), "the guard saw no file"
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path for path in left if not path.is_relative_to(cache)] == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_guard_sees_attempts(guarded):
    done, lines = guarded("-c", "import socket; socket.create_connection(('example.org', 80))")
    assert done.returncode != 0
    assert [line.split()[:2] for line in lines] == [["network", "socket.getaddrinfo"]]


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_telemetry_is_off_unless_the_user_chose(guarded, given, expected):
    code = "import os, avtca; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert guarded("-c", code, **given)[0].stdout.strip() == expected
