"""Runs a page of the documentation as a reader types it."""

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from avtca.cli import build_app

SAVED = re.compile(
    r"[Ss]ave\s+(?:this|it)\s+as\s+`([\w./-]+)`[^\n]*\n(?:[^`\n][^\n]*\n)*\n```\w+\n(.*?)^```",
    re.S | re.M,
)
STEP = re.compile(r"^```sh\n(.*?)^```(?:\n\n?```text\n(.*?)^```)?", re.S | re.M)


@dataclass(frozen=True)
class Step:
    """A shell block, and what the page shows as its output."""

    commands: list[str]
    shown: str


def files_of(page: Path) -> dict[str, str]:
    """Files that the page tells the reader to save."""
    return dict(SAVED.findall(page.read_text()))


def steps_of(page: Path) -> list[Step]:
    """The shell blocks of a page."""
    return [
        Step(block.strip().splitlines(), shown) for block, shown in STEP.findall(page.read_text())
    ]


def run(command: str) -> str:
    """What a command of avtca prints on standard output."""
    program, *words = shlex.split(command)
    assert program == "avtca", command
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):  # rich prints there
        found = CliRunner().invoke(build_app(), words, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout + stdout.getvalue()


def normalised(text: str) -> str:
    """Text without its numbers, and with single spaces."""
    text = re.sub(r"[-+]?\d[\d,.]*(?:e-?\d+)?", "#", text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
