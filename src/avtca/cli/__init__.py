"""The command line: one file for each command."""

import importlib
import sys
import traceback
from typing import Any

import typer
from rich.console import Console

from avtca.errors import AvtcaError, MissingExtra

COMMANDS = (
    "predict",
    "demo",
    "doctor",
    "prepare",
    "audit",
    "shards",
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

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress and errors go here; standard output is for results."""


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
        app.command(name)(function)

    @app.callback()
    def options(
        debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
        version: bool = typer.Option(False, "--version", help="Print the version and stop."),
    ) -> None:
        """Name emotions in video; prepare, train and evaluate on your own data."""
        if version:
            from avtca import __version__

            typer.echo(f"avtca {__version__}")
            raise typer.Exit

    return app


def main() -> None:
    """Run; exit 0 when all went well, 2 for the user's mistake, 1 for ours, 130 when stopped."""
    debug = "--debug" in sys.argv
    sys.argv = [arg for arg in sys.argv if arg != "--debug"]
    try:
        build_app()(standalone_mode=True)
    except AvtcaError as error:
        fail(error, debug=debug)
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        if debug:
            traceback.print_exc()
        missing = MissingExtra(
            f"avtca {sys.argv[1] if len(sys.argv) > 1 else ''}".strip(),
            f"{error.name} is not installed",
            "pip install 'avtca[train]'",
        )
        fail(missing, debug=False)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        err.print("stopped")
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        err.print(f"internal error: {type(error).__name__}: {error}; run again with --debug")
        raise SystemExit(1) from None


def fail(error: AvtcaError, *, debug: bool = False) -> None:
    """Print an error as one line, with its traceback where asked for."""
    if debug:
        traceback.print_exception(error)
    err.print(f"error: {' '.join(str(error).split())}", markup=False)
