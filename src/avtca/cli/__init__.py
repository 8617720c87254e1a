"""The command line: one file for each command."""

import atexit
import errno
import functools
import gc
import importlib
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avtca.errors import AvtcaError, ConfigError, MissingExtra
from avtca.files import cache_folder, locked, write_atomic
from avtca.text import printable

if TYPE_CHECKING:
    import typer
    from rich.console import Console

COMMANDS = (
    "predict",
    "annotate",
    "serve",
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
RESUMABLE = ("annotate", "prepare", "synth", "train", "cv", "finetune")
"""Commands that resume an interrupted run."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""System errors of a disk that cannot be written, which the user can fix."""

RESUME = "; run the same command again to resume"
"""Addition to the message of an interrupted command that can be resumed."""


class StandardError:
    """Prints each text as one line on standard error, with control characters escaped.

    ``console`` is for progress bars, above which lines are printed while they are shown. Rich,
    which takes 30 ms to import, is imported when it is first used.
    """

    @cached_property
    def console(self) -> "Console":
        """Standard error as a console of rich, without markup: lines have names of files."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def print(self, text: str) -> None:
        """Print a line."""
        if "console" in vars(self):
            self.console.print(printable(text))
        else:
            print(printable(text), file=sys.stderr, flush=True)


debug = False
"""Whether errors show their traceback (``--debug``)."""
err = StandardError()
"""Progress and errors; standard output is for results."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which stops a command like Ctrl-C."""


class Stopped(Exception):
    """A command was interrupted.

    Its text is how far the command came, or empty; ``status`` is the exit status, 130 for SIGINT
    and 143 for SIGTERM.
    """

    def __init__(self, interrupt: BaseException) -> None:
        super().__init__(str(interrupt))
        number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
        self.status = 128 + number


def build_app(commands: Sequence[str] = COMMANDS) -> "typer.Typer":
    """The command line with these commands; those that are not run need not be imported."""
    import typer

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Recognise which emotions are expressed in a video, when, and by whom.",
    )
    for name in commands:
        function: Any = getattr(importlib.import_module(f"avtca.cli.{name}"), name)
        app.command(name)(stoppable(function))

    @app.callback()
    def options(
        debug: bool = typer.Option(
            False, "--debug", help="Show debug messages, and the traceback of an error."
        ),
        version: bool = typer.Option(
            False,
            "--version",
            help="Print the version and exit.",
            is_eager=True,
            callback=print_version,
        ),
    ) -> None:
        """Recognise emotions in video; train and evaluate on your own data."""

    return app


def print_version(wanted: bool) -> None:
    """Print the version and exit, if wanted."""
    if wanted:
        import typer

        from avtca import __version__

        typer.echo(f"avtca {__version__}")
        raise typer.Exit


def stoppable(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that an interrupt becomes :class:`Stopped`, which typer does not handle.

    A command can report how far it came with ``raise KeyboardInterrupt("after 1 of 3")``. To keep
    the kind of interrupt, it sets ``interrupt.args`` and raises the same object.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise Stopped(interrupt) from interrupt
        except SystemExit as end:  # raised by Lightning after an interrupt
            if isinstance(end.__context__, KeyboardInterrupt):
                raise Stopped(end.__context__) from end
            raise

    return run


def main() -> None:
    """Run the command line.

    Exit status: 0 for success, 2 for an error that the user can fix, 1 for an internal error, 130
    and 143 for SIGINT and SIGTERM. Errors are one line on standard error.
    """
    global debug
    atexit.register(gc.freeze)  # the last search for cycles takes 50 ms and frees nothing of use
    debug = "--debug" in sys.argv
    if debug:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("avtca").setLevel(logging.DEBUG)
    sys.argv = [arg for arg in sys.argv if arg != "--debug"]
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        # Matplotlib's list of fonts belongs in avtca's cache folder too (docs/privacy.md).
        os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
        signal.signal(signal.SIGTERM, _terminate)
        build_app((command,) if command in COMMANDS else COMMANDS)(standalone_mode=True)
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
        atexit.unregister(gc.freeze)  # or packages report what the stopped reading leaves
        if debug:
            traceback.print_exception(stopped)
        resume = RESUME if command in RESUMABLE else ""
        err.print(f"stopped {stopped}".rstrip() + resume)
        raise SystemExit(stopped.status) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            _drop_output()
            fail(_unwritten(error.filename or "the results", error))
            raise SystemExit(2) from None
        crashed(error)
        raise SystemExit(1) from None


def echo(text: str) -> None:
    """Print a result as one line on standard output, with control characters escaped."""
    import typer

    typer.echo(printable(text))


def fail(error: AvtcaError) -> None:
    """Print an error as one line, and with ``--debug`` its traceback."""
    if debug:
        traceback.print_exception(error)
    err.print(f"error: {' '.join(str(error).split())}")


def crashed(error: Exception, name: str = "") -> str:
    """Print an internal error, met in the file ``name``, as one line; return the line."""
    if debug:
        traceback.print_exception(error)
    where = f" in {name}" if name else ""
    hint = "" if debug else "; run again with --debug"
    line = printable(f"internal error{where}: {type(error).__name__}: {error}")
    err.print(line + hint)
    return line


def model_path(text: str) -> Path:
    """Path of a model by name; as ``parser=`` of an option, it keeps numpy out of ``--help``."""
    from avtca.runtime import bundle

    return bundle.model_path(text)


def output_folder(out: Path) -> None:
    """Make the folder and test that it can be written, before the work.

    Raises :class:`ConfigError` where it cannot.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()


@contextmanager
def lock_folder(out: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder.

    Raises :class:`ConfigError` where another one does.
    """
    with locked(out) as free:
        if not free:
            problem = "another avtca writes to this folder"
            raise ConfigError(
                f"write {out}", problem, "wait until it ends, or choose another --out"
            )
        yield


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn a failed write into a :class:`ConfigError`."""
    try:
        yield
    except OSError as error:
        raise _unwritten(place, error) from error


def write_results(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files by name, and list them on standard error.

    Raises :class:`ConfigError` where the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomic(folder / name, text)
    err.print(f"written to {folder}: {', '.join(files)}")


def _unwritten(place: object, error: OSError) -> ConfigError:
    problem = error.strerror or str(error)
    return ConfigError(f"write {place}", problem, "free space there, or choose another --out")


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def _drop_output() -> None:
    """Discard the rest of standard output, which would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
