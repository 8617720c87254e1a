"""nEMO (Christop 2024), Polish speech."""

import csv
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.index import CorpusIndex, SampleSource, list_audio
from avtca.errors import CorpusError
from avtca.labels import NEMO


def index_nemo(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Every clip that ``labels.csv`` (file, speaker, emotion) lists; files are found by name."""
    action = f"prepare nEMO from {root}"
    files = {path.name: path for path in list_audio(root, spec, action)}
    table = root / "labels.csv"
    if not table.is_file():
        raise CorpusError(action, "no labels.csv", "put it beside the clips")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sources = []
    for row in rows:
        path = files.get(row["file"], root / row["file"])
        sources.append(SampleSource(path.stem, row["speaker"], NEMO[row["emotion"]], audio=path))
    unlisted = sorted(set(files) - {row["file"] for row in rows})
    skipped = tuple((name, "not in labels.csv") for name in unlisted)
    return CorpusIndex("nemo", root, tuple(NEMO.values()), tuple(sources), "pl", skipped=skipped)
