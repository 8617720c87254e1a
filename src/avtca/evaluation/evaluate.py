"""Everything that is said of a system on held-out people, in plain values for JSON."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.corpora.sample_file import RawSample
from avtca.data.dataset import EmotionDataset, LazySamples
from avtca.evaluation.adaptation import speaker_normalise
from avtca.evaluation.aggregate import metric_functions, speaker_matrices, summarise, to_estimate
from avtca.evaluation.bootstrap import bootstrap
from avtca.evaluation.calibration import adaptive_ece, brier, ece, nll, reliability
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.metrics import multilabel_summary
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.selective import abstention_curve, fit_conformal, set_coverage

ALPHAS = (0.05, 0.1, 0.2)
"""Promised error of the conformal sets."""
GROUPS = ("sex", "age", "intensity", "race", "ethnicity", "channel")
AWAY = {"both": "", "audio alone": "video", "picture alone": "audio"}
"""What is looked at -> the modality that is taken away for it."""
FITTED = (
    "temperature",
    "prediction sets",
    "abstention",
    "answers standardised over a person's own samples",
)
"""What needs answers about other people to be fitted on."""
AGES = (("under 30", 0, 30), ("30 to 49", 30, 50), ("50 and over", 50, 200))
"""Years; the first counts, the last does not."""


def evaluate_model(system: EvaluatedModel) -> dict[str, Any]:
    """Figures, intervals, calibration, sets, abstention, modalities and groups of a system.

    ``fitted_on``: whose answers temperature, sets and abstention are fitted on, see
    :attr:`EvaluatedModel.fitted_on`. Where there is nobody's, ``left_out`` says in their place ``what`` is
    missing and ``why``. ``intended``: figures against the corpus's own label, where the network was
    trained and tested on another target (votes).
    """
    plain = system.predict()
    out: dict[str, Any] = {
        "name": system.name,
        "variant": system.card.variant,
        "clip_spec_hash": system.card.clip_spec.hash,
        "split": {"caveat": system.caveat, **system.provenance},
        "networks": sum(len(part.networks) for part in system.parts),
        "labels": list(plain.labels),
        "samples": len(plain),
        "speakers": len(set(plain.speakers)),
        "metrics": summarise({0: [plain]}),
        "modalities": modalities(system),
        "groups": groups(system, plain),
    }
    for name in ("seeds", "folds", "spread"):
        out["metrics"].pop(name)
    named = np.zeros(0) if system.intended is None else system.intended
    if system.votes and system.intended is not None:
        out["raters"] = raters(system.votes, plain, system.intended)
    if plain.binary:
        out["multilabel"] = multilabel_summary(plain.probs, plain.targets > 0.5, plain.labels)
    elif system.provenance.get("target", "label") != "label" and named.any():
        rows = named.sum(1) > 0
        table = replace(plain, targets=named).at(rows)
        out["intended"] = {"samples": len(table), **estimate_metrics(table)}
    if not system.fitted_on:
        out["left_out"] = {"what": list(FITTED), "why": system.unfitted_reason}
        return out
    out["fitted_on"] = system.fitted_on
    fitted = system.calibrated()
    out["calibration"] = calibration(fitted, plain)
    out["sets"] = conformal(fitted)
    out["abstention"] = abstention(fitted)
    out["own_samples"] = own_samples(fitted)
    return out


def estimate_metrics(table: Predictions) -> dict[str, list[float | None]]:
    """Each metric as ``[value, low, high]`` over speakers."""
    matrices = speaker_matrices(table)
    return {
        name: to_estimate(bootstrap(matrices, metric))
        for name, metric in metric_functions(table).items()
    }


class Changed(LazySamples):
    """Samples with a function applied when they are read; the last one is kept."""

    def __init__(
        self, samples: Sequence[RawSample], change: Callable[[RawSample, int], RawSample]
    ) -> None:
        super().__init__(self._changed, range(len(samples)))
        self.samples, self.change = samples, change
        self._last: tuple[int, RawSample] | None = None

    def _changed(self, index: int) -> RawSample:
        if self._last is None or self._last[0] != index:
            self._last = index, self.change(self.samples[index], index)
        return self._last[1]


def deprived(raw: RawSample, modality: str) -> RawSample:
    """A sample without its "audio" or its "video" stream: no steps at all, never zeros."""
    if modality == "video":
        return replace(raw, steps=raw.steps[:0], video=raw.video[:0])
    silent = None if raw.audio is None else raw.audio[:, :0]
    times = None if raw.audio_times is None else raw.audio_times[:0]
    return replace(raw, wave=raw.wave[:0], audio=silent, audio_times=times)


def remove_modality(samples: EmotionDataset, modality: str) -> EmotionDataset:
    """The samples without their "audio" or their "video" stream; as they are for ""."""
    if not modality:
        return samples
    raws = Changed(samples.samples, lambda raw, index: deprived(raw, modality))
    return replace(samples, samples=raws)


def modalities(system: EvaluatedModel) -> dict[str, dict[str, list[float | None]]]:
    """Figures with both modalities, with audio alone and with picture alone."""
    cases = {
        name: system.predict(partial(remove_modality, modality=away) if away else None)
        for name, away in AWAY.items()
    }
    return {name: estimate_metrics(table) for name, table in cases.items()}


def calibration(system: EvaluatedModel, plain: Predictions) -> dict[str, Any]:
    """Calibration before and after the temperatures of :meth:`EvaluatedModel.calibrated`."""
    after = system.predict(calibrated=True)
    out: dict[str, Any] = {"temperature": [round(part.temperature, 4) for part in system.parts]}
    for name, table in (("before", plain), ("after", after)):
        curve = reliability(table.probs, table.true_labels)
        out[name] = {
            "ece": ece(table.probs, table.true_labels),
            "adaptive_ece": adaptive_ece(table.probs, table.true_labels),
            "nll": nll(table.probs, table.true_labels),
            "brier": brier(table.probs, table.true_labels),
            "confidence": _numbers(curve.confidence),
            "accuracy": _numbers(curve.accuracy),
            "count": curve.count.tolist(),
            "edges": _numbers(curve.edges),
        }
    return out


def conformal(system: EvaluatedModel) -> list[dict[str, Any]]:
    """Coverage and size of prediction sets, each part's fitted on other people's answers."""
    out, parts = [], system.calibration_pairs()
    for method in ("lac", "aps"):
        for alpha in ALPHAS:
            inside, truth = [], []
            for seen, action in parts:
                sets = fit_conformal(
                    seen.probs,
                    seen.true_labels,
                    alpha=alpha,
                    method="lac" if method == "lac" else "aps",
                )
                inside.append(sets.sets(action.probs))
                truth.append(action.true_labels)
            every, labels = np.concatenate(inside), np.concatenate(truth)
            out.append(
                {
                    "method": method,
                    "promised": 1 - alpha,
                    "covered": set_coverage(every, labels),
                    "mean_size": float(every.sum(1).mean()),
                    "single": float((every.sum(1) == 1).mean()),
                }
            )
    return out


def abstention(system: EvaluatedModel) -> dict[str, Any]:
    """Accuracy over the share of samples that are answered, and thresholds for an accuracy.

    Each part has a threshold of its own, from other people's answers; a part for which no threshold
    will do (``None``) answers nothing.
    """
    action = system.predict(calibrated=True)
    curve = abstention_curve(action.probs, action.true_labels)
    parts = system.calibration_pairs()
    fitted = [abstention_curve(seen.probs, seen.true_labels) for seen, _ in parts]
    thresholds = []
    for wanted in (0.8, 0.9, 0.95):
        at = [one.threshold_for(wanted) for one in fitted]
        kept = np.concatenate(
            [
                one.probs.max(1) >= (np.inf if least is None else least)
                for least, (_, one) in zip(at, parts, strict=True)
            ]
        )
        thresholds.append(
            {
                "wanted": wanted,
                "threshold": at,
                "answered": float(kept.mean()),
                "accuracy": float(action.correct[kept].mean()) if kept.any() else None,
            }
        )
    picked = np.unique(np.linspace(0, len(curve.coverage) - 1, 100).round().astype(int))
    return {
        "aurc": curve.area,
        "coverage": _numbers(curve.coverage[picked]),
        "accuracy": _numbers(curve.accuracy[picked]),
        "thresholds": thresholds,
    }


def own_samples(system: EvaluatedModel) -> dict[str, Any]:
    """What is gained where all of a person's samples are there before the first answer.

    Answers brought to the level and spread of other people's (:attr:`EvaluatedModel.fitted_on`), over each
    person's own samples and without their labels; ``least``: the fewest samples of one person. With few
    samples, or with other shares of the emotions than the others', this loses instead.
    """
    table = Predictions.joined(
        [speaker_normalise(action, seen) for seen, action in system.calibration_pairs()]
    )
    least = min(Counter(table.speakers).values())
    return {"least": least, "standardised": estimate_metrics(table)}


def groups(system: EvaluatedModel, plain: Predictions) -> dict[str, dict[str, Any]]:
    """Figures of the samples of each group that the manifest tells apart.

    Groups with a single value are left out; ages are brought to three ranges.
    """
    out: dict[str, dict[str, Any]] = {}
    for column in GROUPS:
        values: list[str] = []
        for samples in system.test:
            found = samples.metadata.get(column)
            values += [_group(column, v) for v in found] if found else [""] * len(samples)
        names = np.array(values)
        known = sorted(set(values) - {""})
        if len(known) < 2:
            continue
        out[column] = {
            name: {
                "samples": int((names == name).sum()),
                **estimate_metrics(plain.at(names == name)),
            }
            for name in known
        }
    return out


def _group(column: str, value: Any) -> str:
    if value is None or value != value:  # NaN
        return ""
    if column != "age":
        return str(value)
    return next((name for name, low, high in AGES if low <= float(value) < high), "")


def _numbers(values: NDArray[np.floating[Any]] | Sequence[float]) -> list[float | None]:
    """For JSON: NaN as ``None``."""
    return [None if v != v else round(float(v), 5) for v in values]


def raters(
    votes: Mapping[str, NDArray[np.float64]],
    plain: Predictions,
    intended: NDArray[np.float64],
) -> dict[str, Any]:
    """How often people name the intended label, beside the network on the same samples.

    ``votes``: what the raters were given ("voice", "face", "both") -> numbers of votes
    ``(n, k)``, NaN where a sample was not rated, with one more column for votes for labels that the
    network does not name. ``intended (n, k)``: the corpus's own label, as
    one-hot, whatever the network was trained on; samples without are left out. ``one_rater``: share
    of all votes; ``majority``: share of samples whose most frequent vote it is, a tie being no
    answer; ``network``: accuracy of the network given both. ``network_as_voted``: how often the
    network names the most frequent vote, of the ``voted`` samples that have one.
    """
    out = {}
    for given, counts in votes.items():
        rated = np.isfinite(counts).all(1) & (intended.sum(1) > 0)
        if not rated.any():
            continue
        n, y, said = counts[rated], intended[rated].argmax(1), plain.probs[rated].argmax(1)
        own, top = n[np.arange(len(y)), y], n.max(1)
        alone = np.isclose(n, top[:, None]).sum(1) == 1
        alone &= n.argmax(1) < intended.shape[1]
        as_voted = said[alone] == n[alone].argmax(1)
        out[given] = {
            "samples": int(rated.sum()),
            "one_rater": float(own.sum() / n.sum()),
            "majority": float((np.isclose(own, top) & alone).mean()),
            "network": float((said == y).mean()),
            "voted": int(alone.sum()),
            "network_as_voted": float(as_voted.mean()) if len(as_voted) else None,
        }
    return out
