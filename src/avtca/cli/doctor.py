"""`avtca doctor`: check the installation."""

import importlib
import importlib.metadata
import platform
import sys
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

CODECS = ("h264", "hevc", "vp8", "vp9", "vp6f", "av1", "aac", "mp3", "opus", "flac", "vorbis")
"""Decoders that common clips need."""


@dataclass(frozen=True)
class Finding:
    """The result of one check; a failed check that is ``needed`` makes the exit status 2."""

    what: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = True


def findings() -> list[Finding]:
    """Check decoders, detectors, backends and weights by using them."""
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    out = [Finding("python", sys.version_info >= (3, 11), python, "install Python 3.11 or later")]
    return [*out, *_media(), *_faces(), _engine(), _weights(), *_training()]


def _media() -> list[Finding]:
    try:
        import av
    except ImportError as error:
        return [Finding("decoding", False, str(error), "pip install av")]
    missing = [name for name in CODECS if name not in av.codecs_available]
    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))
    detail = f"PyAV {av.__version__}, libavcodec {ffmpeg}"
    detail += f"; without {', '.join(missing)}" if missing else f"; {', '.join(CODECS)}"
    return [Finding("decoding", not missing, detail, "pip install --force-reinstall av")]


def _faces() -> list[Finding]:
    from avtca.faces import available_detectors, best_detector

    rows = [
        Finding(f"faces: {each.name}", each.ok, each.version, each.fix, needed=False)
        for each in available_detectors()
    ]
    try:
        return [*rows, Finding("faces", True, f"{best_detector().name} is used")]
    except Exception as error:
        return [*rows, Finding("faces", False, str(error), "pip install --force-reinstall avtca")]


def _engine() -> Finding:
    try:
        import onnxruntime

        providers = ", ".join(onnxruntime.get_available_providers())
        return Finding("backend", True, f"onnxruntime {onnxruntime.__version__} ({providers})")
    except ImportError as error:
        return Finding("backend", False, str(error), "pip install onnxruntime")


def _weights() -> Finding:
    from avtca.errors import AvtcaError
    from avtca.runtime.backends import OnnxBackend
    from avtca.runtime.bundle import read_bundle

    try:
        bundle = read_bundle()
        OnnxBackend(bundle)
        size = sum((bundle.folder / name).stat().st_size for name in bundle.card["files"].values())
        return Finding("weights", True, f"{bundle.name}, {size / 1e6:.1f} MB, loads and runs")
    except AvtcaError as error:
        return Finding("weights", False, error.problem, "pip install --force-reinstall avtca")


def _training() -> list[Finding]:
    rows = []
    for name in ("torch", "lightning", "pandas", "sklearn", "h5py"):
        package = {"sklearn": "scikit-learn"}.get(name, name)
        try:
            version = importlib.metadata.version(package)
            rows.append(Finding(f"training: {package}", True, version, needed=False))
        except importlib.metadata.PackageNotFoundError:
            fix = "pip install 'avtca[train]' (only to train or evaluate)"
            rows.append(Finding(f"training: {package}", False, "absent", fix, needed=False))
    return rows


def doctor() -> None:
    """Check the installation.

    Prints the version of each part that works, and a fix for each that does not.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    broken = False
    for finding in findings():
        status = "ok" if finding.ok else ("MISSING" if finding.needed else "absent")
        broken |= finding.needed and not finding.ok
        detail = (
            finding.detail if finding.ok else ": ".join(filter(None, (finding.detail, finding.fix)))
        )
        table.add_row(status, finding.what, escape(detail))
    Console(highlight=False).print(table)
    if broken:
        raise typer.Exit(2)
