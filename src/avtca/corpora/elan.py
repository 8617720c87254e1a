"""Recordings that were coded in ELAN: the annotations of one tier are the labels."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.index import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    CorpusIndex,
    SampleSource,
    list_files,
    require_media_spec,
)
from avtca.errors import CorpusError
from avtca.labels import canonical
from avtca.media.eaf import EXCLUDE_TYPE, Eaf, MediaLink, Tier, parse_eaf
from avtca.text import printable

SUFFIX = ".eaf"
MAX_BYTES = 2**28
MAX_LISTED = 10
"""Tiers that an error lists."""


@dataclass(frozen=True)
class _Media:
    file: Path
    origin_s: float


def eaf_files(root: Path) -> list[Path]:
    """The EAF file itself, or the EAF files in a folder."""
    if root.is_file():
        return [root] if root.suffix.lower() == SUFFIX else []
    return [path for path in list_files(root) if path.suffix.lower() == SUFFIX]


def index_eaf(root: Path, spec: ClipSpec, tier: str | None = None) -> CorpusIndex:
    """List the annotations of one tier of EAF files as samples.

    The speaker is the participant of the tier, or what follows the "@" in its name. A file that
    cannot be used is in :attr:`CorpusIndex.problems`, and the others are used.

    Args:
        root: An EAF file, or a folder with some.
        spec: The spec of the cache.
        tier: Name of the tier, or of its type; tiers "NAME@PARTICIPANT" have the name "NAME". By
            default the only tier with annotations.

    Raises:
        CorpusError: No file can be used.
    """
    folder = root if root.is_dir() else root.parent
    sources: dict[str, SampleSource] = {}
    problems: list[str] = []
    errors: list[CorpusError] = []
    empty = 0
    for path in eaf_files(root):
        try:
            document = _read(path)
            media = _media(path, document)
            tiers = _tiers(path, document, tier)
        except CorpusError as error:
            errors.append(error)
            continue
        for one in tiers:
            for note in one.annotations:
                where = f"read {printable(path.name)}"
                place = f"the annotation at {note.start_s:g} s of tier {printable(one.name)}"
                if not note.text:
                    empty += 1
                elif note.end_s <= note.start_s:
                    problems.append(f"{where}: {place} has no length; correct it in ELAN")
                elif note.start_s + media.origin_s < 0:
                    problems.append(f"{where}: {place} is before the start of its media file")
                else:
                    source = _source(folder, media, one, note.start_s, note.end_s, note.text)
                    if source.sample_id in sources:
                        problems.append(f"{where}: {place} is there twice; keep one label")
                    else:
                        sources[source.sample_id] = source
    if not sources:
        if errors:
            raise errors[0]
        fix = "give EAF files whose tier has labels"
        raise CorpusError(f"read {root}", "no annotation has a label", fix)
    action = f"use the annotations of {root}"
    require_media_spec(spec, action, video=any(one.video for one in sources.values()))
    unnamed = sum(not one.speaker for one in sources.values())
    notes = [f"{empty} annotations without a value are left out"] if empty else []
    if unnamed:
        notes.append(f"{unnamed} samples without a speaker: splits cannot be speaker-independent")
    return CorpusIndex(
        corpus="folder",
        root=folder,
        labels=tuple(sorted({one.label for one in sources.values()})),
        sources=tuple(sources.values()),
        notes=tuple(notes),
        problems=(*map(str, errors), *problems),
    )


def _source(
    folder: Path, media: _Media, tier: Tier, start_s: float, end_s: float, label: str
) -> SampleSource:
    name = printable(Path(os.path.relpath(media.file, folder)).as_posix())
    start_s, end_s = round(start_s + media.origin_s, 3), round(end_s + media.origin_s, 3)
    speaker = printable(tier.participant or tier.name.partition("@")[2])
    sample = f"{Path(name).with_suffix('').as_posix()}@{start_s:g}-{end_s:g}"
    return SampleSource(
        sample_id=f"{sample} {speaker}".rstrip(),
        speaker=speaker,
        label=canonical(printable(label)),
        start_s=start_s,
        end_s=end_s,
        video=media.file if media.file.suffix.lower() not in AUDIO_SUFFIXES else None,
        audio=media.file,
        fields={"path": name},
    )


def _error(path: Path, problem: str, fix: str) -> CorpusError:
    return CorpusError(f"read {printable(str(path))}", problem, fix)


def _read(path: Path) -> Eaf:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"over {MAX_BYTES >> 20} MB")
        return parse_eaf(path.read_bytes())
    except OSError as error:
        raise _error(path, error.strerror or str(error), "check the path") from error
    except ValueError as error:
        raise _error(path, "it is no EAF file, or is damaged", "save it again in ELAN") from error


def _media(path: Path, document: Eaf) -> _Media:
    """The linked video, or the linked audio, or the file of the same name beside the EAF file."""
    audio = None
    for link in document.media:
        if file := _linked(path.parent, link):
            if file.suffix.lower() not in AUDIO_SUFFIXES:
                return _Media(file, link.origin_s)
            audio = audio or _Media(file, link.origin_s)
    if audio is not None:
        return audio
    if document.media:
        names = ", ".join(dict.fromkeys(printable(link.name) for link in document.media))
        fix = "put it beside the EAF file, or link it again in ELAN"
        raise _error(path, f"its media file {names} is not there", fix)
    beside = [
        file
        for file in sorted(path.parent.iterdir())
        if file.stem == path.stem and file.suffix.lower() in VIDEO_SUFFIXES | AUDIO_SUFFIXES
    ]
    if not beside:
        raise _error(path, "it links no media file", "link one in ELAN")
    return _Media(beside[0], 0.0)


def _linked(folder: Path, link: MediaLink) -> Path | None:
    """The linked file: by its path, or by its name beside the EAF file."""
    for text in (*link.paths, link.name):
        file = folder / text
        if "\0" not in text and file.is_file():
            return Path(os.path.normpath(file))
    return None


def _tiers(path: Path, document: Eaf, wanted: str | None) -> list[Tier]:
    """The tiers of that name, or of that type; none with ranges that a coder left out."""
    tiers = [tier for tier in document.tiers if tier.kind != EXCLUDE_TYPE]
    filled = [tier for tier in tiers if any(one.text for one in tier.annotations)]
    listed = _listed(filled or tiers)
    if wanted is None:
        if len(filled) != 1:
            problem = f"it has {len(filled)} tiers with annotations" + (
                f": {listed}" if filled else ""
            )
            raise _error(path, problem, "choose one with --tier")
        return filled
    name = wanted.casefold()
    found = [tier for tier in tiers if tier.name.partition("@")[0].casefold() == name]
    found = found or [tier for tier in tiers if tier.name.casefold() == name]
    found = found or [tier for tier in tiers if tier.kind.casefold() == name]
    if not found:
        problem = f"it has no tier {printable(wanted)}, only: {listed or 'none'}"
        raise _error(path, problem, "choose one of them with --tier")
    return found


def _listed(tiers: Sequence[Tier]) -> str:
    names = [printable(tier.name) for tier in tiers]
    return ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
