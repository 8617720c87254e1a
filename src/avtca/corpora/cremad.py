"""CREMA-D as its owners ship it (Cao et al. 2014): ``VideoFlash``, ``AudioWAV`` and its tables.

The label is the emotion that the actor was told to express. The votes of ten raters, who heard the
clip, saw it, or both, are in the columns ``voice_*``, ``face_*`` and ``both_*`` (shares of
the votes) and ``voted_*`` (the majority; empty where the first two are level).

The owners' README names clips that are not what their names say (CheyneyComputerScience/CREMA-D,
issue 8): ``1076_MTI_SAD_XX`` (an error message, no audio in FLV and WAV),
``1064_IEO_DIS_MD.flv`` (a minute with every emotion), ``1064_TIE_SAD_XX.flv`` (no duration) and
``1076_MTI_NEU_XX.flv`` (a few frames, no audio; its WAV is whole). They are
recognised by their content (:func:`not_a_sentence`), so a corrected file is accepted.
"""

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.corpora.index import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    CorpusIndex,
    SampleSource,
    list_files,
    require_media_spec,
)
from avtca.corpora.sample_file import is_silent
from avtca.errors import CorpusError
from avtca.labels import CREMAD
from avtca.preprocess import RawSample

NAME = re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(XX?|LO|MD|HI)")
LABELS = tuple(CREMAD.values())
LEVELS = {"X": "unspecified", "XX": "unspecified", "LO": "low", "MD": "medium", "HI": "high"}
RATED = {"1": "voice", "2": "face", "3": "both"}
"""First digit of a row's number in ``tabulatedVotes.csv`` -> what the raters were shown."""
LETTERS = dict(zip("ADFHNS", LABELS, strict=True))
CLIPS = 7442
SENTENCE_S = (0.5, 15.0)
"""Accepted length of a clip in seconds; sentences of the corpus take one to five."""


def index_cremad(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Every clip below a folder; video and audio files of one name are one sample.

    The audio is that of the WAV, or of the video where the WAV is unreadable or silent. Without
    ``VideoDemographics.csv`` or ``tabulatedVotes.csv`` their columns are empty.

    Raises:
        CorpusError: There is no clip, or a table lacks columns.
    """
    action = f"prepare CREMA-D from {root}"
    if not root.is_dir():
        raise CorpusError(action, "no such folder", "give the folder with VideoFlash and AudioWAV")
    files = list_files(root)
    samples, skipped = _samples(files, root)
    if not samples:
        pointers = sum(why.startswith("a git-lfs") for _, why in skipped)
        raise CorpusError(
            action,
            f"{pointers} git-lfs pointers in place of clips" if pointers else "no CREMA-D clip",
            "run git lfs pull there" if pointers else "give the folder with VideoFlash, AudioWAV",
        )
    require_media_spec(spec, action, video=any("video" in parts for parts in samples.values()))
    tables = {path.name: path for path in files if path.suffix == ".csv"}
    demographics = _demographics(tables.get("VideoDemographics.csv"), action)
    votes = _votes(tables.get("tabulatedVotes.csv"), action)
    sources = []
    for sample, parts in sorted(samples.items()):
        speaker, sentence, code, level = sample.split("_")
        sources.append(
            SampleSource(
                sample_id=sample,
                speaker=speaker,
                label=CREMAD[code],
                video=parts.get("video"),
                audio=parts.get("audio") or parts.get("video"),
                fallback_audio=parts.get("video"),
                fields={
                    "sentence": sentence,
                    "intensity": LEVELS[level],
                    **demographics.get(speaker, {}),
                    **votes.get(sample, {}),
                },
            )
        )
    notes = [f"{len(sources)} of {CLIPS} clips are there"] if len(sources) < CLIPS else []
    if not demographics:
        notes.append("no VideoDemographics.csv: sex, age and ethnicity are unknown")
    if not votes:
        notes.append("no tabulatedVotes.csv: no labels by votes")
    rated_by = list(RATED.values()) if votes else []
    return CorpusIndex(
        corpus="cremad",
        root=root,
        labels=LABELS,
        sources=tuple(sources),
        language="en",
        targets={rated: tuple(f"{rated}_{label}" for label in LABELS) for rated in rated_by},
        classes={f"voted_{rated}": LABELS for rated in rated_by},
        skipped=tuple(skipped),
        notes=tuple(notes),
        unusable=not_a_sentence,
    )


def not_a_sentence(raw: RawSample) -> str:
    """Why a decoded sample is not a clip of one spoken sentence; empty if it is."""
    low, high = SENTENCE_S
    if not low <= raw.duration_s <= high:
        return f"it lasts {raw.duration_s:.2f} s, a clip of one sentence {low:g} to {high:g} s"
    if not len(raw.steps) and is_silent(raw.wave):
        return "it has neither a face nor audio"
    return ""


def _samples(
    files: list[Path], root: Path
) -> tuple[dict[str, dict[str, Path]], list[tuple[str, str]]]:
    samples: dict[str, dict[str, Path]] = {}
    skipped = []
    for path in sorted(files, key=lambda path: (path.suffix.lower() != ".wav", path)):
        kind = "video" if path.suffix.lower() in VIDEO_SUFFIXES else "audio"
        if kind == "audio" and path.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        match = NAME.fullmatch(path.stem)
        sample = f"{match[1]}_{match[2]}_{match[3]}_{match[4]:X<2}" if match else ""
        if not match:
            skipped.append((path.relative_to(root).as_posix(), "not a CREMA-D name"))
        elif _is_lfs_pointer(path):
            skipped.append((path.relative_to(root).as_posix(), "a git-lfs pointer, not the file"))
        elif kind in samples.setdefault(sample, {}):
            skipped.append((path.relative_to(root).as_posix(), "the same clip is there twice"))
        else:
            samples[sample][kind] = path
    return {sample: parts for sample, parts in samples.items() if parts}, skipped


def _is_lfs_pointer(path: Path) -> bool:
    """Whether git-lfs left a pointer in place of the file."""
    return path.stat().st_size <= 1024 and path.read_bytes().startswith(b"version https://git-lfs")


def _demographics(path: Path | None, action: str) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    return {
        row["ActorID"]: {
            "sex": row["Sex"].lower(),
            "age": float(row["Age"]),
            "race": row["Race"],
            "ethnicity": row["Ethnicity"],
        }
        for row in _rows(path, {"ActorID", "Age", "Sex", "Race", "Ethnicity"}, action)
    }


def _votes(path: Path | None, action: str) -> dict[str, dict[str, Any]]:
    """Shares of the votes, their majority, and the number of raters, by clip."""
    if path is None:
        return {}
    out: dict[str, dict[str, Any]] = {}
    for row in _rows(path, {"fileName", *LETTERS}, action):
        rated = RATED.get(row[""][:1])
        counts = Counter({label: int(row[letter]) for letter, label in LETTERS.items()})
        total = counts.total()
        if rated is None or not total:
            raise CorpusError(action, f"{path.name}: row {row['']} is invalid", "download it again")
        columns = out.setdefault(row["fileName"], {})
        columns.update({f"{rated}_{label}": counts[label] / total for label in LABELS})
        (first, n), (_, second) = counts.most_common(2)
        columns[f"voted_{rated}"] = first if n > second else ""
        columns[f"raters_{rated}"] = total
    return out


def _rows(path: Path, needed: set[str], action: str) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := sorted(needed - set(reader.fieldnames or [])):
            raise CorpusError(
                action, f"{path.name} has no column {missing[0]}", "download it again"
            )
        return list(reader)
