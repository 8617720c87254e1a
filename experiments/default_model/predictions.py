"""Predictions of the packaged recipe for every sample, and the figures computed from them.

    python experiments/default_model/predictions.py

Purpose: the figures on the corpora, from predictions kept with the results. Cost: seconds; fits
nothing. Reads experiments/results/default_model/*.npz, which heads.py writes, and fills the figures
of experiments/results/default_model.json, which `fill_pages.py` puts into the pages.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation import bootstrap, calibration
from avtca.evaluation.selective import abstention_curve
from avtca.labels import to_seven

RESULTS = Path(__file__).resolve().parents[1] / "results" / "default_model.json"
KEPT = RESULTS.with_suffix("")
"""Folder of the predictions."""
HELD_OUT = "01"
"""Actor whose images measure the whole recognizer."""
SURE_ACCURACY = 0.95
"""Target accuracy of predictions above the threshold, high since other corpora are harder."""
GROUPS = {"sex": ("male", "female"), "intensity": ("normal", "strong")}


def indices(labels: Iterable[str], among: Iterable[str]) -> NDArray[np.int64]:
    """Index of each label, or of its nearest of the seven (calm: neutral); -1 without one."""
    names = list(among)
    known = {name: name if name in names else to_seven(name) for name in set(labels)}
    return np.array([names.index(known[x]) if known[x] in names else -1 for x in labels])


@dataclass
class SampleTable:
    """Predictions for samples by heads not fitted on their speakers.

    ``sample_ids``, ``speakers``, ``labels`` (names) and ``fold`` are ``(n,)``; ``posteriors`` and
    ``in_set`` (the conformal set) ``(n, k)`` for the labels ``names (k,)``; ``sure (n,)`` is the
    threshold of the sample's fold, NaN without one. Thresholds and sets come from other speakers.
    """

    names: NDArray[np.str_]
    sample_ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    labels: NDArray[np.str_]
    fold: NDArray[np.int64]
    posteriors: NDArray[np.float64]
    in_set: NDArray[np.bool_]
    sure: NDArray[np.float64]

    @classmethod
    def empty(cls, table: Any, names: Any) -> "SampleTable":
        """No predictions yet for the samples of a table."""
        n, k = len(table.sample_ids), len(names)
        columns = table.sample_ids, table.speakers, table.labels
        numbers = np.full(n, -1), np.zeros((n, k)), np.zeros((n, k), bool), np.full(n, np.nan)
        return cls(np.array(names), *columns, *numbers)

    def fill(
        self,
        rows: NDArray[np.bool_],
        posteriors: NDArray[np.float64],
        fold: int,
        sure: float | None,
        in_set: NDArray[np.bool_],
    ) -> None:
        """Enter one fold; ``posteriors (n, k)`` are of all samples, ``in_set`` of ``rows``."""
        self.posteriors[rows], self.fold[rows], self.in_set[rows] = posteriors[rows], fold, in_set
        self.sure[rows] = np.nan if sure is None else sure

    def save(self, path: Path) -> None:
        """Write the table, compressed; posteriors in 16-bit floats."""
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = dict(vars(self))
        columns["posteriors"] = self.posteriors.astype(np.float16)
        np.savez_compressed(path, **columns)

    @classmethod
    def load(cls, path: Path) -> "SampleTable":
        """Read a table."""
        with np.load(path) as file:
            columns = {name: file[name] for name in file.files}
        columns["posteriors"] = columns["posteriors"].astype(np.float64)
        return cls(**columns)

    def known(self) -> tuple["SampleTable", NDArray[np.int64]]:
        """The samples whose label (or its nearest of the seven) is among the names; its index."""
        y = indices(self.labels, self.names)
        rows = (y >= 0) & (self.fold >= 0)
        columns = {k: v if k == "names" else v[rows] for k, v in vars(self).items()}
        p = columns["posteriors"]
        columns["posteriors"] = p / p.sum(1, keepdims=True)
        return SampleTable(**columns), y[rows]


def threshold(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    """Confidence above which :data:`SURE_ACCURACY` is reached, if there is one."""
    return abstention_curve(posteriors, labels).threshold_for(SURE_ACCURACY)


def share(above: NDArray[Any], below: NDArray[Any], speakers: NDArray[np.str_]) -> list[float]:
    """Sum of ``above`` over sum of ``below``, both ``(n,)``, with an interval over speakers."""
    sums = [[x[speakers == one].sum() for x in (above, below)] for one in np.unique(speakers)]

    def ratio(sums: Any) -> NDArray[np.float64]:
        part = np.asarray(sums, np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(part[..., 0] / part[..., 1])

    return bootstrap.bootstrap(np.array(sums), ratio).to_list()


def figures(table: SampleTable) -> dict[str, Any]:
    """Metrics, calibration, sets and selective prediction of a table, with intervals."""
    found, y = table.known()
    p, ones = found.posteriors, np.ones(len(y))
    correct, above = p.argmax(1) == y, p.max(1) >= np.nan_to_num(found.sure, nan=np.inf)
    made = bootstrap.intervals(p, y, found.speakers)
    right = share(above * correct, above, found.speakers)
    return {
        "n": len(y),
        **{name: interval.to_list() for name, interval in made.items()},
        "ece": calibration.ece(p, y),
        "per_label": {
            str(name): float(correct[y == at].mean())
            for at, name in enumerate(found.names)
            if (y == at).any()
        },
        "conformal_90": {
            "coverage": share(found.in_set[np.arange(len(y)), y], ones, found.speakers),
            "labels_in_a_set": share(found.in_set.sum(1), ones, found.speakers),
        },
        "sure": {
            "answered": share(above, ones, found.speakers),
            "accuracy_of_answers": right if above.any() else None,
        },
    }


def ravdess_groups(table: SampleTable) -> dict[str, float]:
    """Accuracy by sex and intensity, from the numbers in RAVDESS's names."""
    found, y = table.known()
    correct = found.posteriors.argmax(1) == y
    male = np.array([int(name.rpartition("/")[2]) % 2 == 1 for name in found.speakers])
    strong = np.array([str(name).split("-")[3] == "02" for name in found.sample_ids])
    rows = {"male": male, "female": ~male, "strong": strong, "normal": ~strong}
    return {name: float(correct[chosen].mean()) for name, chosen in rows.items()}


def main() -> None:
    tables = {path.stem: SampleTable.load(path) for path in sorted(KEPT.glob("*.npz"))}
    results = json.loads(RESULTS.read_text())
    results["protocols"] = {name: figures(table) for name, table in tables.items()}
    results["groups"] = ravdess_groups(tables["ravdess_both"])
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for name, found in results["protocols"].items():
        print(f"{name:30s} {100 * found['accuracy'][0]:5.1f}  ece {100 * found['ece']:.1f}")


if __name__ == "__main__":
    main()
