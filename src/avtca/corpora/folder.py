"""Your own corpus: a CSV ``path,label[,speaker][,start,end][,split]``, or folders by label.

Folders: ``LABEL/file`` or ``LABEL/SPEAKER/file``, under ``train``, ``validation`` and ``test``
if the corpus is split.
"""

import csv
import difflib
import os
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.corpora.elan import eaf_files, index_eaf
from avtca.corpora.index import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    CorpusIndex,
    SampleSource,
    list_files,
    require_media_spec,
)
from avtca.corpora.splits import SUBSET_ALIASES
from avtca.errors import CorpusError
from avtca.labels import canonical
from avtca.text import find_separator, printable, seconds_of

COLUMNS = ("path", "label", "speaker", "start", "end", "split", "sex", "age", "intensity")
"""Columns of the CSV; the first two are required, and others are not read."""


def index_folder(root: Path, spec: ClipSpec, tier: str | None = None) -> CorpusIndex:
    """A CSV file, a folder with one CSV at its top, EAF files, or folders named by label.

    Labels are mapped to the project's words ("Happiness" to "happy"), and characters that cannot be
    printed are escaped in all names. Missing files are not an
    error here: each fails when it is prepared.

    Args:
        root: The file or folder.
        spec: The spec of the cache.
        tier: Tier of EAF files with the labels, see :func:`avtca.corpora.elan.index_eaf`.

    Raises:
        CorpusError: A line of the CSV is invalid, or there is no clip.
    """
    action = f"prepare the folder {root}"
    has_eaf = root.is_file() and root.suffix.lower() == ".eaf"
    if root.is_dir() and (tier is not None or not any(root.glob("*.csv"))):
        has_eaf = any(root.glob("*.eaf")) or (tier is not None and bool(eaf_files(root)))
    if has_eaf:
        return index_eaf(root, spec, tier)
    if tier is not None and root.exists():
        raise CorpusError(
            action, f"it is no EAF file, so that it has no tier {tier}", "leave --tier out"
        )
    if root.is_file() and root.suffix.lower() == ".csv":
        return _from_csv(root, spec, action)
    if not root.is_dir():
        raise CorpusError(
            action, "no such folder or CSV", "give a folder, a CSV of your clips, or an EAF file"
        )
    tables = sorted(root.glob("*.csv"))
    if len(tables) > 1:
        raise CorpusError(action, f"{len(tables)} CSVs are in it", "give the one with the labels")
    return _from_csv(tables[0], spec, action) if tables else _from_folders(root, spec, action)


def _from_csv(table: Path, spec: ClipSpec, action: str) -> CorpusIndex:
    action = f"prepare the clips of {table.name}"
    sources: dict[str, SampleSource] = {}
    line_of: dict[Any, int] = {}
    spellings: dict[str, set[str]] = {}
    listings: Listings = {}
    for line, row in _rows(table, action):
        where = f"line {line}"
        if not row["path"] or not row["label"]:
            empty = "path" if not row["path"] else "label"
            raise CorpusError(action, f"{where} has no {empty}", "fill it in or drop the line")
        path = find_file(table.parent, row["path"], listings)
        start, end = (_seconds(row.get(key, ""), where, key, action) for key in ("start", "end"))
        if (start is None) != (end is None):
            raise CorpusError(action, f"{where} has only one of start and end", "give both")
        if start is not None and end is not None and not 0 <= start < end:
            raise CorpusError(
                action, f"{where}: {start:g} .. {end:g} s is not a valid segment", "correct it"
            )
        named = Path(row["path"].replace("\\", "/"))
        stem = printable(named.with_suffix("").as_posix().lstrip("/") if named.name else str(path))
        sample = stem if start is None else f"{stem}@{start:g}-{end:g}"
        same_file = os.path.normpath(path.absolute()), start, end
        if earlier := line_of.get(sample) or line_of.get(same_file):
            raise CorpusError(
                action,
                f"lines {earlier} and {line} both name {row['path']}",
                "keep one label for each clip",
            )
        line_of[sample] = line_of[same_file] = line
        label = canonical(printable(row["label"]))
        spellings.setdefault(label, set()).add(printable(row["label"]))
        sources[sample] = SampleSource(
            sample_id=sample,
            speaker=printable(row.get("speaker", "")),
            label=label,
            start_s=start,
            end_s=end,
            video=_video(path),
            audio=path,
            fields={"path": printable(row["path"]), **_fields(row, where, action)},
        )
    return _index(table.parent, list(sources.values()), spellings, spec, action)


Listings = dict[Path, dict[str, list[str]]]
"""Names in each folder by :func:`_folded`, filled as they are needed."""


def find_file(folder: Path, name: str, listings: Listings) -> Path:
    """The file that a table from another system names.

    Args:
        folder: The folder of the table.
        name: A path with slashes or backslashes.
        listings: Folders that were listed before.

    Returns:
        The path as it is, if it exists; else the only one that differs from it in case and in the
        form of accented letters (Unicode NFC or NFD); else a path that does not exist.
    """
    if (folder / name).exists():
        return folder / name
    path = folder
    for part in PurePath(name.replace("\\", "/")).parts:
        if not (path / part).exists():
            if path not in listings:
                listings[path] = _list(path)
            same = listings[path].get(_folded(part), [])
            part = same[0] if len(same) == 1 else part
        path = path / part
    return path


def _list(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    with suppress(OSError):
        for path in folder.iterdir():
            names.setdefault(_folded(path.name), []).append(path.name)
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _rows(table: Path, action: str) -> list[tuple[int, dict[str, str]]]:
    """Lines of the CSV with their numbers, columns checked."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            separator, _ = find_separator(file.readline(), COLUMNS[:2])
            reader = csv.reader(file, delimiter=separator)
            file.seek(0)
            header = [name.strip().lower() for name in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(
            action, f"not a CSV in UTF-8 ({error})", "save it as CSV, UTF-8"
        ) from error
    for line, cells in [(1, header), *lines]:
        if any("\0" in cell for cell in cells):
            raise CorpusError(action, f"line {line} has a zero byte", "save it as CSV, UTF-8")
    for name in header:
        near = difflib.get_close_matches(name, COLUMNS, 1) if name not in COLUMNS else []
        if near and near[0] not in header:
            raise CorpusError(action, f"unknown column {name!r}", f"did you mean {near[0]}?")
        if header.count(name) > 1:
            raise CorpusError(action, f"column {name!r} is there twice", "keep one of them")
    for name in COLUMNS[:2]:
        if name not in header:
            raise CorpusError(action, f"no column {name!r}", f"columns are {', '.join(COLUMNS)}")
    out = []
    for line, cells in lines:
        if len(cells) != len(header):
            raise CorpusError(
                action,
                f"line {line} has {len(cells)} cells, the header {len(header)}",
                "put names with commas in quotes",
            )
        out.append((line, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    return out


def _seconds(text: str, where: str, key: str, action: str) -> float | None:
    if not text:
        return None
    try:
        return round(seconds_of(text), 6)
    except (ValueError, OverflowError) as error:
        fix = "give seconds, as 12.5, or mm:ss"
        raise CorpusError(action, f"{where}: {key} {text!r} is not seconds", fix) from error


def _fields(row: dict[str, str], where: str, action: str) -> dict[str, Any]:
    fields: dict[str, Any] = {key: row[key] for key in ("sex", "intensity") if row.get(key)}
    if row.get("age"):
        fields["age"] = _seconds(row["age"], where, "age", action)
    if row.get("split"):
        subset = SUBSET_ALIASES.get(row["split"].lower())
        if subset is None:
            raise CorpusError(
                action, f"{where}: split {row['split']!r}", "use train, validation or test"
            )
        fields["split"] = subset
    return fields


def _video(path: Path) -> Path | None:
    """The file, if it may hold video."""
    return path if path.suffix.lower() not in AUDIO_SUFFIXES else None


def _from_folders(root: Path, spec: ClipSpec, action: str) -> CorpusIndex:
    tops = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    split = bool(tops) and all(top.name.lower() in SUBSET_ALIASES for top in tops)
    found: dict[str, SampleSource] = {}
    skipped: list[tuple[str, str]] = []
    spellings: dict[str, set[str]] = {}
    for path in list_files(root):
        parts = tuple(map(printable, path.relative_to(root).parts))
        subset = SUBSET_ALIASES[parts[0].lower()] if split and len(parts) > 1 else None
        inner = parts[1:] if split else parts
        name = "/".join(parts)
        if path.suffix.lower() not in VIDEO_SUFFIXES | AUDIO_SUFFIXES:
            skipped.append((name, "not media"))
            continue
        if not 2 <= len(inner) <= 3:
            skipped.append((name, "not in LABEL/ or LABEL/SPEAKER/"))
            continue
        sample = Path(name).with_suffix("").as_posix()
        label = canonical(inner[0])
        spellings.setdefault(label, set()).add(inner[0])
        source = SampleSource(
            sample_id=sample,
            speaker=inner[1] if len(inner) == 3 else "",
            label=label,
            video=_video(path),
            audio=path,
            fields={"path": name, **({"split": subset} if subset else {})},
        )
        if sample in found:
            merged = _merged(found[sample], source)
            if merged is None:
                skipped.append((name, "another file has the same name"))
                continue
            source = merged
        found[sample] = source
    return _index(root, list(found.values()), spellings, spec, action, skipped)


def _merged(first: SampleSource, second: SampleSource) -> SampleSource | None:
    """One sample of ``a.mp4`` and ``a.wav``; ``None`` for two video or two audio files."""
    video, audio = (first, second) if first.video else (second, first)
    if video.video is None or video.video != video.audio or audio.video is not None:
        return None
    return replace(video, audio=audio.audio)


def _index(
    root: Path,
    sources: list[SampleSource],
    spellings: dict[str, set[str]],
    spec: ClipSpec,
    action: str,
    skipped: list[tuple[str, str]] | None = None,
) -> CorpusIndex:
    if not sources:
        raise CorpusError(
            action,
            "no clip in it",
            "make folders named by label, or a CSV with the columns path and label",
        )
    require_media_spec(spec, action, video=any(source.video for source in sources))
    notes = [
        f"{', '.join(sorted(names))} are merged as {label}"
        for label, names in sorted(spellings.items())
        if len(names) > 1
    ]
    unnamed = sum(not source.speaker for source in sources)
    if unnamed:
        notes.append(f"{unnamed} samples without a speaker: splits cannot be speaker-independent")
    return CorpusIndex(
        corpus="folder",
        root=root,
        labels=tuple(sorted({source.label for source in sources})),
        sources=tuple(sources),
        skipped=tuple(skipped or ()),
        notes=tuple(notes),
    )
