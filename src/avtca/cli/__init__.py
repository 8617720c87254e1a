"""The command line: one file for each command."""

import errno
import functools
import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from avtca.errors import AvtcaError, ConfigError, MissingExtra

COMMANDS = (
    "predict",
    "demo",
    "doctor",
    "prepare",
    "audit",
    "synth",
    "train",
    "cv",
    "finetune",
    "evaluate",
    "robustness",
    "compare",
    "model",
    "convert",
)
"""Each is a function of that name in the module of that name; listed in this order by --help."""
GOES_ON = ("prepare", "synth", "train", "cv", "finetune")
"""Commands that, stopped and called again, do nothing twice."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What the system says where nothing more can be written: the user's to mend."""

debug = False
"""Whether errors show their traceback: ``--debug``."""
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
"""Progress and errors go here, names of files as they are; standard output is for results."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: stops a command as Ctrl-C does."""


class Stopped(Exception):
    """A command was stopped; the text says how far it came, and may be empty.

    ``status``: the exit status, 130 for SIGINT and 143 for SIGTERM.
    """

    def __init__(self, interrupt: BaseException) -> None:
        super().__init__(str(interrupt))
        number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
        self.status = 128 + number


def build_app() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Which emotions are expressed in a video, when, by whom, and how far to trust it.",
    )
    for name in COMMANDS:
        function: Any = getattr(importlib.import_module(f"avtca.cli.{name}"), name)
        app.command(name)(stoppable(function))

    @app.callback()
    def options(
        debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
        version: bool = typer.Option(
            False,
            "--version",
            help="Print the version and stop.",
            is_eager=True,
            callback=print_version,
        ),
    ) -> None:
        """Name emotions in video; prepare, train and evaluate on your own data."""

    return app


def print_version(wanted: bool) -> None:
    """The version, where it is asked for, ahead of everything else."""
    if wanted:
        from avtca import __version__

        typer.echo(f"avtca {__version__}")
        raise typer.Exit


def stoppable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an interrupt turned into :class:`Stopped`, which typer leaves alone.

    A command may say how far it came: ``raise KeyboardInterrupt("after 1 of 3")``; ``interrupt.args
    = (...)`` and ``raise`` keep what kind of interrupt it was.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise Stopped(interrupt) from interrupt
        except SystemExit as end:  # Lightning's answer to an interrupt
            if isinstance(end.__context__, KeyboardInterrupt):
                raise Stopped(end.__context__) from end
            raise

    return run


def main() -> None:
    """Run; exit 0 when all went well, 2 for the user's mistake, 1 for ours.

    130 and 143 where SIGINT or SIGTERM stopped it, with one line that says so.
    """
    global debug
    debug = "--debug" in sys.argv
    sys.argv = [arg for arg in sys.argv if arg != "--debug"]
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        signal.signal(signal.SIGTERM, _terminate)
        build_app()(standalone_mode=True)
    except AvtcaError as error:
        fail(error)
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        missing = MissingExtra(
            f"avtca {command}".strip(),
            f"{error.name} is not installed",
            "pip install 'avtca[train]'",
        )
        fail(missing.with_traceback(error.__traceback__))
        raise SystemExit(2) from None
    except (KeyboardInterrupt, Stopped) as error:
        stopped = error if isinstance(error, Stopped) else Stopped(error)
        if debug:
            traceback.print_exception(stopped)
        said = f"stopped {stopped}".rstrip()
        err.print(f"{said}; the same command goes on where it was" if command in GOES_ON else said)
        raise SystemExit(stopped.status) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _drop_output()
            fail(_unwritten(error.filename or "the results", error))
            raise SystemExit(2) from None
        crashed(error)
        raise SystemExit(1) from None


def fail(error: AvtcaError) -> None:
    """Print an error as one line, with its traceback where ``--debug`` asks for it."""
    if debug:
        traceback.print_exception(error)
    err.print(f"error: {' '.join(str(error).split())}")


def crashed(error: Exception, name: str = "") -> str:
    """Print an error of ours as one line, ``name`` being the file it was met in; the line."""
    if debug:
        traceback.print_exception(error)
    where = f" in {name}" if name else ""
    hint = "" if debug else "; run again with --debug"
    line = f"internal error{where}: {type(error).__name__}: {error}"
    err.print(line + hint)
    return line


def model_path(text: str) -> Path:
    """Where a named model is; for ``parser=`` of an option, so that help needs no numpy."""
    from avtca.runtime import bundle

    return bundle.model_path(text)


def output_folder(out: Path) -> None:
    """Make the folder and try a write, ahead of the work.

    Raises :class:`ConfigError` where nothing can be written there.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raise :class:`ConfigError` where the system refuses a write."""
    try:
        yield
    except OSError as error:
        raise _unwritten(place, error) from error


def _unwritten(place: object, error: OSError) -> ConfigError:
    found = error.strerror or str(error)
    return ConfigError(f"write {place}", found, "make room there, or choose another place")


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def _drop_output() -> None:
    """Standard output leads nowhere, so that its rest does not fail once more at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
