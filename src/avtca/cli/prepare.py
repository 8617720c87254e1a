"""`avtca prepare`: build the cache of a corpus."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avtca import cli
from avtca.cli.progress import ProgressBar
from avtca.clipspec import ClipSpec
from avtca.compat import upgrade
from avtca.errors import ConfigError

if TYPE_CHECKING:
    from avtca.corpora import BuildSummary, CorpusIndex

FAILED = 2
"""Exit status if some samples could not be prepared."""


def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help="ravdess, cremad, mosei, folder, emodb, nemo, or package.module:function."
        ),
    ],
    src: Annotated[Path, typer.Argument(help="Folder with the unpacked files, or a CSV.")],
    out: Annotated[Path, typer.Option(help="Folder of the prepared corpus.")],
    spec: Annotated[
        Path | None,
        typer.Option(
            parser=cli.model_path,
            metavar="PATH",
            help="JSON with a ClipSpec, a model's or corpus's folder, or default (the packaged "
            "model).",
        ),
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(help="Change a field of the ClipSpec: crop_px=112.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that decode [default: one a core]", min=0)
    ] = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Keep crops as PNG and audio as float32.")
    ] = False,
) -> None:
    """Make or complete a prepared corpus.

    Interrupted at any moment, the same command resumes. Samples that cannot be decoded are listed
    in failures.csv, and the exit status is 2.
    """
    from avtca.corpora import build_cache as run
    from avtca.corpora import index_corpus

    wanted = read_spec(spec, set or [])
    index = index_corpus(corpus, src, wanted)
    check_form(index, wanted)
    workers = (os.cpu_count() or 1) if workers is None else workers
    with ProgressBar() as bar:
        summary = run(index, out, wanted, workers=workers, lossless=lossless, progress=bar)
    show(summary)
    if summary.failures:
        raise typer.Exit(FAILED)


def check_form(index: "CorpusIndex", spec: ClipSpec) -> None:
    """Refuse to prepare audio alone where the corpus ships features of the faces.

    Raises :class:`ConfigError`.
    """
    from avtca.corpora.ravdess import FACE_SEQUENCES

    shipped = (index.root / FACE_SEQUENCES).is_file()
    if spec.video == "pixels" and shipped and not any(one.video for one in index.sources):
        raise ConfigError(
            f"prepare {index.root}",
            "the ClipSpec has video='pixels', and the corpus has no videos, only audio and "
            f"{FACE_SEQUENCES}",
            "use --spec configs/ravdess_sequences/clipspec.json, or add the videos",
        )


def show(summary: "BuildSummary") -> None:
    """The summary, and the first failures, on standard error."""
    for line in summary.lines():
        cli.err.print(line)
    for sample, _, why in summary.failures[:10]:
        cli.err.print(f"  {sample}: {why}")


def read_spec(source: Path | None, changes: list[str]) -> ClipSpec:
    """A ClipSpec: the defaults, or a file's; then ``field=value`` changes.

    Raises :class:`ConfigError` for a file without one, an unknown field or an invalid value.
    """
    values: dict[str, Any] = ClipSpec().to_dict() if source is None else _spec_of(source)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in values:
            raise ConfigError(
                f"change the ClipSpec by {change!r}",
                "not field=value of one of its fields",
                f"fields are {', '.join(values)}",
            )
        try:
            kind = type(values[name])
            values[name] = text.split(",") if kind is list else kind(text)
        except ValueError as error:
            raise ConfigError(f"set {name} of the ClipSpec", str(error), "give a number") from error
    try:
        return ClipSpec.from_dict(values)
    except (ValueError, TypeError) as error:
        raise ConfigError("use this ClipSpec", str(error), "correct the field") from error


def _spec_of(source: Path) -> dict[str, Any]:
    """From JSON: a ClipSpec, or a file or folder with that of a corpus or a model."""
    action, fix = f"read a ClipSpec from {source}", "give a ClipSpec's JSON, or a model's folder"
    try:
        if source.is_dir():
            found = next(filter(None, map(_spec_in_file, sorted(source.glob("*.json")))), None)
        else:
            document = upgrade(json.loads(source.read_text("utf-8")))
            found = (_spec_in(document) or document) if isinstance(document, dict) else None
    except FileNotFoundError:
        raise ConfigError(action, "no such file or folder", fix) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(action, f"not JSON ({error})", fix) from error
    except (KeyError, TypeError, ValueError) as error:
        problem = f"its ClipSpec is broken ({type(error).__name__}: {error})"
        raise ConfigError(action, problem, fix) from error
    if found is None:
        raise ConfigError(action, "it holds no ClipSpec", fix)
    return {**ClipSpec().to_dict(), **found}


def _spec_in_file(path: Path) -> dict[str, Any] | None:
    try:
        document = upgrade(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
    return _spec_in(document) if isinstance(document, dict) else None


def _spec_in(document: dict[str, Any]) -> dict[str, Any] | None:
    """The ClipSpec of a corpus (``spec``), or the one that prepares media for a model."""
    found: dict[str, Any] | None = document.get("spec") or document.get("clipspec")
    if found or "clip_spec" not in document:
        return found
    found = {**document["clip_spec"], "labels": []}
    if face := document.get("face"):
        made = ClipSpec.from_dict(found).of_media(int(face["crop_px"]), str(face["colour"]))
        found = made.to_dict()
    return found
