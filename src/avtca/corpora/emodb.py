"""Berlin EMO-DB (Burkhardt et al. 2005), German speech."""

import re
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.index import CorpusIndex, SampleSource, list_audio
from avtca.errors import CorpusError
from avtca.labels import EMODB

NAME = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])")
SPEAKERS = {
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
    """Every clip below a folder, by its name: speaker, text, letter of the emotion, version."""
    action = f"prepare EMO-DB from {root}"
    sources, skipped = [], []
    for path in list_audio(root, spec, action):
        match = NAME.fullmatch(path.stem)
        if not match:
            skipped.append((path.relative_to(root).as_posix(), "not an EMO-DB name"))
            continue
        sex, age = SPEAKERS[match[1]]
        fields = {"sex": sex, "age": float(age), "sentence": match[2], "repetition": match[4]}
        sources.append(
            SampleSource(path.stem, match[1], EMODB[match[3]], audio=path, fields=fields)
        )
    if not sources:
        raise CorpusError(action, "no file with an EMO-DB name", "give the folder of its clips")
    labels = tuple(EMODB.values())
    return CorpusIndex("emodb", root, labels, tuple(sources), "de", skipped=tuple(skipped))
