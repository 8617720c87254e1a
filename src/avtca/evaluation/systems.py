"""Trained networks and the people they have not seen: what is evaluated, on what."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.prepared import PreparedCorpus
from avtca.errors import ConfigError, LeakError
from avtca.evaluation.calibration import fit_temperature
from avtca.evaluation.material import Material, chosen_takes, open_material
from avtca.evaluation.predict import WindowLogits, window_logits
from avtca.evaluation.predictions import Predictions, run_name
from avtca.evaluation.takes import SHARES, TakeSet, mapped_targets
from avtca.model import Card, load_checkpoint
from avtca.model.avtca import AVTCA

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One network, the takes it is tested on, and the takes of other people for calibration."""

    network: AVTCA
    test: TakeSet
    validation: TakeSet | None
    temperature: float = 1.0


@dataclass(frozen=True)
class System:
    """One network, or the networks of all folds, each with its own test people.

    ``mark``: the auditor's line on the split. ``card``: of the first network.
    """

    name: str
    parts: tuple[Part, ...]
    card: Card
    mark: str
    binary: bool
    provenance: dict[str, Any]
    votes: dict[str, Float] = field(default_factory=dict)
    """Raters' votes ``(n, k)`` on every test take, by what they were given; NaN where unrated."""
    memo: dict[tuple[int, str], WindowLogits] = field(default_factory=dict, repr=False)

    @property
    def spec(self) -> ClipSpec:
        """What the takes were prepared with."""
        return self.parts[0].test.spec

    @property
    def test(self) -> list[TakeSet]:
        """The test takes of each part."""
        return [part.test for part in self.parts]

    def answers(
        self,
        change: Callable[[TakeSet], TakeSet] | None = None,
        *,
        calibrated: bool = False,
        side: str = "test",
    ) -> Predictions:
        """Answers of all parts on their test (or "validation") takes, after ``change``."""
        tables = []
        for part in self.parts:
            takes = part.test if side == "test" else part.validation
            if takes is None:
                raise ConfigError("use validation takes", "there are none", "name folds")
            seen = takes if change is None else change(takes)
            if change is None:
                found = self._logits(part, takes, side)
            else:
                found = window_logits(part.network, seen, binary=self.binary)
            probs = found.probabilities(part.temperature if calibrated else 1.0)
            tables.append(Predictions.of(seen, probs, binary=self.binary))
        return Predictions.joined(tables)

    def _logits(self, part: Part, takes: TakeSet, side: str) -> WindowLogits:
        """Of untouched takes, kept once computed."""
        key = id(part.network), side
        if key not in self.memo:
            self.memo[key] = window_logits(part.network, takes, binary=self.binary)
        return self.memo[key]

    def calibrated(self) -> "System":
        """The same with each part's temperature fitted on its validation people.

        Windows of a take count as one take. Parts without validation takes keep the card's.
        """
        parts = []
        for part in self.parts:
            temperature = float(self.card.calibration.get("temperature", 1.0))
            if part.validation is not None and not self.binary:
                found = self._logits(part, part.validation, "validation")
                temperature = fitted(found, part.validation)
            parts.append(Part(part.network, part.test, part.validation, temperature))
        return replace(self, parts=tuple(parts))


def fitted(found: WindowLogits, takes: TakeSet) -> float:
    """Temperature of window logits, each take weighing the same."""
    labels = takes.labels[found.take]
    return fit_temperature(found.logits, labels, weights=found.weights)


def open_system(
    path: Path,
    corpus: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int = 0,
    allow_leak: bool = False,
) -> System:
    """A checkpoint, a run's folder or a cross-validation's, with the takes to test it on.

    A run remembers its folds: its test people are taken from the corpus again, and those of each
    fold for a cross-validation (``seed`` chooses among its seeds). A checkpoint without folds is
    tested on all takes, unless ``folds`` and ``fold`` name some. Raises :class:`LeakError` where
    people of the test side were trained on, unless ``allow_leak``; :class:`ClipSpecMismatch`
    where the corpus is prepared differently; :class:`ConfigError` for another corpus's folds.
    """
    checkpoints = _checkpoints(path, seed)
    loaded = [load_checkpoint(checkpoint) for checkpoint in checkpoints]
    first = loaded[0][1]
    run = dict(first.provenance.get("provenance", {}))
    binary = first.provenance.get("recipe", {}).get("loss") == "binary"
    prepared = PreparedCorpus.open(corpus).view(first.clip_spec)
    same = run.get("corpus") == prepared.name
    name = folds or (str(run["folds"]) if same and run.get("folds") else None)
    choice = {
        "labels": first.labels,
        "target": run.get("target", "label") if same else "label",
        "where": run.get("where") if same else None,
        "standardise": run.get("standardise", "none"),
    }
    if name is None:
        takes = chosen_takes(prepared, **choice)
        mark = _trained_on(takes, first, prepared.name, allow_leak) or "whole corpus"
        part = Part(loaded[0][0], takes, None)
        provenance = {"corpus": prepared.name, "data_hash": prepared.data_hash}
        votes = _votes(prepared, [takes])
        return System(run_name(path), (part,), first, mark, binary, provenance, votes)
    material = open_material(
        corpus, folds=name, spec=first.clip_spec, allow_leak=allow_leak, **choice
    )
    parts, marks = [], [material.mark]
    for network, card in loaded:
        at = card.provenance.get("provenance", {}).get("fold", 0) if folds is None else fold or 0
        test, validation = _sides(material, int(at))
        mark = _trained_on(test, card, prepared.name, allow_leak)
        marks = marks if not mark or mark in marks else [*marks, mark]
        trained = set((card.provenance.get("train") or {}).get("speakers", ()))
        unseen = len(validation) > 0 and not trained & set(validation.speakers)
        parts.append(Part(network, test, validation if unseen else None))
    votes = _votes(prepared, [part.test for part in parts])
    where = material.provenance
    return System(run_name(path), tuple(parts), first, "; ".join(marks), binary, where, votes)


def _votes(corpus: PreparedCorpus, tests: Sequence[TakeSet]) -> dict[str, Float]:
    """Raters' votes on the test takes, where the corpus has them; shares if not their number."""
    row_of = {take: row for row, take in enumerate(corpus.takes)}
    rows = [row_of[name] for takes in tests for name in takes.names]
    out = {}
    for given in SHARES:
        if given in corpus.meta["targets"]:
            found = corpus.targets(given)
            shares, _ = mapped_targets(found, corpus.labels, tests[0].spec.labels)
            raters = corpus.manifest.get(f"raters_{given}")
            n = np.ones(len(shares)) if raters is None else raters.to_numpy(np.float64)
            out[given] = (shares.astype(np.float64) * n[:, None])[rows]
    return out


def _sides(material: Material, fold: int) -> tuple[TakeSet, TakeSet]:
    return material.side(fold, "test"), material.side(fold, "validation")


def _checkpoints(path: Path, seed: int) -> list[Path]:
    """The networks behind a path: one, or one for each fold."""
    folders = sorted((path / f"seed{seed}").glob("fold*"), key=lambda folder: int(folder.name[4:]))
    if not folders:
        return [kept_weights(path)]
    unfinished = [folder.name for folder in folders if not (folder / "done.json").exists()]
    if unfinished:
        raise ConfigError(
            f"evaluate {path}",
            f"{', '.join(unfinished)} not finished",
            "run avtca cv to its end",
        )
    return [kept_weights(folder) for folder in folders]


def kept_weights(path: Path) -> Path:
    """The kept weights of a run's folder, or the path as it is."""
    if (path / "done.json").exists():
        kept: str = json.loads((path / "done.json").read_text())["kept"]
        return path / kept
    if (path / "best.json").exists():
        return path / "best"
    return path


def _trained_on(takes: TakeSet, card: Card, corpus: str, allow_leak: bool) -> str:
    """The mark for people of the test who were trained on; empty where there are none.

    Raises :class:`LeakError` unless leaks are allowed.
    """
    run = card.provenance.get("provenance", {})
    trained = card.provenance.get("train") or {}
    both: Sequence[str] = sorted(set(trained.get("speakers", ())) & set(takes.speakers))
    if run.get("corpus") != corpus or not both:
        return ""
    if not allow_leak:
        raise LeakError(
            "evaluate on people the network has not seen",
            f"{len(both)} speakers were trained on, the first is {both[0]}",
            "name folds that keep them apart, or say --allow-leak and carry the mark",
        )
    return f"LEAK (allowed): {len(both)} speakers of the test were trained on"
