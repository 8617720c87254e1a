"""Purpose: the RAVDESS table from whatever cells `experiments/ravdess.py` has finished.

Cost: a minute.

    python experiments/ravdess_table.py WORK experiments/results

Keeps the answers of WORK's cells in ravdess/, on every sample, so that a table goes on where another
machine stopped and anybody can compare with it, and makes from all that are kept ravdess.json,
ravdess.md and ravdess.png. ravdess.json: row -> protocol -> metric -> [mean over seeds, low, high],
"seeds" -> accuracy of each; and beside the rows one key that begins with an underscore, "_beside":
"references" (name -> as a protocol of a row, on Luna-Jimenez's folds), "differences" (a list of
pairs) and "same_as" (rows that are another row's network -> that row).
Lines of trainings whose answers were lost with their machine stand in ravdess/earlier.json and are
shown, marked, until as many seeds are trained again; so are those of which the answers of another
recipe alone are kept. With WORK/references
(experiments/ravdess_references.py) the regressions and the published systems stand beside, compared sample
by sample.
"""

import argparse
import json
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ravdess import (
    FUSIONS,
    LONG,
    NOISE,
    PROTOCOLS,
    ROWS,
    SAME,
    VOICE,
    Cell,
    kept_cells,
    recipe_of,
)

from avtca.evaluation.adaptation import match_priors, speaker_normalise
from avtca.evaluation.aggregate import difference, summarise
from avtca.evaluation.bootstrap import mcnemar
from avtca.evaluation.comparison import cell
from avtca.evaluation.predictions import Predictions
from avtca.files import write_atomic

METRICS = ("accuracy", "uar", "weighted_f1")
MADE = ("recipe", "commit", "seconds", "changes", "split_audit", "standardise")
"""What ravdess/cells.json says of each cell, beside the sizes of its folds."""
MAIN, LEAKED = "luna_5fold", "paper_random_80_20"
REFERENCES = {
    "regression_face": "logistic regression, face sequences",
    "regression_audio": "logistic regression, audio",
    "regression_action_units": "logistic regression, action units",
    "regression_face_audio": "logistic regression, face + audio",
    "regression_all": "logistic regression, face + audio + action units",
    "action_units_mlp": "Luna-Jimenez 2022, MLP on action units",
    "wav2vec2": "Luna-Jimenez 2022, fine-tuned XLSR wav2vec2 (300 M parameters)",
    "fusion": "Luna-Jimenez 2022, wav2vec2 + action units",
}
NAMES = {
    "luna_5fold": "Luna-Jimenez's 5 folds",
    "luna_5fold_standardised": "the same, standardised on the actor's unlabelled samples",
    "6fold": "6 folds",
    "paper_random_80_20": "random 80/20 (people on both sides)",
}
AVERAGED = {f"{row}_averaged": row for row in ("best", "best+action_units")}
"""Rows made here: one system of the networks of three seeds or more, their probabilities' mean."""
ADAPTED = {
    f"{row}_{how}": (row, how)
    for how in ("answers_standardised", "answers_matched")
    for row in ("best+action_units", "best+action_units_averaged")
}
"""Rows made here, of the protocol whose features are standardised: the answers, too, are brought to
the other folds' level and spread, or to the corpus's label shares, over each actor's own samples
(`avtca.evaluation.adaptation`)."""
STANDARDISED = "luna_5fold_standardised"
OURS, OTHERS = "#2b6cb0", "#a9b4c0"
OLD = {"recipe": "earlier"}
"""Beside figures of networks that `experiments/ravdess.py` would now train otherwise."""
Tables = dict[int, list[Predictions]]


def keep(work: Path, kept: Path) -> None:
    """Copy the answers of finished cells, rounded to four digits, and say what made them.

    Kept answers of today's recipe are not replaced by those of another.
    """
    index = kept_cells(kept)
    for done in sorted((work / "cells").glob("*/*/seed*.json")):
        name = str(done.relative_to(work / "cells").with_suffix(""))
        told = json.loads(done.read_text())
        protocol, row, seed = name.split("/")
        cell = Cell(protocol, row, int(seed.removeprefix("seed")))
        today = recipe_of(cell.experiment(Path(), told["changes"], VOICE))
        if told["recipe"] != today == index.get(name, {}).get("recipe"):
            continue
        folder = work / "runs" / done.parent.relative_to(work / "cells") / f"of_{done.stem}"
        found = sorted((folder / done.stem).glob("fold*"), key=lambda path: int(path.name[4:]))
        folds = [Predictions.load(fold / "test.csv") for fold in found]
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        Predictions.joined(folds).save(kept / f"{name}.csv.gz", digits=4)
        made = {key: told[key] for key in MADE}
        index[name] = {**made, "folds": [len(fold) for fold in folds]}
    write_atomic(kept / "cells.json", json.dumps(index, indent=1, sort_keys=True))


def tables_of(kept: Path, protocol: str, row: str) -> tuple[Tables, bool]:
    """Answers of the seeds that are kept, by fold, and whether they are of today's recipe; those of
    another recipe count only where there are no others."""
    found: dict[bool, Tables] = {True: {}, False: {}}
    for name, made in sorted(kept_cells(kept).items()):
        if name.startswith(f"{protocol}/{row}/seed"):
            seed = int(name.rpartition("seed")[2])
            experiment = Cell(protocol, row, seed).experiment(Path(), made["changes"], VOICE)
            every = Predictions.load(kept / f"{name}.csv.gz")
            ends = np.cumsum([0, *made["folds"]])
            found[recipe_of(experiment) == made["recipe"]][seed] = [
                every.at(np.arange(first, end)) for first, end in pairwise(ends)
            ]
    today = bool(found[True]) or not found[False]
    return found[today], today


def with_earlier(result: dict[str, Any], path: Path) -> None:
    """Fill up with the lines and differences of which no answers are kept."""
    if not path.exists():
        return
    earlier, rows = json.loads(path.read_text()), result["rows"]
    lost = set()
    for name, protocols in earlier["rows"].items():
        for protocol, old in protocols.items():
            new = rows.get(name, {}).get(protocol)
            if protocol in PROTOCOLS and (new is None or len(new["seeds"]) < len(old["seeds"])):
                rows.setdefault(name, {})[protocol] = {**old, "answers": "not kept"}
                lost |= {name} if protocol == MAIN else set()
    pairs = {(one["first"], one["second"]): one for one in earlier["differences"]}
    pairs = {names: {**one, "answers": "not kept"} for names, one in pairs.items()}
    for one in result["differences"]:
        names = one["first"], one["second"]
        if not lost & set(names) or names not in pairs:
            pairs[names] = one
    result["differences"] = list(pairs.values())


def line(tables: Tables, *, today: bool = True) -> dict[str, Any]:
    """One cell of ravdess.json."""
    found = summarise(tables)
    return {
        **({} if today else OLD),
        **{name: found[name] for name in METRICS},
        "seeds": [one["accuracy"] for one in found["seeds"].values()],
        "spread_over_folds": found["spread"]["accuracy"],
        "folds": found["folds"]["accuracy"],
    }


def averaged(tables: Tables) -> Tables:
    """The mean of all seeds' probabilities as the answers of one system."""
    seeds = [[fold.ordered() for fold in folds] for folds in tables.values()]
    return {
        0: [
            replace(same[0], probs=np.mean([one.probs for one in same], axis=0))
            for same in zip(*seeds, strict=True)
        ]
    }


def adapted(tables: Tables, how: str) -> Tables:
    """Answers adapted to each speaker; what they are brought to is the other folds'."""
    out: Tables = {}
    for seed, folds in tables.items():
        out[seed] = []
        for number, fold in enumerate(folds):
            others = Predictions.joined([*folds[:number], *folds[number + 1 :]])
            if how == "answers_standardised":
                out[seed].append(speaker_normalise(fold, others))
            else:
                out[seed].append(match_priors(fold, others.targets.mean(0)))
    return out


def joined(tables: Tables) -> list[Predictions]:
    return [Predictions.joined(folds) for folds in tables.values()]


def paired(first: Tables, second: Tables) -> dict[str, Any]:
    """Difference in accuracy, its interval over people, and McNemar's p of the first seeds."""
    a, b = joined(first), joined(second)
    found = difference(a, b)
    return {**found, "mcnemar": mcnemar(a[0].ordered().correct, b[0].ordered().correct)}


def compared(
    cells: dict[tuple[str, str], Tables], references: dict[str, Tables], old: set[tuple[str, str]]
) -> list[Any]:
    """What the issue is about: fusion against single streams, and against the published."""
    rows = {row: tables for (protocol, row), tables in cells.items() if protocol == MAIN}
    pairs = []
    for fusion in FUSIONS:
        pairs += [(fusion, other) for other in ("audio_only", "video_only", "mean_posterior")]
    pairs += [(ours, other) for ours in ("best", "best_scratch") for other in FUSIONS]
    pairs += [("concatenation", "mean_posterior"), ("figure", "concatenation")]
    pairs += [("best", f"{name}_long") for name in LONG] + [("best+action_units", "best")]
    pairs += [("figure_long", f"{name}_long") for name in LONG]
    pairs += [(f"{name}_noise", name) for name in NOISE]
    pairs += [(f"{name}_noise", "concatenation_noise") for name in ("figure", "best")]
    every = {**references, **rows}
    pairs += list(AVERAGED.items())
    for ours in ("best", "best+action_units", "audio_only", *AVERAGED):
        pairs += [(ours, other) for other in references]
    out = []
    for a, b in dict.fromkeys(pairs):
        if a != b and a in every and b in every:
            told = OLD if old & {(MAIN, a), (MAIN, b)} else {}
            out.append({"first": a, "second": b, **told, **paired(every[a], every[b])})
    return out


def markdown(result: dict[str, Any]) -> str:
    protocols = [p for p in PROTOCOLS if any(p in row for row in result["rows"].values())]
    said = (
        "Accuracy in %, mean over seeds [95 % interval, bootstrap over actors], (number of seeds, "
    )
    said += (
        "or several seeds as one system); *: of trainings whose answers were not kept; †: of an "
    )
    said += "earlier recipe."
    lines = [said, "", "| network | " + " | ".join(NAMES[p] for p in protocols) + " |"]
    lines.append("|---|" + "---|" * len(protocols))
    for name, row in result["rows"].items():
        cells = [counted(name, row[p]) if p in row else "" for p in protocols]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, row in result["references"].items():
        cells = [cell(row["accuracy"]) if p == MAIN else "" for p in protocols]
        lines.append(f"| *{REFERENCES[name]}* | " + " | ".join(cells) + " |")
    lines += ["", "Differences on the same samples, Luna-Jimenez's folds.", ""]
    lines += ["| difference | points | p (actors) | p (McNemar) |", "|---|---|---|---|"]
    for pair in result["differences"]:
        value, low, high = (100 * pair[k] for k in ("value", "low", "high"))
        lines.append(
            f"| {pair['first']} - {pair['second']}{caveat(pair)} "
            f"| {value:+.1f} [{low:+.1f}, {high:+.1f}] "
            f"| {pair['p']:.4f} | {pair['mcnemar']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def counted(name: str, found: dict[str, Any]) -> str:
    """A figure with its interval, the number of seeds that it is the mean of, and its mark."""
    seeds = "as one" if "_averaged" in name else len(found["seeds"])
    return f"{cell(found['accuracy'])} ({seeds}){caveat(found)}"


def caveat(found: dict[str, Any]) -> str:
    return " *" if "answers" in found else " †" if "recipe" in found else ""


def picture(result: dict[str, Any]) -> Figure:
    """Accuracy on the main protocol, networks and references in order, intervals over actors; and
    what a random split says of the same network."""
    bars = [
        (name, row[MAIN]["accuracy"], OURS, row.get(LEAKED, {}).get("accuracy"))
        for name, row in result["rows"].items()
        if MAIN in row and name not in SAME
    ]
    bars += [
        (REFERENCES[name].split(" (")[0], row["accuracy"], OTHERS, None)
        for name, row in result["references"].items()
    ]
    bars.sort(key=lambda bar: bar[1][0])
    figure = Figure(figsize=(8.5, max(2.5, 0.3 * len(bars) + 0.9)), layout="tight")
    axes = figure.subplots()
    for place, (_, (value, low, high), colour, leaked) in enumerate(bars):
        axes.barh(place, 100 * value, color=colour, height=0.68)
        axes.plot([100 * low, 100 * high], [place, place], color="#1d2730", linewidth=1.2)
        ink = "white" if colour == OURS else "#1d2730"
        axes.text(1, place, f"{100 * value:.1f}", va="center", fontsize=9, color=ink)
        if leaked is not None:
            axes.plot(100 * leaked[0], place, "o", color="#c8443f", mfc="none", markersize=7)
    axes.plot([], [], "o", color="#c8443f", mfc="none", label="random split, actors on both sides")
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.99))
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars], fontsize=9)
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    axes.set_xlabel("RAVDESS, 8 emotions, accuracy on people never seen, % (Luna-Jimenez's folds)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    kept = args.out / "ravdess"
    kept.mkdir(parents=True, exist_ok=True)
    keep(args.work, kept)
    cells: dict[tuple[str, str], Tables] = {}
    old: set[tuple[str, str]] = set()
    for place in product(PROTOCOLS, ROWS):
        tables, today = tables_of(kept, *place)
        if tables:
            cells[place] = tables
            if not today:
                old.add(place)
    made = [
        ((protocol, name), (protocol, row), averaged)
        for name, row in AVERAGED.items()
        for protocol in PROTOCOLS
        if len(cells.get((protocol, row), {})) >= 3
    ]
    made += [
        ((STANDARDISED, name), (STANDARDISED, row), partial(adapted, how=how))
        for name, (row, how) in ADAPTED.items()
    ]
    for place, source, make in made:
        if source in cells:
            cells[place] = make(cells[source])
            if source in old:
                old.add(place)
    references = {
        name: {0: [Predictions.load(path)]}
        for name in REFERENCES
        if (path := args.work / "references" / f"{name}.csv").exists()
    }
    rows: dict[str, Any] = {}
    for (protocol, row), tables in cells.items():
        today = (protocol, row) not in old
        rows.setdefault(row, {})[protocol] = line(tables, today=today)
    result: dict[str, Any] = {
        "rows": rows,
        "references": {name: line(tables) for name, tables in references.items()},
        "differences": compared(cells, references, old),
    }
    with_earlier(result, kept / "earlier.json")
    same = {name: other for name, other in SAME.items() if other in rows}
    rows |= {name: rows[other] for name, other in same.items()}
    result["rows"] = {
        name: rows[name] for name in (*ROWS, *AVERAGED, *ADAPTED, *SAME) if name in rows
    }
    # The layout that readers of experiments/results expect: rows at the top, the rest beside.
    beside = {key: result[key] for key in ("references", "differences")} | {"same_as": same}
    flat = {**result["rows"], "_beside": beside}
    write_atomic(args.out / "ravdess.json", json.dumps(flat, indent=1))
    write_atomic(args.out / "ravdess.md", markdown(result))
    picture(result).savefig(args.out / "ravdess.png", dpi=110)
    print(markdown(result))


if __name__ == "__main__":
    main()
