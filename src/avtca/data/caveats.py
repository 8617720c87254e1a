"""What must be said beside every figure of a split, in one line, and where answers keep it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from avtca.compat import upgrade

STANDARDISED = "features standardised on each person's own samples"
PLACES = {
    "config.json": ("data",),
    "last.json": ("provenance", "provenance"),
    "evaluation.json": ("split",),
}
"""Files beside answers that say where they come from, and the keys to it."""


def joined(parts: Iterable[str]) -> str:
    """Marks as one, each said once; an empty one says nothing."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def caveat_of(provenance: Mapping[str, Any]) -> str:
    """The mark of where answers come from: the auditor's line, and whether people's own samples
    served to standardise features.

    Keys: ``caveat`` (of an evaluation, which holds both), or ``split_audit`` (text) and
    ``standardise`` ("none" or "speaker"); empty where nothing is known.
    """
    if "caveat" in provenance:
        return str(provenance["caveat"])
    own = STANDARDISED if provenance.get("standardise") == "speaker" else ""
    return joined((str(provenance.get("split_audit", "")), own))


def caveat_beside(answers: Path) -> str:
    """The mark of answers, a file or a folder; empty where nothing says where they come from.

    A run and an evaluation keep it beside their answers; a table of results in ``cells.json`` two
    folders up, PROTOCOL/ROW/seedN -> values with the keys of :func:`caveat_of`.
    """
    folder = answers.parent if answers.is_file() else answers
    told = PLACES
    if answers.name.startswith("evaluation."):  # its own word, not that of the run beside
        told = {"evaluation.json": PLACES["evaluation.json"]}
    for name, keys in told.items():
        found = _read(folder / name)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and (caveat := caveat_of(found)):
            return caveat
    row = folder.resolve()
    cells = _read(row.parent.parent / "cells.json")
    return joined(
        caveat_of(cell)
        for name, cell in (cells if isinstance(cells, dict) else {}).items()
        if name.startswith(f"{row.parent.name}/{row.name}/seed") and isinstance(cell, dict)
    )


def _read(path: Path) -> Any:
    """The values of a JSON file; ``None`` where there is none."""
    try:
        return upgrade(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
