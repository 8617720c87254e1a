"""Caveats of a split, which accompany every figure computed on it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avtca.compat import upgrade

if TYPE_CHECKING:
    from avtca.corpora.leakage import AuditReport

CLEAN = "clean"
"""The text of no caveats."""
CAVEATS_FILE = "caveats.json"
"""Beside predictions, or one folder above them: a list of ``{"kind": ..., "text": ...}``."""
PROVENANCE = {
    "config.json": ("data",),
    "last.json": ("provenance", "provenance"),
    "evaluation.json": ("split",),
}
"""Files beside predictions that hold their provenance, and the keys that lead to it."""


class CaveatKind(StrEnum):
    """What a caveat is about."""

    LEAK = "leak"
    """Test data were used in training."""
    SYNTHETIC = "synthetic"
    """The recordings are drawn and synthesised."""
    NORMALISED = "normalised"
    """Features are normalised with the test speakers' own samples."""
    UNCHECKED = "unchecked"
    """A leak could not be ruled out."""
    CHANGED = "changed"
    """The samples differ from those of the training."""
    WHOLE_CORPUS = "whole corpus"
    """All samples are test samples."""
    NOTE = "note"
    """Anything else."""


@dataclass(frozen=True)
class Caveat:
    """One caveat: its kind and one line for readers."""

    kind: CaveatKind
    text: str

    @property
    def invalidates(self) -> bool:
        """Whether the figures do not hold for unseen, real speakers."""
        return self.kind in (CaveatKind.LEAK, CaveatKind.SYNTHETIC)

    @property
    def warns(self) -> bool:
        """Whether readers must be warned; all but the remark that a whole corpus was tested."""
        return self.kind is not CaveatKind.WHOLE_CORPUS


WHOLE_CORPUS = Caveat(CaveatKind.WHOLE_CORPUS, "whole corpus")
NORMALISED = Caveat(
    CaveatKind.NORMALISED, "features normalised per speaker, on the test speakers' own samples"
)


def unique(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """The caveats without repetitions, in their order."""
    return tuple(dict.fromkeys(caveats))


def caveat_text(caveats: Iterable[Caveat]) -> str:
    """All caveats in one line; "clean" for none."""
    return "; ".join(caveat.text for caveat in unique(caveats)) or CLEAN


def audit_caveats(report: "AuditReport") -> tuple[Caveat, ...]:
    """The caveats of an audited split."""
    warnings = manifest_caveats(report.warnings)
    if not report.leaks:
        return warnings
    leak = report.caveat.partition("; ")[0]
    made = [one for one in warnings if one.kind is CaveatKind.SYNTHETIC]
    return (Caveat(CaveatKind.LEAK, leak), *made)


def manifest_caveats(warnings: Iterable[str]) -> tuple[Caveat, ...]:
    """The caveats of :func:`avtca.corpora.leakage.speaker_warnings` and of an audit's warnings."""
    from avtca.corpora.index import SYNTHETIC

    return tuple(
        Caveat(CaveatKind.SYNTHETIC if text == SYNTHETIC else CaveatKind.UNCHECKED, text)
        for text in warnings
    )


def caveats_from_text(text: str) -> tuple[Caveat, ...]:
    """The caveats of a line that avtca 0.1 wrote, where kinds were words of the text."""
    return tuple(
        Caveat(_kind(part), part)
        for part in text.removeprefix("no leak found; ").split("; ")
        if part and part != CLEAN
    )


def _kind(text: str) -> CaveatKind:
    if text.startswith("LEAK"):
        return CaveatKind.LEAK
    if text.startswith("SYNTHETIC"):
        return CaveatKind.SYNTHETIC
    if text.startswith(("features standardised", "features normalised")):
        return CaveatKind.NORMALISED
    return CaveatKind.WHOLE_CORPUS if text == WHOLE_CORPUS.text else CaveatKind.NOTE


def provenance_caveats(provenance: Mapping[str, Any]) -> tuple[Caveat, ...] | None:
    """The caveats in the provenance of predictions.

    Args:
        provenance: With ``caveats`` (a list of kind and text) or ``caveat`` (text), which hold
            everything, or with ``split_audit`` (text) and ``normalise`` ("none" or "speaker").

    Returns:
        The caveats; ``None`` where the provenance does not tell.
    """
    if isinstance(provenance.get("caveats"), list):
        return read_caveats(provenance["caveats"])
    if "caveat" in provenance:
        return caveats_from_text(str(provenance["caveat"])) if provenance["caveat"] else None
    normalised = (NORMALISED,) if provenance.get("normalise") == "speaker" else ()
    if "split_audit" not in provenance:
        return normalised or None
    return (*caveats_from_text(str(provenance["split_audit"])), *normalised)


def read_caveats(values: Sequence[Mapping[str, str]]) -> tuple[Caveat, ...]:
    """Caveats from JSON values; an unknown kind becomes a note."""
    kinds = {kind.value: kind for kind in CaveatKind}
    return tuple(
        Caveat(kinds.get(one.get("kind", ""), CaveatKind.NOTE), str(one.get("text", "")))
        for one in values
    )


def find_caveats(predictions: Path) -> tuple[Caveat, ...] | None:
    """The caveats of saved predictions.

    They are read from ``caveats.json`` beside them or one folder above, or from what a run and an
    evaluation keep beside their predictions.

    Args:
        predictions: A file of predictions, or a folder of them.

    Returns:
        The caveats; ``None`` where no file tells.
    """
    folder = predictions.parent if predictions.is_file() else predictions
    places = PROVENANCE
    if predictions.name.startswith("evaluation."):  # not those of the run beside it
        places = {"evaluation.json": PROVENANCE["evaluation.json"]}
    for name, keys in places.items():
        found = _read(folder / name)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict) and (caveats := provenance_caveats(found)) is not None:
            return caveats
    for parent in (folder, folder.resolve().parent):
        if isinstance(found := _read(parent / CAVEATS_FILE), list):
            return read_caveats(found)
    return None


def _read(path: Path) -> Any:
    """The values of a JSON file; ``None`` where there is none."""
    try:
        return upgrade(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
