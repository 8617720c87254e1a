"""The command line as a whole: its version, and what it says and returns when it is stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import avtca
import avtca.errors
from avtca import cli

SCRIPT = Path(sys.executable).with_name("avtca")


def test_the_installed_script_says_its_version():
    for words in (["--version"], ["--version", "predict", "x.mp4"]):
        done = subprocess.run([SCRIPT, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"avtca {avtca.__version__}\n"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_installed_script_with_one_line(number, status, tmp_path):
    words = ["synth", tmp_path / "out", "--samples", "99", "--workers", "1", "--seconds", "0.5"]
    with subprocess.Popen([SCRIPT, *words], stderr=subprocess.PIPE, text=True) as process:
        limit = time.monotonic() + 60
        while not list(tmp_path.rglob("*.mp4")) and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.splitlines()[-1] == "stopped; run the same command again to resume"
    assert said.count("stopped") == 1 and "Traceback" not in said
    assert 0 < len(list(tmp_path.rglob("*.mp4"))) < 99


def ended(monkeypatch, capsys, command, interrupt):
    """Exit status and standard error of ``command`` when ``interrupt()`` is what happens in it."""
    monkeypatch.setattr(f"avtca.cli.{command}.{command}", interrupt)
    monkeypatch.setattr(sys, "argv", ["avtca", command])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_can_be_stopped(monkeypatch, capsys, command):
    def interrupt():
        raise KeyboardInterrupt("after 1 of 3")

    __import__(f"avtca.cli.{command}")
    again = "; run the same command again to resume" if command in cli.RESUMABLE else ""
    found = ended(monkeypatch, capsys, command, interrupt)
    assert found == (130, f"stopped after 1 of 3{again}\n")


def test_a_library_that_turns_the_interrupt_into_an_exit_changes_nothing(monkeypatch, capsys):
    def lightning():
        try:
            raise cli.Terminated
        except KeyboardInterrupt:
            sys.exit(1)

    found = ended(monkeypatch, capsys, "audit", lightning)
    assert found == (143, "stopped\n")


def test_other_exits_stay(monkeypatch, capsys):
    def failed():
        sys.exit(7)

    assert ended(monkeypatch, capsys, "audit", failed) == (7, "")


def test_names_in_errors_are_printed_as_they_are(monkeypatch, capsys):
    def broken():
        raise ValueError("[/b] [red]x :smile:")

    status, said = ended(monkeypatch, capsys, "audit", broken)
    assert status == 1
    assert "internal error: ValueError: [/b] [red]x :smile:; run again with --debug" in said
    monkeypatch.setattr(cli, "debug", False)
    cli.fail(avtca.errors.MediaError("read [/b]", "[red]no\nfile", "give :smile:"))
    assert capsys.readouterr().err == "error: read [/b]: [red]no file; give :smile:\n"


def test_debug_shows_the_traceback_of_any_error(monkeypatch, capsys):
    def broken():
        raise ValueError("x")

    monkeypatch.setattr(cli, "debug", False)
    monkeypatch.setattr("avtca.cli.audit.audit", broken)
    monkeypatch.setattr(sys, "argv", ["avtca", "audit", "--debug"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Traceback" in capsys.readouterr().err


def test_a_model_is_named_default_or_by_its_path():
    from avtca.runtime.bundle import PACKAGED

    assert cli.model_path("default") == PACKAGED
    assert cli.model_path("./default") == Path("default")


def test_results_are_printed_on_one_line(capsys):
    cli.echo("fold 0 \x1b[2Ja\nb")
    assert capsys.readouterr().out == "fold 0 \\x1b[2Ja\\nb\n"
