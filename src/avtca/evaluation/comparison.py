"""Systems side by side on the same samples: paired tests, and a table for a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avtca.data.caveats import caveat_beside
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import difference, metric_functions, summarise
from avtca.evaluation.bootstrap import mcnemar
from avtca.evaluation.predictions import Predictions, distinct_names, folds_of, numbered, run_name

UNKNOWN = "nothing beside the answers says how they were split"
Tables = dict[int, list[Predictions]]
"""For each seed, the answers on the test side of each fold."""


@dataclass(frozen=True)
class Entry:
    """A system's answers, by seed and fold.

    ``caveat``: what must be said of its split, see :mod:`avtca.data.caveats`; empty where nothing
    is known of it.
    """

    name: str
    tables: Tables
    caveat: str = ""

    @property
    def joined(self) -> list[Predictions]:
        """One table of all folds for each seed."""
        return [Predictions.joined(folds) for folds in self.tables.values()]


def load_systems(paths: Sequence[Path]) -> list[Entry]:
    """One entry a path; what would have one name is called by as much of its path as it takes.

    Raises :class:`ConfigError` as :func:`load_system` does.
    """
    entries = [load_system(path) for path in paths]
    names = distinct_names([entry.name for entry in entries], paths)
    return [replace(entry, name=name) for entry, name in zip(entries, names, strict=True)]


def load_system(path: Path) -> Entry:
    """Answers of a run's folder, of a cross-validation's, of a CSV of predictions, or of a folder
    of those for each seed (seed0.csv, seed1.csv.gz).

    Raises :class:`ConfigError` where there are none, or seeds or folds are missing.
    """
    action = f"compare {path}"
    if path.is_file():
        return Entry(
            path.name.partition(".csv")[0], {0: [Predictions.load(path)]}, caveat_beside(path)
        )
    if (path / "test.csv").exists():
        return Entry(
            run_name(path), {0: [Predictions.load(path / "test.csv")]}, caveat_beside(path)
        )
    files = sorted(path.glob("seed[0-9]*.csv*"), key=_number)
    if kept := {_number(file): [Predictions.load(file)] for file in files}:
        return Entry(path.resolve().name, kept, caveat_beside(path))
    return Entry(run_name(path), _cross_validated(path, action), caveat_beside(path))


def _cross_validated(path: Path, action: str) -> Tables:
    """Answers of every fold and seed; refused where one is not there."""
    wanted, tables = folds_of(path), Tables()
    for folder in numbered(path, "seed"):
        folds = numbered(folder, "fold")
        open_ones = [one.name for one in folds if not (one / "test.csv").exists()]
        if open_ones or not wanted or [_number(one) for one in folds] != [*range(wanted)]:
            found = f"{folder.name}/{open_ones[0]} is" if open_ones else f"{folder.name} is"
            raise ConfigError(action, f"{found} not finished", "run avtca cv to its end")
        tables[_number(folder)] = [Predictions.load(one / "test.csv") for one in folds]
    if not tables:
        raise ConfigError(
            action, "no finished run there", "name folders of avtca train or cv, or a test.csv"
        )
    return tables


def _number(path: Path) -> int:
    """Of seed3, fold2 or seed0.csv.gz."""
    return int(path.name.partition(".")[0][4:])


def compare(entries: Sequence[Entry], *, allow_partial: bool = False) -> dict[str, Any]:
    """Figures of each system, and for each pair the difference with its paired tests.

    All must have answered the same samples with the same truth; ``allow_partial`` compares on the
    samples that all have answered. ``caveats``: what must be said of each split. ``pairs``: first,
    second, metric -> value, low, high and p of the speaker bootstrap; ``mcnemar``: the exact p on
    samples, of the first seed of each. Raises :class:`ConfigError` where systems cannot be compared.
    """
    action = "compare runs"
    if len(entries) < 2:
        raise ConfigError(action, "only one was given", "name two or more")
    if len({entry.name for entry in entries}) != len(entries):
        raise ConfigError(action, "one was given twice", "name each of them once")
    first = entries[0].joined[0]
    for entry in entries:
        if entry.joined[0].labels != first.labels or entry.joined[0].binary != first.binary:
            found = f"{entry.name} names {', '.join(entry.joined[0].labels)}"
            raise ConfigError(action, found, f"compare runs that name {', '.join(first.labels)}")
    common = set(first.samples)
    for entry in entries:
        for joined in entry.joined:
            common &= set(joined.samples)
            if not allow_partial and set(joined.samples) != set(first.samples):
                lacking = len(set(first.samples) ^ set(joined.samples))
                raise ConfigError(
                    action,
                    f"{entries[0].name} and {entry.name} differ in {lacking} samples",
                    "test them on the same samples, or say --common to compare where they meet",
                )
    if not common:
        raise ConfigError(action, "no sample was answered by all", "test them on the same samples")
    shared = [_within(entry, common) for entry in entries]
    _require_same_truth(shared)
    pairs = []
    for i, a in enumerate(shared):
        for b in shared[i + 1 :]:
            one: dict[str, Any] = {"first": a.name, "second": b.name}
            for metric in metric_functions(first):
                one[metric] = difference(a.joined, b.joined, metric)
            if not first.binary:
                right = [entry.joined[0].ordered().correct for entry in (a, b)]
                one["mcnemar"] = mcnemar(*right)
            pairs.append(one)
    return {
        "samples": len(common),
        "speakers": len(set(shared[0].joined[0].speakers)),
        "caveats": {entry.name: entry.caveat for entry in shared},
        "systems": {entry.name: summarise(entry.tables) for entry in shared},
        "pairs": pairs,
    }


def _within(entry: Entry, samples: set[str]) -> Entry:
    def cut(table: Predictions) -> Predictions:
        return table.at(np.array([sample in samples for sample in table.samples]))

    tables = {
        seed: [part for part in map(cut, folds) if len(part)]
        for seed, folds in entry.tables.items()
    }
    return Entry(entry.name, tables, entry.caveat)


def _require_same_truth(entries: Sequence[Entry]) -> None:
    first = entries[0].joined[0].ordered()
    for entry in entries[1:]:
        other = entry.joined[0].ordered()
        unlike = np.abs(other.targets - first.targets).max(1) > 0.5 if first.binary else None
        differ = np.flatnonzero(
            other.true_labels != first.true_labels if unlike is None else unlike
        )
        if len(differ) or other.speakers != first.speakers:
            sample = first.samples[differ[0]] if len(differ) else "a speaker"
            raise ConfigError(
                "compare runs",
                f"{entries[0].name} and {entry.name} do not agree on the truth of {sample}",
                "compare runs on the same labels",
            )


def markdown(result: Mapping[str, Any]) -> str:
    """Two tables: figures of each system, and differences of each pair."""
    names = _metrics(result)
    lines = [
        "| system | " + " | ".join(names) + " | seeds |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for name, one in result["systems"].items():
        cells = [cell(one[metric]) for metric in names]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(one['seeds'])} |")
    lines += [
        "",
        "| difference | accuracy, points | p (people) | p (McNemar) |",
        "|---|---|---|---|",
    ]
    for pair in result["pairs"]:
        d = pair["accuracy"]
        lines.append(
            f"| {pair['first']} - {pair['second']} | {_points(d)} | {_p(d['p'])} | "
            f"{_p(pair.get('mcnemar'))} |"
        )
    lines += [f"\n{words}" for words in _marked(result)]
    return "\n".join(lines) + "\n"


def latex(result: Mapping[str, Any]) -> str:
    """The same two tables, each a booktabs ``tabular``; what must be said of splits is in both."""
    names = _metrics(result)
    best = {name: max(one[name][0] for one in result["systems"].values()) for name in names}
    head = " & ".join(["EvaluatedModel", *(name.replace("_", " ") for name in names)])
    lines = [
        r"\begin{tabular}{l" + "c" * len(names) + "}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
    ]
    for system, one in result["systems"].items():
        cells = []
        for name in names:
            value, low, high = (float("nan") if x is None else 100 * x for x in one[name])
            shown = f"{value:.1f}"
            if one[name][0] == best[name]:
                shown = rf"\textbf{{{shown}}}"
            cells.append(shown if low != low else rf"{shown} {{\small [{low:.1f}, {high:.1f}]}}")
        lines.append(" & ".join([_escaped(system), *cells]) + r" \\")
    lines += [*_closing(result, len(names) + 1), ""]
    lines += [
        r"\begin{tabular}{lccc}",
        r"\toprule",
        r"Difference & accuracy, points & $p$ (people) & $p$ (McNemar) \\",
        r"\midrule",
    ]
    for pair in result["pairs"]:
        names = [_escaped(pair[key]) for key in ("first", "second")]
        d = pair["accuracy"]
        cells = [rf"{names[0]} $-$ {names[1]}", _in_maths(_points(d))]
        cells += [_in_maths(_p(value)) for value in (d["p"], pair.get("mcnemar"))]
        lines.append(" & ".join(cells) + r" \\")
    lines += _closing(result, 4)
    return "\n".join(lines) + "\n"


def _closing(result: Mapping[str, Any], wide: int) -> list[str]:
    """The end of a ``tabular`` of so many columns, the marks in it."""
    notes = [
        rf"\multicolumn{{{wide}}}{{l}}{{\small {_escaped(words)}}} \\" for words in _marked(result)
    ]
    return [*notes, r"\bottomrule", r"\end{tabular}"]


def _in_maths(text: str) -> str:
    """A cell of numbers with signs and powers of ten, for LaTeX."""
    value, _, power = text.partition("e")
    return f"${value}" + (rf" \cdot 10^{{{int(power)}}}" if power else "") + "$" if text else ""


def _marked(result: Mapping[str, Any]) -> list[str]:
    """What must be said of a system's split."""
    return [
        f"{name}: {caveat or UNKNOWN}"
        for name, caveat in result["caveats"].items()
        if caveat != "clean"
    ]


def _metrics(result: Mapping[str, Any]) -> list[str]:
    return list(next(iter(result["systems"].values()))["spread"])


def cell(interval: Sequence[float | None]) -> str:
    """``61.5 [52.0, 70.1]`` in percent, or the value alone where there is no interval."""
    value, low, high = (float("nan") if x is None else 100 * x for x in interval)
    return f"{value:.1f}" if low != low else f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _points(d: Mapping[str, float | None]) -> str:
    value, low, high = (d[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "" if value is None else f"{100 * value:+.1f}"
    return f"{100 * value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _escaped(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, "\\" + sign)
    return text
