"""Purpose: the table of networks on speech tokens, from the predictions that train.py made.

    python experiments/attention/table.py [OUT]

Cost: a minute. With OUT, first gathers its fits into experiments/results/attention/NETWORK.npz
(posteriors of every test sample, for each seed, aligned and with the audio late or early) and
the accuracies of the tuning into tuning.json, by network, first left-out fold and setting. From
these files it writes attention.json and attention.png beside that folder; fill_pages.py puts the
tables into docs/attention.md.

Differences are paired on samples and seeds, with 95 % intervals over actors and seeds. Two networks
count as equivalent if the interval lies within MARGIN, which was set before any test figure.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from train import LEARNING_RATES, N_FOLDS, NETWORKS, PLAIN, SEEDS, SHIFTED, save

from avtca.evaluation.bootstrap import bootstrap, holm, paired_difference
from avtca.files import write_atomic
from avtca.labels import RAVDESS
from avtca.plots.style import ACCENT, PRIMARY, new_figure, style_axes

sys.path.append(str(Path(__file__).resolve().parents[1]))
from attention_pages import ATTEND, WORDS

RESULTS = Path(__file__).resolve().parents[1] / "results"
KEPT = RESULTS / "attention"
MARGIN = 0.02
"""Networks whose accuracies differ by less are of equal worth for users."""
SHIFTS = dict(zip(SHIFTED, (-1.0, -0.5, 0.5, 1.0), strict=True))
"""Variant -> delay of the audio in seconds."""
LINEAR = "statistics"
"""The packaged recipe, without convolutions: logistic regressions, no seeds, always aligned."""
PAIRS = (
    *((name, "concatenation") for name in ("it4", "ct4", "figure", "released")),
    *((name, "mean_posterior") for name in ("concatenation", "figure")),
    ("figure", "audio_only"),
    ("experts_attention", "experts"),
    ("experts", "concatenation"),
    ("figure", LINEAR),
    ("experts_attention", LINEAR),
)
Right = NDArray[np.int64]


def gather(out: Path) -> None:
    """Put the fits of each network that has all folds of a seed into one file."""
    for name in NETWORKS:
        seeds, posteriors, chosen = [], [], []
        for seed in SEEDS:
            paths = [out / "final" / f"{name}-{seed}-{k}.npz" for k in range(N_FOLDS)]
            if not all(path.exists() for path in paths):
                continue
            files = [np.load(path) for path in paths]
            order = np.concatenate([file["rows"] for file in files])
            table = np.empty((1 + len(SHIFTED), len(order), len(RAVDESS)), np.float16)
            for i, variant in enumerate((PLAIN, *SHIFTED)):
                table[i, order] = np.concatenate([file[f"variant{variant}"] for file in files])
            seeds.append(seed)
            posteriors.append(table)
            chosen.append([(LEARNING_RATES[int(f["setting"])], int(f["epochs"])) for f in files])
        if seeds:
            arrays = {"seeds": seeds, "posteriors": np.stack(posteriors), "chosen": chosen}
            save(KEPT / f"{name}.npz", arrays)
    tuning = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("tuning/*.json"))}
    write_atomic(KEPT / "tuning.json", json.dumps(tuning, indent=1) + "\n")


class Table:
    """Which samples each network gets right."""

    def __init__(self) -> None:
        with np.load(RESULTS / "default_model" / "ravdess_audio_face_8.npz") as file:
            self.speakers, names = file["speakers"], [str(name) for name in file["names"]]
            self.labels = np.array([names.index(label) for label in file["labels"]])
            self.linear = file["posteriors"].argmax(1) == self.labels
            assert names == list(RAVDESS)
        self.posteriors, self.seeds, self.chosen = {}, {}, {}
        for path in sorted(KEPT.glob("*.npz")):
            with np.load(path) as file:
                self.posteriors[path.stem] = file["posteriors"].astype(np.float32)
                self.seeds[path.stem] = file["seeds"].tolist()
                self.chosen[path.stem] = file["chosen"][0].tolist()

    @property
    def names(self) -> list[str]:
        """Networks with predictions, in the order of the table."""
        return [name for name in WORDS if name in self.posteriors or name == LINEAR]

    def right(self, name: str, variant: int = PLAIN, seeds: Sequence[int] = ()) -> Right:
        """Right and wrong samples of each actor and seed ``(actors, seeds, 2)``, all by default."""
        if name == LINEAR:
            hits = np.tile(self.linear, (len(seeds) or 1, 1))
        else:
            at = (PLAIN, *SHIFTED).index(variant)
            rows = [self.seeds[name].index(seed) for seed in seeds or self.seeds[name]]
            hits = self.posteriors[name][rows, at].argmax(2) == self.labels
        counts = [
            np.stack(((one := hits[:, self.speakers == actor]).sum(1), (~one).sum(1)), axis=1)
            for actor in np.unique(self.speakers)
        ]
        return np.array(counts, np.int64)

    def common(self, *names: str) -> list[int]:
        """Seeds that all of these networks have (the linear one: any)."""
        return sorted(set.intersection(*(set(self.seeds[x]) for x in names if x != LINEAR)))


def share(counts: Any) -> NDArray[np.float64]:
    """Share of right samples."""
    counts = np.asarray(counts, np.float64)
    return np.asarray(counts[..., 0] / counts.sum(-1))


def mean_share(counts: Any) -> NDArray[np.float64]:
    """The same, averaged over seeds."""
    return np.asarray(share(counts).mean(-1))


def figures() -> dict[str, Any]:
    """Everything that attention.json has."""
    table = Table()
    out: dict[str, Any] = {"margin": MARGIN, "networks": {}, "differences": [], "shifts": {}}
    for name in table.names:
        right = table.right(name)
        entry: dict[str, Any] = {
            "accuracy": bootstrap(right, mean_share).to_list(),
            "seeds": [round(float(x), 4) for x in share(right.sum(0))],
        }
        if name != LINEAR:
            entry["chosen"] = table.chosen[name]
            out["shifts"][name] = {str(delay): loss(table, name, v) for v, delay in SHIFTS.items()}
        out["networks"][name] = entry
    for first, second in PAIRS:
        if {first, second} <= set(table.names):
            seeds = table.common(first, second)
            mine, theirs = (table.right(name, seeds=seeds) for name in (first, second))
            found = paired_difference(mine, theirs, share, over_seeds=True)
            row = {"networks": [first, second], "seeds": len(seeds), "difference": found.to_list()}
            low, high = found.low, found.high
            row |= {"p": found.p, "equivalent": bool(low > -MARGIN and high < MARGIN)}
            out["differences"].append(row)
    for row, p in zip(
        out["differences"], holm([row["p"] for row in out["differences"]]), strict=True
    ):
        row["p_holm"] = p
    return out


def loss(table: Table, name: str, variant: int) -> dict[str, list[float]]:
    """Points lost to a shift, and how many more than each control loses; with intervals."""
    out = {}
    lost = paired_difference(table.right(name), table.right(name, variant), share, over_seeds=True)
    out["loss"] = lost.to_list()
    for control in ("audio_only", "mean_posterior"):
        if control not in table.posteriors or name == control:
            continue
        seeds = table.common(name, control)
        # Right and wrong, aligned and shifted: the difference of two differences.
        mine, theirs = (
            np.concatenate([table.right(one, which, seeds) for which in (PLAIN, variant)], axis=2)
            for one in (name, control)
        )
        more = paired_difference(mine, theirs, lost_share, over_seeds=True)
        out[f"more than {control}"] = more.to_list()
    return out


def lost_share(counts: Any) -> NDArray[np.float64]:
    """Share lost, from right and wrong samples aligned, then shifted ``(..., 4)``."""
    counts = np.asarray(counts)
    return share(counts[..., :2]) - share(counts[..., 2:])


def picture(found: dict[str, Any]) -> Figure:
    """Accuracy of each network with its interval; those with attention in another colour."""
    names = list(found["networks"])[::-1]
    figure = new_figure(8, 0.42 * len(names) + 1.2)
    axes = figure.add_subplot()
    for y, name in enumerate(names):
        entry = found["networks"][name]
        value, low, high = (100 * x for x in entry["accuracy"])
        colour = ACCENT if name in ATTEND else PRIMARY
        axes.plot([low, high], [y, y], color=colour, lw=2)
        seeds = [100 * x for x in entry["seeds"]]
        axes.plot(seeds, [y] * len(seeds), "|", color=colour, ms=9)
        axes.plot(value, y, "o", color=colour, ms=7)
        axes.annotate(f"{value:.1f}", (high, y), (6, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(names)), [WORDS[name] for name in names])
    axes.set_xlabel("accuracy in % on unseen actors: mean, interval over actors, each seed")
    axes.set_title("orange: with attention between face and voice", loc="left", fontsize=10)
    style_axes(axes, grid="x")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?")
    args = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    if args.out is not None:
        gather(args.out)
    found = figures()
    write_atomic(KEPT.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    picture(found).savefig(KEPT.with_suffix(".png"), dpi=110)
    for name, entry in found["networks"].items():
        print(name, entry["accuracy"], entry["seeds"])


if __name__ == "__main__":
    main()
