"""Who is tested by whom when a network is adapted to own clips, and what changed by it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.corpora.leakage import audit
from avtca.corpora.splits import CrossValidationSplit, Fold, cyclic_folds
from avtca.data.data_module import DataModule
from avtca.data.dataset import EmotionDataset, mapped_targets
from avtca.data.windows import Batch, WindowDataset
from avtca.evaluation.aggregate import difference, summarise
from avtca.evaluation.inference import WindowLogits, collect_logits
from avtca.evaluation.predictions import Predictions
from avtca.finetune.clips import LEAK, Clips
from avtca.finetune.initial import InitialModel
from avtca.preprocess import ModelInput

FOLDS = 5
METRICS = ("accuracy", "uar")
"""Whose change is reported, with its interval."""


def deal(clips: Clips) -> list[list[str]]:
    """At most five groups: of speakers, about equal in samples; or of samples, within each label."""
    samples = clips.samples
    if clips.named:
        count = {name: list(samples.speakers).count(name) for name in sorted(set(samples.speakers))}
        groups: list[list[str]] = [[] for _ in range(min(FOLDS, len(count)))]
        for name in sorted(count, key=lambda name: (-count[name], name)):
            min(groups, key=lambda group: sum(count[one] for one in group)).append(name)
        return groups

    def place(row: int) -> tuple[int, str]:
        return int(samples.labels[row]), hashlib.sha256(
            samples.sample_ids[row].encode()
        ).hexdigest()

    order = [samples.sample_ids[row] for row in sorted(range(len(samples)), key=place)]
    return [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]


def folds_of(groups: Sequence[Sequence[str]], *, named: bool) -> CrossValidationSplit:
    """Each group is tested once and the next one validates; two groups leave none to do so."""
    two = len(groups) == 2
    if two:
        pairs = zip(groups, groups[::-1], strict=True)
        splits = [Fold(frozenset(train), frozenset(), frozenset(test)) for test, train in pairs]
    else:
        splits = cyclic_folds(groups)
    unit = "speakers" if named else "clips"
    how = "a fixed number of epochs" if two else "the next group chooses the epoch"
    return CrossValidationSplit(
        f"finetune_{unit}",
        "folder",
        "speaker" if named else "sample_id",
        tuple(splits),
        f"{len(groups)} groups of {unit}, each tested once by a network without it; {how}",
        warning="" if named else f"split over clips, people not apart: {LEAK}",
    )


def data_module_of(clips: Clips, folds: CrossValidationSplit, *, allow_leak: bool) -> DataModule:
    """The samples under these folds, audited. Raises :class:`LeakError` as the auditor says."""
    samples, corpus = clips.samples, clips.corpus
    manifest = corpus.manifest.set_index("sample_id", drop=False).loc[list(samples.sample_ids)]
    manifest = manifest.reset_index(drop=True).assign(speaker=list(samples.speakers))
    report = audit(manifest, folds, allow_leak=allow_leak)
    report.require_clean()
    rows = tuple(folds.subsets(manifest, fold) for fold in range(len(folds.folds)))
    provenance = {
        "corpus": corpus.name,
        "data_hash": corpus.data_hash,
        "folds": folds.name,
        "folds_hash": folds.hash,
        "split_audit": report.caveat,
        "target": "label",
    }
    return DataModule(samples, folds, rows, report.caveat, provenance)


def label_parts(start: InitialModel, labels: Sequence[str]) -> dict[str, list[str]]:
    """The labels that the start names too ("kept"), the "new" ones, and those that the start says
    at use and no clip has ("gone").
    """
    return {
        "kept": [one for one in labels if one in start.labels],
        "new": [one for one in labels if one not in start.labels],
        "gone": [one for one in start.says if one not in labels],
    }


def label_line(parts: dict[str, list[str]]) -> str:
    """The same for people."""
    kept, new, gone = parts["kept"], parts["new"], parts["gone"]
    said = [
        f"{', '.join(kept)} keep the model's outputs" if kept else "none is among the model's",
        f"{', '.join(new)} get new ones" if new else "",
        f"the model's {', '.join(gone)} have no clips and are left out" if gone else "",
    ]
    return f"labels: {'; '.join(part for part in said if part)}"


def lonely_labels(clips: Clips) -> list[str]:
    """Labels of one speaker only, which no network can know when that speaker is tested."""
    if not clips.named:
        return []
    samples = clips.samples
    speakers = np.array(samples.speakers)
    return [
        label
        for at, label in enumerate(samples.spec.labels)
        if len(set(speakers[samples.labels == at])) == 1
    ]


def answers_before(
    start: InitialModel, samples: EmotionDataset
) -> tuple[Predictions, Predictions] | None:
    """The start as it is at use, on the samples whose label it says: among all of its labels, and
    among the samples' labels alone. ``None`` where it says none of them.
    """
    labels, names = samples.spec.labels, start.says
    rows = [row for row, at in enumerate(samples.labels) if labels[at] in names]
    if not rows:
        return None
    known = samples.subset(rows)
    probs = window_logits_at_use(start, known).probabilities(start.backend.temperature)
    limited = np.zeros((len(known), len(labels)))
    for column, label in enumerate(labels):
        if label in names:
            limited[:, column] = probs[:, names.index(label)]
    limited /= limited.sum(1, keepdims=True)
    truth, _ = mapped_targets(known.targets, labels, names)
    own = replace(known, spec=replace(known.spec, labels=names), targets=truth)
    return Predictions.of(own, probs), Predictions.of(known, limited)


def window_logits_at_use(start: InitialModel, samples: EmotionDataset) -> WindowLogits:
    """Of what recognises: several networks where the start is a model of several."""

    def answer(batch: Batch) -> NDArray[np.float64]:
        parts = (batch.video, batch.video_mask, batch.audio, batch.audio_mask)
        return start.backend.logits(ModelInput(*(part.numpy() for part in parts))).astype(
            np.float64
        )

    return collect_logits(answer, WindowDataset(samples), len(samples))


def compared(start: InitialModel, samples: EmotionDataset, after: Predictions) -> dict[str, Any]:
    """Figures before and after on the same clips, and the change with its speaker interval."""
    out: dict[str, Any] = {"before": None, "after": summarise({0: [after]})}
    found = answers_before(start, samples)
    if found is None:
        return out
    whole, limited = found
    same = after.at(np.isin(after.samples, whole.samples))
    out["before"] = summarise({0: [whole]})
    if len(same) < len(after):
        out["after_known"] = summarise({0: [same]})
    if len(set(start.says) & set(samples.spec.labels)) > 1:
        out["before_limited"] = summarise({0: [limited]})
        out["change"] = {name: difference([same], [limited], name) for name in METRICS}
    return out
