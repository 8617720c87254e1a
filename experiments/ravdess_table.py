"""Purpose: make the RAVDESS table from all runs that `experiments/ravdess.py` has finished.

Cost: a minute.

    python experiments/ravdess_table.py WORK experiments/results

Publishes the predictions of WORK's finished runs in ravdess/ (every sample), so that the table
can be continued on another machine and compared with. From all published runs it writes
ravdess.json, ravdess.md and ravdess.png. ravdess.json maps system -> protocol -> metric -> [mean
over seeds, low, high], with the accuracy of each seed in "seeds". The key "_beside" holds
"references" (name -> as a protocol of a system, on Luna-Jimenez's folds), "differences" (a list
of pairs) and "same_as" (systems that are another system's network). Systems keep their published
names there.

Figures of runs whose predictions were lost with their machine are in ravdess/earlier.json. They are
shown, marked, until as many seeds are trained again. Runs of which only predictions of another
configuration are published are shown and marked as well. With WORK/references
(experiments/ravdess_references.py) the table includes the regressions and the published systems,
compared sample by sample.
"""

import argparse
import json
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from names import shown
from ravdess import (
    FUSIONS,
    LONG,
    NOISE,
    PRETRAINED,
    PROTOCOLS,
    SAME_NETWORK,
    SYSTEMS,
    Run,
    config_hash,
    published_runs,
)

from avtca.data.caveats import CAVEATS_FILE, provenance_caveats
from avtca.evaluation.adaptation import match_priors, speaker_normalise
from avtca.evaluation.aggregate import Seed, common_seeds, metric_difference, of_seed, summarise
from avtca.evaluation.bootstrap import holm, mcnemar
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import format_percent
from avtca.files import write_atomic

METRICS = ("accuracy", "uar", "weighted_f1")
PROVENANCE = ("recipe", "commit", "seconds", "changes", "split_audit", "normalise")
"""Values of each run in ravdess/runs.json, with the sizes of its folds. ``recipe``: config hash."""
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
PROTOCOL_NAMES = {
    "luna_5fold": "Luna-Jimenez's 5 folds",
    "luna_5fold_standardised": "the same, normalised over each actor's unlabelled samples",
    "6fold": "6 folds",
    "paper_random_80_20": "random 80/20 (speaker overlap)",
}
ENSEMBLES = {f"{system}_averaged": system for system in ("best", "best+action_units")}
"""Systems made here: the mean of the probabilities of three seeds or more."""
ADAPTED = {
    f"{system}_{method}": (system, method)
    for method in ("answers_standardised", "answers_matched")
    for system in ("best+action_units", "best+action_units_averaged")
}
"""Systems made here, under the protocol with normalised features: predictions are normalised to the
mean and deviation of the other folds, or matched to the label priors, over each actor's samples."""
NORMALISED = "luna_5fold_standardised"
OURS, OTHERS = "#2b6cb0", "#a9b4c0"
OLD = {"recipe": "earlier"}
"""Added to figures of runs with another configuration than today's."""
Tables = dict[Seed, list[Predictions]]


def publish(work: Path, out: Path) -> None:
    """Copy the predictions of finished runs, rounded to four digits, with provenance and caveats.

    Published predictions of today's configuration are not replaced by those of another.
    """
    index = published_runs(out)
    for done in sorted((work / "finished").glob("*/*/seed*.json")):
        name = str(done.relative_to(work / "finished").with_suffix(""))
        record = json.loads(done.read_text())
        protocol, system, seed = name.split("/")
        run = Run(protocol, system, int(seed.removeprefix("seed")))
        today = config_hash(run.experiment(Path(), record["changes"], PRETRAINED))
        if record["recipe"] != today == index.get(name, {}).get("recipe"):
            continue
        folder = work / "runs" / done.parent.relative_to(work / "finished") / f"of_{done.stem}"
        found = sorted((folder / done.stem).glob("fold*"), key=lambda path: int(path.name[4:]))
        folds = [Predictions.load(fold / "test.csv") for fold in found]
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        Predictions.joined(folds).save(out / f"{name}.csv.gz", digits=4)
        index[name] = {
            **{key: record[key] for key in PROVENANCE},
            "folds": [len(fold) for fold in folds],
        }
        caveats = [asdict(caveat) for caveat in provenance_caveats(record) or ()]
        write_atomic(out / protocol / CAVEATS_FILE, json.dumps(caveats, indent=1))
    write_atomic(out / "runs.json", json.dumps(index, indent=1, sort_keys=True))


def load_published(out: Path, protocol: str, system: str) -> tuple[Tables, bool]:
    """Published predictions by seed and fold, and whether they are of today's configuration.

    Those of another configuration are used only if there are no others.
    """
    found: dict[bool, Tables] = {True: {}, False: {}}
    for name, record in sorted(published_runs(out).items()):
        if name.startswith(f"{protocol}/{system}/seed"):
            seed = int(name.rpartition("seed")[2])
            run = Run(protocol, system, seed)
            experiment = run.experiment(Path(), record["changes"], PRETRAINED)
            every = Predictions.load(out / f"{name}.csv.gz")
            ends = np.cumsum([0, *record["folds"]])
            found[config_hash(experiment) == record["recipe"]][seed] = [
                every.at(np.arange(first, end)) for first, end in pairwise(ends)
            ]
    today = bool(found[True]) or not found[False]
    return found[today], today


def with_earlier(result: dict[str, Any], path: Path) -> None:
    """Add the figures and differences whose predictions are lost."""
    if not path.exists():
        return
    earlier, systems = json.loads(path.read_text()), result["systems"]
    lost = set()
    for name, protocols in earlier["rows"].items():
        for protocol, old in protocols.items():
            new = systems.get(name, {}).get(protocol)
            if protocol in PROTOCOLS and (new is None or len(new["seeds"]) < len(old["seeds"])):
                systems.setdefault(name, {})[protocol] = {**old, "answers": "not kept"}
                lost |= {name} if protocol == MAIN else set()
    # Seeds of lost predictions cannot be chosen: only pairs of one seed each are kept.
    once = {name for name in lost if len(systems[name][MAIN]["seeds"]) == 1}
    result["differences"] += [
        {**one, "answers": "not kept", "seeds": 1}
        for one in earlier["differences"]
        if {one["first"], one["second"]} <= once
    ]


def line(tables: Tables, *, today: bool = True) -> dict[str, Any]:
    """The figures of a system under a protocol."""
    found = summarise(tables).to_dict()
    return {
        **({} if today else OLD),
        **{name: found[name] for name in METRICS},
        "seeds": [one["accuracy"] for one in found["seeds"].values()],
        "spread_over_folds": found["spread"]["accuracy"],
        "folds": found["folds"]["accuracy"],
    }


def ensemble(tables: Tables) -> Tables:
    """The mean of all seeds' probabilities, as one system."""
    seeds = [[fold.ordered() for fold in folds] for folds in tables.values()]
    return {
        None: [
            replace(same[0], probs=np.mean([one.probs for one in same], axis=0))
            for same in zip(*seeds, strict=True)
        ]
    }


def adapted(tables: Tables, method: str) -> Tables:
    """Predictions adapted to each speaker, with statistics of the other folds."""
    out: Tables = {}
    for seed, folds in tables.items():
        out[seed] = []
        for number, fold in enumerate(folds):
            others = Predictions.joined([*folds[:number], *folds[number + 1 :]])
            if method == "answers_standardised":
                out[seed].append(speaker_normalise(fold, others))
            else:
                out[seed].append(match_priors(fold, others.targets.mean(0)))
    return out


def joined(tables: Tables) -> dict[Seed, Predictions]:
    return {seed: Predictions.joined(folds) for seed, folds in tables.items()}


def paired(first: Tables, second: Tables) -> dict[str, Any]:
    """Difference in accuracy over common seeds with its interval over actors and seeds, and
    McNemar's p of the first of them."""
    a, b = joined(first), joined(second)
    seeds = common_seeds(a, b)
    correct = [of_seed(tables, seeds[0]).ordered().correct for tables in (a, b)]
    found = metric_difference(a, b).to_dict()
    return {**found, "mcnemar": mcnemar(*correct), "seeds": len(seeds)}


def compared(
    tables: dict[tuple[str, str], Tables],
    references: dict[str, Tables],
    old: set[tuple[str, str]],
) -> list[Any]:
    """Paired differences: fusion against single streams, baselines and published systems."""
    systems = {system: found for (protocol, system), found in tables.items() if protocol == MAIN}
    pairs = []
    for fusion in FUSIONS:
        pairs += [(fusion, other) for other in ("audio_only", "video_only", "mean_posterior")]
    pairs += [(ours, other) for ours in ("best", "best_scratch") for other in FUSIONS]
    pairs += [(fusion, "concatenation") for fusion in FUSIONS if "best" not in fusion]
    pairs += [("best", f"{name}_long") for name in LONG] + [("best+action_units", "best")]
    pairs += [("figure_long", f"{name}_long") for name in LONG]
    pairs += [(f"{name}_noise", name) for name in NOISE]
    pairs += [(f"{name}_noise", "concatenation_noise") for name in ("figure", "best")]
    every = {**references, **systems}
    pairs += list(ENSEMBLES.items())
    for ours in ("best", "best+action_units", "audio_only", *ENSEMBLES):
        pairs += [(ours, other) for other in references]
    out = []
    for a, b in dict.fromkeys(pairs):
        if a != b and a in every and b in every and common_seeds(every[a], every[b]):
            mark = OLD if old & {(MAIN, a), (MAIN, b)} else {}
            out.append({"first": a, "second": b, **mark, **paired(every[a], every[b])})
    return out


def markdown(result: dict[str, Any]) -> str:
    """ravdess.md: all systems and protocols, then all differences."""
    protocols = [p for p in PROTOCOLS if any(p in one for one in result["systems"].values())]
    lines = [
        "Accuracy in %, mean over seeds [95 % interval, bootstrap over actors] (number of seeds, "
        "or ensemble of the seeds); *: predictions not kept; †: earlier configuration.",
        "",
        "| network | " + " | ".join(PROTOCOL_NAMES[p] for p in protocols) + " |",
        "|---|" + "---|" * len(protocols),
    ]
    for name, found in result["systems"].items():
        cells = [counted(name, found[p]) if p in found else "" for p in protocols]
        lines.append(f"| {shown(name)} | " + " | ".join(cells) + " |")
    for name, found in result["references"].items():
        cells = [format_percent(found["accuracy"]) if p == MAIN else "" for p in protocols]
        lines.append(f"| *{REFERENCES[name]}* | " + " | ".join(cells) + " |")
    n = len(result["differences"])
    lines += [
        "",
        f"{n} differences on the same samples, Luna-Jimenez's folds, over the seeds that both "
        "systems have (ensembles and references have none). Intervals resample actors and seeds; "
        f"with one seed, actors only. p (Holm): p (actors), adjusted for {n} comparisons.",
        "",
        "| difference | points | seeds | p (actors) | p (Holm) | p (McNemar) |",
        "|---|---|---|---|---|---|",
    ]
    for pair in result["differences"]:
        value, low, high = (100 * pair[k] for k in ("value", "low", "high"))
        lines.append(
            f"| {shown(pair['first'])} - {shown(pair['second'])}{mark(pair)} "
            f"| {value:+.1f} [{low:+.1f}, {high:+.1f}] | {pair['seeds']} "
            f"| {pair['p']:.4f} | {pair['p_holm']:.3f} | {pair['mcnemar']:.1e} |"
        )
    return "\n".join(lines) + "\n"


def counted(name: str, found: dict[str, Any]) -> str:
    """An accuracy with its interval, its number of seeds and its mark."""
    seeds = "ensemble" if "_averaged" in name else len(found["seeds"])
    return f"{format_percent(found['accuracy'])} ({seeds}){mark(found)}"


def mark(found: dict[str, Any]) -> str:
    """``*`` for lost predictions, ``†`` for an earlier configuration."""
    return " *" if "answers" in found else " †" if "recipe" in found else ""


def picture(result: dict[str, Any]) -> Figure:
    """Bars of accuracy under the main protocol with intervals, and the random split's accuracy."""
    bars = [
        (shown(name), found[MAIN]["accuracy"], OURS, found.get(LEAKED, {}).get("accuracy"))
        for name, found in result["systems"].items()
        if MAIN in found and name not in SAME_NETWORK
    ]
    bars += [
        (REFERENCES[name].split(" (")[0], found["accuracy"], OTHERS, None)
        for name, found in result["references"].items()
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
    axes.plot([], [], "o", color="#c8443f", mfc="none", label="random split (speaker overlap)")
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.99))
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars], fontsize=9)
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    axes.set_xlabel("RAVDESS, 8 emotions, accuracy on unseen speakers, % (Luna-Jimenez's folds)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    out = args.out / "ravdess"
    out.mkdir(parents=True, exist_ok=True)
    publish(args.work, out)
    tables: dict[tuple[str, str], Tables] = {}
    old: set[tuple[str, str]] = set()
    for key in product(PROTOCOLS, SYSTEMS):
        found, today = load_published(out, *key)
        if found:
            tables[key] = found
            if not today:
                old.add(key)
    derived = [
        ((protocol, name), (protocol, system), ensemble)
        for name, system in ENSEMBLES.items()
        for protocol in PROTOCOLS
        if len(tables.get((protocol, system), {})) >= 3
    ]
    derived += [
        ((NORMALISED, name), (NORMALISED, system), partial(adapted, method=method))
        for name, (system, method) in ADAPTED.items()
    ]
    for key, source, make in derived:
        if source in tables:
            tables[key] = make(tables[source])
            if source in old:
                old.add(key)
    references = {
        name: {None: [Predictions.load(path)]}
        for name in REFERENCES
        if (path := args.work / "references" / f"{name}.csv").exists()
    }
    systems: dict[str, Any] = {}
    for (protocol, system), found in tables.items():
        today = (protocol, system) not in old
        systems.setdefault(system, {})[protocol] = line(found, today=today)
    result: dict[str, Any] = {
        "systems": systems,
        "references": {name: line(found) for name, found in references.items()},
        "differences": compared(tables, references, old),
    }
    with_earlier(result, out / "earlier.json")
    adjusted = holm([pair["p"] for pair in result["differences"]])
    for pair, p in zip(result["differences"], adjusted, strict=True):
        pair["p_holm"] = round(p, 5)
    same = {name: other for name, other in SAME_NETWORK.items() if other in systems}
    systems |= {name: systems[other] for name, other in same.items()}
    result["systems"] = {
        name: systems[name]
        for name in (*SYSTEMS, *ENSEMBLES, *ADAPTED, *SAME_NETWORK)
        if name in systems
    }
    # The published layout: systems at the top level, the rest under "_beside".
    rest = {key: result[key] for key in ("references", "differences")} | {"same_as": same}
    flat = {**result["systems"], "_beside": rest}
    write_atomic(args.out / "ravdess.json", json.dumps(flat, indent=1))
    write_atomic(args.out / "ravdess.md", markdown(result))
    picture(result).savefig(args.out / "ravdess.png", dpi=110)
    print(markdown(result))


if __name__ == "__main__":
    main()
