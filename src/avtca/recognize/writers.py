"""A folder of reports, which a later call goes on with.

Its manifest, :data:`avtca.media.find.OUTPUTS`, says what was read with which options, and the
names of its files.
"""

import glob
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avtca.files import write_atomic
from avtca.media.find import OUTPUTS
from avtca.recognize.report import Report

if TYPE_CHECKING:
    from avtca.plots.html import PageEntry

RESERVED = ("report", "summary", Path(OUTPUTS).stem)
"""Stems of the folder's own files."""
LONGEST = 150
"""Bytes of a stem; file systems sample 255 for a name with its ending."""


class OutputFolder:
    """JSON, CSV and picture of each file, and the manifest by which they are found again.

    ``folder`` is there and can be written. ``options`` are plain values: whatever changes answers.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(options, sort_keys=True)
        self.made_with = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.options: dict[str, Any] = {}
        self.files: dict[str, dict[str, str]] = {}
        try:
            kept = json.loads((folder / OUTPUTS).read_text(encoding="utf-8"))
            self.options, self.files = dict(kept["options"]), dict(kept["files"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or a broken one: everything is read anew
        self.options[self.made_with] = options

    def done(self, path: Path, digest: str) -> "PageEntry | None":
        """The report of a file of that content, if it was made with the same options."""
        from avtca.plots.html import PageEntry

        row = self.files.get(str(path.resolve()))
        if row is None or (row["sha256"], row["options"]) != (digest, self.made_with):
            return None
        try:
            plain = json.loads(self._at(row["stem"], "json").read_text(encoding="utf-8"))
            report = replace(Report.from_dict(plain), file=str(path))
            png = self._at(row["stem"], "png").read_bytes()
            thumbnails = [
                (person.number, face.read_bytes())
                for person in report.people
                if (face := self._at(row["stem"], f"person{person.number}.png")).is_file()
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return PageEntry(report, png, None, tuple(thumbnails))

    def add(self, report: Report, path: Path, below: Path | None, digest: str) -> "PageEntry":
        """Write a report and note it; ``below`` is the folder that the user named.

        Raises ``OSError`` where the system refuses.
        """
        stem = self.stem(path, below)
        entry = write_files(report, self.folder, stem)
        row = {"stem": stem, "sha256": digest, "options": self.made_with}
        self.files[str(path.resolve())] = row
        used = {row["options"] for row in self.files.values()}
        options = {name: kept for name, kept in self.options.items() if name in used}
        text = {"format": 1, "options": options, "files": self.files}
        write_atomic(self.folder / OUTPUTS, json.dumps(text, indent=1, ensure_ascii=False))
        return entry

    def stem(self, path: Path, below: Path | None) -> str:
        """Name of a file's outputs: its path below the named folder, "b/x.mp4" as "b__x.mp4".

        Stays what it was in an earlier call. Where two files would share it, the later one has a
        few letters of its path's hash behind it.
        """
        real = str(path.resolve())
        if real in self.files:
            return str(self.files[real]["stem"])
        plain = "__".join((path.relative_to(below) if below else Path(path.name)).parts)
        short = plain.encode()[-LONGEST:].decode(errors="ignore")
        taken = {row["stem"].casefold() for row in self.files.values()} | {*RESERVED}
        if short == plain and plain.casefold() not in taken:
            return plain
        return f"{short}-{hashlib.sha256(real.encode()).hexdigest()[:8]}"

    def others(self) -> int:
        """Reports in the folder that were made with other options."""
        return sum(row["options"] != self.made_with for row in self.files.values())

    def _at(self, stem: str, ending: str) -> Path:
        return self.folder / f"{stem}.{ending}"


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file's content; ``None`` for what is no plain file, or cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def write_files(report: Report, folder: Path, stem: str, label: str | None = None) -> "PageEntry":
    """JSON, CSV and picture of one report, and a picture of each person in it.

    Returns what the page needs, with ``label``, the emotion that the file is known to show. Raises
    ``OSError`` where the system refuses.
    """
    from PIL import Image

    from avtca.plots.html import PageEntry, png_bytes

    for old in folder.glob(f"{glob.escape(stem)}.person*.png"):
        old.unlink()
    thumbnails = []
    for person in report.people:
        if person.thumbnail is not None:
            data = io.BytesIO()
            Image.fromarray(person.thumbnail.rgb).save(data, format="png")
            thumbnails.append((person.number, data.getvalue()))
            write_atomic(folder / f"{stem}.person{person.number}.png", data.getvalue())
    entry = PageEntry(report, png_bytes(report.plot()), label, tuple(thumbnails))
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    write_atomic(folder / f"{stem}.json", text)
    write_atomic(folder / f"{stem}.csv", report.to_csv())
    write_atomic(folder / f"{stem}.png", entry.png)
    return entry
