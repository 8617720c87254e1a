"""Speech corpora without pictures: Berlin EMO-DB (Burkhardt 2005) and nEMO (Christop 2024)."""

import csv
import re
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.index import (
    AUDIO_SUFFIXES,
    CorpusIndex,
    SampleSource,
    require_media_spec,
    visible,
)
from avtca.errors import CorpusError
from avtca.labels import EMODB, NEMO

EMODB_NAME = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])")
EMODB_PEOPLE = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
"""Sex and age of the ten speakers, from the corpus's page."""


def index_emodb(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Every clip under a folder, by its name: speaker, text, emotion letter, version."""
    action = f"prepare EMO-DB from {root}"
    sources, skipped = [], []
    for path in _audios(root, spec, action):
        match = EMODB_NAME.fullmatch(path.stem)
        if not match:
            skipped.append((path.relative_to(root).as_posix(), "not an EMO-DB name"))
            continue
        sex, age = EMODB_PEOPLE[match[1]]
        fields = {"sex": sex, "age": float(age), "sentence": match[2], "repetition": match[4]}
        sources.append(
            SampleSource(path.stem, match[1], EMODB[match[3]], audio=path, fields=fields)
        )
    if not sources:
        raise CorpusError(action, "no file with an EMO-DB name", "give the folder of its clips")
    labels = tuple(EMODB.values())
    return CorpusIndex("emodb", root, labels, tuple(sources), "de", skipped=tuple(skipped))


def index_nemo(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Every clip that ``labels.csv`` (file, speaker, emotion) lists; files are found by name."""
    action = f"prepare nEMO from {root}"
    files = {path.name: path for path in _audios(root, spec, action)}
    table = root / "labels.csv"
    if not table.is_file():
        raise CorpusError(action, "no labels.csv", "put it beside the clips")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sources = []
    for row in rows:
        path = files.get(row["file"], root / row["file"])
        sources.append(SampleSource(path.stem, row["speaker"], NEMO[row["emotion"]], audio=path))
    listed = {row["file"] for row in rows}
    skipped = [(name, "not in labels.csv") for name in sorted(set(files) - listed)]
    labels = tuple(NEMO.values())
    return CorpusIndex("nemo", root, labels, tuple(sources), "pl", skipped=tuple(skipped))


def _audios(root: Path, spec: ClipSpec, action: str) -> list[Path]:
    if not root.is_dir():
        raise CorpusError(action, "no such folder", "give the folder of its clips")
    require_media_spec(spec, action, pictures=False)
    return [path for path in visible(root) if path.suffix.lower() in AUDIO_SUFFIXES]
