"""A folder of reports, which a later call completes.

Its manifest, :data:`avtca.media.find.OUTPUTS`, lists the files, the options of each and the names
of its outputs.
"""

import glob
import hashlib
import io
import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avtca.files import write_atomic
from avtca.media.find import OUTPUTS
from avtca.recognize.attention import attention_json
from avtca.recognize.exports import EXPORTS
from avtca.recognize.report import NO_PERSON, Report, Thumbnail
from avtca.text import file_name

if TYPE_CHECKING:
    from avtca.plots.html import PageEntry

RESERVED = ("report", "summary", Path(OUTPUTS).stem)
"""Stems that no file's outputs may have."""
FACES = "faces.jpg"
"""Suffix of the faces above a timeline."""
MAX_STEM = 150
"""Longest stem in bytes; file systems allow 255 for a name with its suffix."""


SAVE_EVERY_S = 10.0
"""Seconds between two writings of the manifest, which grows with every file. After a crash, files
that it does not list are recognised again."""


class OutputFolder:
    """JSON, CSV and timeline of each file, and the manifest that lists them.

    :meth:`save` writes the manifest, which :meth:`add` does now and then.

    Args:
        folder: An existing folder.
        options: Whatever changes the reports, as JSON-serialisable values. Reports with other
            options stay in the folder until their file is recognised again.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(options, sort_keys=True)
        self.options_id = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.options: dict[str, Any] = {}
        self.files: dict[str, dict[str, str]] = {}
        try:
            stored = json.loads((folder / OUTPUTS).read_text(encoding="utf-8"))
            self.options, self.files = dict(stored["options"]), dict(stored["files"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # missing or damaged: every file is recognised again
        self.options[self.options_id] = options
        self._saved, self._saved_at = True, -math.inf

    def done(self, path: Path, digest: str, part: str = "") -> "PageEntry | None":
        """The report of a file with this content and the same options, if there is one."""
        from avtca.plots.faces import read_strip
        from avtca.plots.html import PageEntry

        row = self.files.get(f"{path.resolve()}{part}")
        if row is None or (row["sha256"], row["options"]) != (digest, self.options_id):
            return None
        try:
            plain = json.loads(self._at(row["stem"], "json").read_text(encoding="utf-8"))
            report = replace(Report.from_dict(plain), file=f"{path}{part}")
            self._at(row["stem"], "png").stat()
            faces = read_strip(self._at(row["stem"], FACES))
            thumbnails = [
                (person.number, face)
                for person in report.people
                if (face := self._at(row["stem"], f"person{person.number}.png")).is_file()
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return PageEntry(report, None, faces, tuple(thumbnails))

    def add(
        self, report: Report, path: Path, below: Path | None, digest: str, part: str = ""
    ) -> "PageEntry":
        """Write a report, and list it in the manifest that :meth:`save` writes.

        Args:
            report: The report.
            path: The recognised file.
            below: The given folder in which the file was found, if any.
            digest: SHA-256 of the file.
            part: The part of the file, "#t=1.5,3"; empty for the whole file.

        Raises:
            OSError: The folder cannot be written.
        """
        stem = self.stem(path, below, part)
        entry = write_files(report, self.folder, stem)
        row = {"stem": stem, "sha256": digest, "options": self.options_id}
        self.files[f"{path.resolve()}{part}"] = row
        self._saved = False
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.save()
        return entry

    def export(self, report: Report, path: Path, name: str, part: str = "") -> None:
        """Write a report that the folder has in a format of :data:`EXPORTS`.

        Raises:
            OSError: The folder cannot be written.
        """
        for suffix, content in EXPORTS[name].files(report, self.folder).items():
            write_atomic(self.folder / f"{self.stem(path, None, part)}{suffix}", content)

    def figure(
        self, entry: "PageEntry", path: Path, part: str, format: str, width_in: float
    ) -> None:
        """Write the timeline of a report that the folder has as a figure for print.

        Args:
            entry: Entry of the file, which has its faces.
            path: The recognised file.
            part: The part of the file, as in :meth:`add`.
            format: "svg", "png" or "pdf".
            width_in: Width in inches.

        Raises:
            OSError: The folder cannot be written.
        """
        from avtca.plots.drawing import figure_bytes

        drawn = figure_bytes(with_images(entry).plot(width_in), format)
        write_atomic(self._at(self.stem(path, None, part), format), drawn)

    def save(self) -> None:
        """Write the manifest, unless it is as it was.

        Raises:
            OSError: The folder cannot be written.
        """
        if self._saved:
            return
        used = {row["options"] for row in self.files.values()}
        options = {name: each for name, each in self.options.items() if name in used}
        text = {"format": 1, "options": options, "files": self.files}
        manifest = json.dumps(text, indent=1, ensure_ascii=False)
        # Names that are not UTF-8 are surrogates in Python, which JSON can only hold escaped.
        write_atomic(self.folder / OUTPUTS, manifest.encode(errors="backslashreplace"))
        self._saved, self._saved_at = True, time.monotonic()

    def stem(self, path: Path, below: Path | None, part: str = "") -> str:
        """Stem of a file's outputs: its path below the given folder, "b/x.mp4" as "b__x.mp4".

        A part from 1.5 to 3 s is "x.mp4_1.5-3".

        It never changes between calls. Where two files would share a stem, or the name has
        unprintable characters, the start of the path's hash is appended.
        """
        real = f"{path.resolve()}{part}"
        if real in self.files:
            return str(self.files[real]["stem"])
        plain = "__".join((path.relative_to(below) if below else Path(path.name)).parts)
        plain += part.replace("#t=", "_").replace(",", "-")
        short = file_name(plain).encode()[-MAX_STEM:].decode(errors="ignore")
        taken = {row["stem"].casefold() for row in self.files.values()} | {*RESERVED}
        if short == plain and plain.casefold() not in taken:
            return plain
        return f"{short}-{hashlib.sha256(os.fsencode(real)).hexdigest()[:8]}"

    def others(self) -> int:
        """Number of reports with other options."""
        return sum(row["options"] != self.options_id for row in self.files.values())

    def _at(self, stem: str, suffix: str) -> Path:
        return self.folder / f"{stem}.{suffix}"


def with_images(entry: "PageEntry") -> Report:
    """The report of an entry with the faces of the folder."""
    from PIL import Image

    from avtca.plots.faces import strip_images

    strip, report = entry.faces, entry.report
    thumbnails = [] if strip is None else list(zip(strip.times, strip_images(strip), strict=True))
    people, files = [], dict(entry.thumbnails)
    for person in report.people:
        file = files.get(person.number)
        if isinstance(file, Path):
            with Image.open(file) as image:
                rgb = np.asarray(image.convert("RGB"))
            face = Thumbnail(person.at_s or 0.0, person.number, rgb)
            person = replace(person, thumbnail=face)
        people.append(person)
    faces = tuple(Thumbnail(time_s, NO_PERSON, rgb) for time_s, rgb in thumbnails)
    return replace(report, people=tuple(people), thumbnails=faces)


def write_files(report: Report, folder: Path, stem: str, label: str | None = None) -> "PageEntry":
    """Write JSON, CSV, timeline, faces and attention of one report, and each person's thumbnail.

    Faces, exports and attention of an earlier report of the file are deleted.

    Args:
        report: The report.
        folder: An existing folder.
        stem: Stem of the files.
        label: True label of the file, if known.

    Returns:
        The entry of the file on the page.

    Raises:
        OSError: The folder cannot be written.
    """
    from PIL import Image

    from avtca.plots.drawing import png_bytes
    from avtca.plots.faces import make_strip
    from avtca.plots.html import PageEntry

    strip = make_strip(report.thumbnails, report.duration_s)
    (folder / f"{stem}.{FACES}").unlink(missing_ok=True)
    for old in folder.glob(f"{glob.escape(stem)}.person*.png"):
        old.unlink()
    for export in EXPORTS.values():
        for suffix in export.suffixes:
            (folder / f"{stem}{suffix}").unlink(missing_ok=True)
    _write_attention(report, folder, stem)
    thumbnails = []
    for person in report.people:
        if person.thumbnail is not None:
            data, path = io.BytesIO(), folder / f"{stem}.person{person.number}.png"
            Image.fromarray(person.thumbnail.rgb).save(data, format="png")
            write_atomic(path, data.getvalue())
            thumbnails.append((person.number, path))
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    write_atomic(folder / f"{stem}.json", text)
    write_atomic(folder / f"{stem}.csv", report.to_csv())
    write_atomic(folder / f"{stem}.png", png_bytes(report.plot()))
    if strip is not None and isinstance(strip.jpeg, bytes):
        write_atomic(folder / f"{stem}.{FACES}", strip.jpeg)
        strip = strip._replace(jpeg=folder / f"{stem}.{FACES}")
    return PageEntry(report, label, strip, tuple(thumbnails))


def _write_attention(report: Report, folder: Path, stem: str) -> None:
    """Write attention maps as JSON and picture, or delete earlier ones where there are none."""
    plain, png = (folder / f"{stem}.attention.{suffix}" for suffix in ("json", "png"))
    if not report.attention:
        for path in (plain, png):
            path.unlink(missing_ok=True)
        return
    from avtca.plots.attention import attention_figure
    from avtca.plots.drawing import png_bytes

    write_atomic(plain, attention_json(report.file, report.model, report.attention))
    write_atomic(png, png_bytes(attention_figure(report)))
