"""Purpose: sound shifted against the face, -1 to +1 s, and each of the two taken away, for the
networks of `runs/ravdess.py` beside the simple baselines: does attention between the streams buy
anything?

Cost: about half a minute a network on one core.

    python runs/ravdess_misalignment.py WORK benchmarks/results/misalignment

The first seed of every row that WORK has finished on Luna-Jimenez's folds. Networks measured
before, whose checkpoints are gone, keep their figures. Writes OUT/robustness.json (as
`avtca robustness`) and OUT/shift.png: points lost against sound in time.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from ravdess import ROWS

from avtca.evaluation.robustness import robustness
from avtca.evaluation.systems import open_system
from avtca.files import write_atomic
from avtca.plots.robustness import LINES
from avtca.training.fit import torch_threads

CONDITIONS = ("shift", "modality")
APART = ("mean_posterior", "concatenation", "best")
"""Networks in which no stream looks at the other."""
PANELS = ("16 epochs", "48 epochs")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Systems of both, the new in place of the old."""
    keys = old.keys() | new.keys()
    return {key: {**old.get(key, {}), **new.get(key, {})} for key in sorted(keys)}


def lost(points: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Seconds that the sound is late, and points of accuracy above or under sound in time."""
    found = sorted((float(one["level"]), 100 * one["accuracy"][0]) for one in points)
    in_time = dict(found)[0.0]
    return [(level, value - in_time) for level, value in found]


def trained(row: str) -> str:
    """How long a row is trained, one of the panels."""
    return PANELS[row.endswith("_long") or row.startswith("best")]


def picture(systems: dict[str, Any]) -> Figure:
    """A panel for each length of training, a line for each network, broken where streams meet."""
    figure = Figure(figsize=(10, 4.2), layout="tight")
    for axes, title in zip(figure.subplots(1, 2, sharey=True), PANELS, strict=True):
        rows = [row for row in systems if trained(row) == title]
        for nth, row in enumerate(rows):
            apart = row.removesuffix("_long") in APART
            style = {"linestyle": "-" if apart else "--", "color": LINES[nth % len(LINES)]}
            axes.plot(*zip(*lost(systems[row]["shift"]), strict=True), label=row, **style)
        axes.axhline(0, color="#a9b4c0", linewidth=0.8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("seconds the sound is late")
        axes.legend(frameon=False, fontsize=8, loc="lower center", ncol=2)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("accuracy against sound in time, points")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    args = parser.parse_args()
    torch_threads(1)
    kept = args.out / "robustness.json"
    result = json.loads(kept.read_text()) if kept.exists() else {}
    args.out.mkdir(parents=True, exist_ok=True)
    for row in args.rows:
        run = args.work / "runs" / "luna_5fold" / row / "of_seed0"
        if (run / "result.json").exists():
            print(row, flush=True)
            system = open_system(run, args.work / "prepared" / ROWS[row][1])
            result = merged(result, robustness([system], CONDITIONS))
            write_atomic(kept, json.dumps(result, indent=1))
    picture(result["systems"]).savefig(args.out / "shift.png", dpi=110)


if __name__ == "__main__":
    main()
