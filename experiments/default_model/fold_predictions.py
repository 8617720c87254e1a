"""Purpose: the figures of the packaged recipe on RAVDESS, from predictions kept with the results.

Cost: a few seconds. Trains nothing.

    python experiments/default_model/fold_predictions.py

Reads experiments/results/default_model/luna_5fold.npz, which fusion.py writes: the posteriors of
every fold's networks for every window of their test speakers. Writes `ravdess_pair` and `ece` of
experiments/results/default_model.json, which `fill_pages.py` puts into the pages.

Nesting: everything that is fitted for a fold (temperature, conformal quantile, threshold) comes
from the other folds' test speakers, and so does the temperature of the scores on which quantile and
threshold are fitted. What is not nested: the networks of the other folds were trained on this
fold's speakers, and the settings of the recipe were chosen on validation speakers, who are test
speakers of other folds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.corpora import load_folds
from avtca.evaluation import bootstrap, calibration
from avtca.evaluation.inference import WindowLogits, average_networks
from avtca.evaluation.selective import abstention_curve, fit_conformal
from avtca.labels import SEVEN

RESULTS = Path(__file__).parents[1] / "results" / "default_model.json"
KEPT = RESULTS.parent / "default_model" / "luna_5fold.npz"
FOLDS = "ravdess_luna_5fold"
INPUTS = {"both": "", "face": "audio", "voice": "video"}
"""Available streams -> the modality removed."""
DEGRADED = {"both": "degraded_both", "face": "face", "voice": "degraded_voice"}
"""Available streams -> the input whose audio is degraded."""
WANTED_COVERAGE = 0.9
"""Share of samples whose conformal set is to hold the label."""
SURE_ACCURACY = 0.85
"""Target accuracy of predictions above the threshold, on unseen speakers."""
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class FoldPredictions:
    """Predictions for the test speakers of every fold, from networks not trained on them.

    Attributes:
        sample_ids: Names of the samples, ``(n,)``.
        speakers: Speaker of each sample, ``(n,)``.
        labels: True label of each sample, ``(n,)``, as an index into ``SEVEN``.
        fold: Fold that tests each sample, ``(n,)``.
        window_sample: Index of the sample of each window, ``(w,)``.
        log_posteriors: Input -> log-posteriors of each network before any temperature, float16
            ``(networks, w, 7)``. Of degraded audio the ensemble's alone.
    """

    sample_ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    labels: Counts
    fold: Counts
    window_sample: Counts
    log_posteriors: Mapping[str, NDArray[np.float16]]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            sample_ids=self.sample_ids,
            speakers=self.speakers,
            labels=self.labels.astype(np.uint8),
            fold=self.fold.astype(np.uint8),
            window_sample=self.window_sample.astype(np.uint16),
            **{f"log_posteriors/{name}": p for name, p in self.log_posteriors.items()},
        )

    @classmethod
    def load(cls, path: Path) -> "FoldPredictions":
        with np.load(path) as file:
            posteriors = {
                name.partition("/")[2]: file[name]
                for name in file.files
                if name.startswith("log_posteriors/")
            }
            numbers = (file[name].astype(np.int64) for name in ("labels", "fold", "window_sample"))
            return cls(file["sample_ids"], file["speakers"], *numbers, posteriors)

    @classmethod
    def joined(cls, parts: Sequence["FoldPredictions"]) -> "FoldPredictions":
        """The predictions of several folds."""
        first = np.cumsum([0, *(len(part.labels) for part in parts)])
        windows = [part.window_sample + at for part, at in zip(parts, first, strict=False)]
        columns = ("sample_ids", "speakers", "labels", "fold")
        return cls(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in columns),
            np.concatenate(windows),
            {
                name: np.concatenate([part.log_posteriors[name] for part in parts], axis=1)
                for name in parts[0].log_posteriors
            },
        )

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds."""
        return np.unique(self.fold).tolist()

    @property
    def networks(self) -> int:
        """Number of networks of a fold."""
        return len(self.log_posteriors["both"])

    def windows(self, name: str, network: int | None = None) -> WindowLogits:
        """Log-posteriors of all windows for an input: the ensemble's, or those of one network."""
        every = self.log_posteriors[name].astype(np.float64)
        chosen = every if network is None else every[network : network + 1]
        found = [WindowLogits(one, self.window_sample, len(self.labels)) for one in chosen]
        return average_networks(found)

    def temperature(self, windows: WindowLogits, rows: NDArray[np.bool_]) -> float:
        """The temperature of maximum likelihood on these samples, each of the same weight."""
        chosen = windows.at(np.flatnonzero(rows))
        labels = self.labels[rows][chosen.sample]
        return calibration.fit_temperature(chosen.logits, labels, weights=chosen.weights)

    def probabilities(self, name: str, network: int | None = None) -> Floats:
        """Probabilities ``(n, 7)``, each fold with the temperature of the other folds."""
        windows, out = self.windows(name, network), np.zeros((len(self.labels), len(SEVEN)))
        for number in self.folds:
            test = self.fold == number
            temperature = self.temperature(windows, ~test)
            out[test] = windows.at(np.flatnonzero(test)).probabilities(temperature)
        return out


@dataclass(frozen=True)
class Selection:
    """What is fitted for one fold and measured on its test speakers.

    ``temperature`` and ``threshold`` (``None`` where no threshold reaches the accuracy) come from
    the samples outside of the fold. Of the fold's samples: ``in_set (n_fold, 7)`` is the conformal
    set, ``above (n_fold,)`` whether the threshold is reached.
    """

    temperature: float
    threshold: float | None
    in_set: NDArray[np.bool_]
    above: NDArray[np.bool_]


def select(found: FoldPredictions, number: int) -> Selection:
    """Temperature, conformal sets and threshold for a fold, from the other folds alone."""
    windows, test = found.windows("both"), found.fold == number
    temperature = found.temperature(windows, ~test)
    p, labels = windows.probabilities(temperature), found.labels
    threshold = abstention_curve(p[~test], labels[~test]).threshold_for(SURE_ACCURACY)
    sets = fit_conformal(p[~test], labels[~test], alpha=1 - WANTED_COVERAGE)
    above = p[test].max(1) >= (np.inf if threshold is None else threshold)
    return Selection(temperature, threshold, sets.sets(p[test]), above)


def packaged_calibration(found: FoldPredictions, held_out: str) -> dict[str, float | None]:
    """Temperature and threshold of the packaged model: from all speakers but one."""
    windows, rest = found.windows("both"), found.speakers != held_out
    temperature = found.temperature(windows, rest)
    curve = abstention_curve(windows.probabilities(temperature)[rest], found.labels[rest])
    return {"temperature": temperature, "sure": curve.threshold_for(SURE_ACCURACY)}


def share(above: NDArray[Any], below: NDArray[Any], speakers: NDArray[np.str_]) -> list[float]:
    """Sum of ``above`` over sum of ``below``, both ``(n,)``, with an interval over speakers."""
    sums = [[x[speakers == one].sum() for x in (above, below)] for one in np.unique(speakers)]

    def ratio(sums: Any) -> Floats:
        part = np.asarray(sums, np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(part[..., 0] / part[..., 1])

    return bootstrap.bootstrap(np.array(sums), ratio).to_list()


def figures(found: FoldPredictions) -> dict[str, Any]:
    """Metrics, calibration, groups, conformal sets and selective prediction, with intervals."""
    labels, speakers = found.labels, found.speakers
    p = {name: found.probabilities(name) for name in INPUTS}
    correct = p["both"].argmax(1) == labels
    chosen = {number: select(found, number) for number in found.folds}
    covered, size, above = (np.zeros(len(labels)) for _ in range(3))
    for number, one in chosen.items():
        rows = np.flatnonzero(found.fold == number)
        covered[rows] = one.in_set[np.arange(len(rows)), labels[rows]]
        size[rows], above[rows] = one.in_set.sum(1), one.above
    ones = np.ones(len(labels))
    return {
        **{name: metrics(found, p[name]) for name in INPUTS},
        "ece": {name: calibration.ece(p[name], labels) for name in INPUTS},
        "groups": {
            name: float(correct[rows].mean()) for name, rows in groups(found).items() if rows.any()
        },
        "per_label": {
            name: float(correct[labels == at].mean())
            for at, name in enumerate(SEVEN)
            if (labels == at).any()
        },
        "conformal_90": {
            "coverage": share(covered, ones, speakers),
            "labels_in_a_set": share(size, ones, speakers),
        },
        "sure": {
            "wanted_accuracy": SURE_ACCURACY,
            "answered": share(above, ones, speakers),
            "accuracy_of_answers": share(above * correct, above, speakers),
            "thresholds": [one.threshold for one in chosen.values()],
            "temperatures": [one.temperature for one in chosen.values()],
        },
        "folds_hash": load_folds(FOLDS).hash,
        "degraded_audio": {
            name: metrics(found, found.probabilities(kept))["accuracy"]
            for name, kept in DEGRADED.items()
        },
        "each_seed": [
            {
                name: metrics(found, found.probabilities(name, network))["accuracy"]
                for name in INPUTS
            }
            for network in range(found.networks)
        ],
    }


def metrics(found: FoldPredictions, p: Floats) -> dict[str, list[float]]:
    """Metrics of probabilities ``(n, 7)``, each ``[value, low, high]`` over speakers."""
    made = bootstrap.intervals(p, found.labels, found.speakers)
    return {name: interval.to_list() for name, interval in made.items()}


def groups(found: FoldPredictions) -> dict[str, NDArray[np.bool_]]:
    """Samples ``(n,)`` by sex and intensity, from the numbers in RAVDESS's names."""
    male = np.array([int(speaker) % 2 == 1 for speaker in found.speakers])
    strong = np.array([str(name).split("-")[3] == "02" for name in found.sample_ids])
    return {"male": male, "female": ~male, "strong": strong, "normal": ~strong}


def main() -> None:
    results = json.loads(RESULTS.read_text())
    pair = figures(FoldPredictions.load(KEPT))
    command = "experiments/default_model/fold_predictions.py"
    results["commands"].update(ravdess_pair=command, ece=command)
    results.update(ravdess_pair=pair, ece=pair["ece"]["both"])
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(pair, indent=1))


if __name__ == "__main__":
    main()
