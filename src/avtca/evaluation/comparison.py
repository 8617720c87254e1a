"""Comparison of systems on the same samples: paired tests, and tables of them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avtca.data.caveats import CLEAN, Caveat, caveat_text, find_caveats
from avtca.errors import ConfigError
from avtca.evaluation.aggregate import Seed, common_seeds, metric_difference, of_seed, summarise
from avtca.evaluation.bootstrap import holm, mcnemar
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import (
    METRIC_NAMES,
    ComparisonReport,
    PairedDifference,
    PairedTests,
    format_percent,
    in_percent,
)
from avtca.evaluation.run_folders import (
    distinct_names,
    n_folds,
    numbered_folders,
    run_folds,
    run_name,
    run_seed,
)
from avtca.text import csv_cell

UNKNOWN_SPLIT = "no file beside the predictions describes their split"
Tables = dict[Seed, list[Predictions]]
"""Seed -> predictions on the test set of each fold; a file has no seed."""


@dataclass(frozen=True)
class SystemPredictions:
    """The predictions of a system.

    Attributes:
        name: Name in tables.
        tables: Predictions by seed and fold.
        caveats: Caveats of the split; ``None`` where nothing is known of it.
        folds: Name and hash of the folds; empty where they are not known.
    """

    name: str
    tables: Tables
    caveats: tuple[Caveat, ...] | None = None
    folds: str = ""

    @property
    def joined(self) -> list[Predictions]:
        """One table of all folds for each seed."""
        return [Predictions.joined(folds) for folds in self.tables.values()]

    @property
    def caveat(self) -> str:
        """The caveats in one line, "clean" for none; empty where nothing is known."""
        return "" if self.caveats is None else caveat_text(self.caveats)


def load_systems(paths: Sequence[Path]) -> list[SystemPredictions]:
    """The systems of several paths, with distinct names; see :func:`load_system`."""
    systems = [load_system(path) for path in paths]
    names = distinct_names([system.name for system in systems], paths)
    return [replace(system, name=name) for system, name in zip(systems, names, strict=True)]


def load_system(path: Path) -> SystemPredictions:
    """Load saved predictions.

    Args:
        path: Folder of a run or a cross-validation, a CSV file of predictions, or a folder of such
            files for each seed (seed0.csv, seed1.csv.gz).

    Raises:
        ConfigError: If there are no predictions, or seeds or folds are missing.
    """
    caveats = find_caveats(path)
    if path.is_file():
        name = path.name.partition(".csv")[0]
        return SystemPredictions(name, {None: [Predictions.load(path)]}, caveats)
    if (path / "test.csv").exists():
        tables: Tables = {run_seed(path): [Predictions.load(path / "test.csv")]}
        return SystemPredictions(run_name(path), tables, caveats, run_folds(path))
    files = sorted(path.glob("seed[0-9]*.csv*"), key=_number)
    tables = {_number(file): [Predictions.load(file)] for file in files}
    if tables:
        return SystemPredictions(path.resolve().name, tables, caveats)
    tables = _cross_validated(path, f"compare {path}")
    return SystemPredictions(run_name(path), tables, caveats, run_folds(path))


def _cross_validated(path: Path, action: str) -> Tables:
    """Predictions of every fold and seed; refused where some are missing."""
    expected, tables = n_folds(path), Tables()
    for folder in numbered_folders(path, "seed"):
        folds = numbered_folders(folder, "fold")
        open_ones = [one.name for one in folds if not (one / "test.csv").exists()]
        if open_ones or not expected or [_number(one) for one in folds] != [*range(expected)]:
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


def compare_systems(
    systems: Sequence[SystemPredictions], *, allow_partial: bool = False
) -> ComparisonReport:
    """Metrics of each system, and paired tests of each two.

    Two systems are compared on the seeds that both have; McNemar's test uses the first of them.

    Args:
        systems: Predictions on the same samples with the same labels.
        allow_partial: Compare on the samples that all systems have.

    Raises:
        ConfigError: If the systems cannot be compared.
    """
    action = "compare runs"
    if len(systems) < 2:
        raise ConfigError(action, "only one was given", "name two or more")
    if len({system.name for system in systems}) != len(systems):
        raise ConfigError(action, "one was given twice", "name each of them once")
    first = systems[0].joined[0]
    for system in systems:
        other = system.joined[0]
        if other.labels != first.labels or other.output != first.output:
            problem = f"{system.name} predicts {', '.join(other.labels)}"
            raise ConfigError(
                action, problem, f"compare runs that predict {', '.join(first.labels)}"
            )
    common = set(first.samples)
    for system in systems:
        for joined in system.joined:
            common &= set(joined.samples)
            if not allow_partial and set(joined.samples) != set(first.samples):
                differing = len(set(first.samples) ^ set(joined.samples))
                raise ConfigError(
                    action,
                    f"{systems[0].name} and {system.name} differ in {differing} samples",
                    "test them on the same samples, or pass --common to compare on common samples",
                )
    if not common:
        raise ConfigError(action, "they have no common sample", "test them on the same samples")
    shared = [_within(system, common) for system in systems]
    _require_same_targets(shared)
    pairs = [_paired_tests(a, b) for i, a in enumerate(shared) for b in shared[i + 1 :]]
    return ComparisonReport(
        samples=len(common),
        speakers=len(set(shared[0].joined[0].speakers)),
        caveats={system.name: system.caveat for system in shared},
        systems={system.name: summarise(system.tables) for system in shared},
        pairs=_adjusted(pairs),
        notes=_notes(systems, common),
    )


def _notes(systems: Sequence[SystemPredictions], common: set[str]) -> list[str]:
    """What limits a comparison: other folds, and samples that are left out."""
    notes = []
    if len({system.folds for system in systems if system.folds}) > 1:
        of = ", ".join(f"{one.name} by {one.folds}" for one in systems if one.folds)
        notes.append(f"trained on different subsets of the samples: {of}")
    left_out = max(len(set(one.samples) - common) for each in systems for one in each.joined)
    if left_out:
        notes.append(f"on the {len(common)} samples that all have; up to {left_out} are left out")
    return notes


def _paired_tests(a: SystemPredictions, b: SystemPredictions) -> PairedTests:
    left, right = (dict(zip(one.tables, one.joined, strict=True)) for one in (a, b))
    seeds = common_seeds(left, right)
    if not seeds:
        have = [f"{one.name} has {', '.join(map(str, one.tables))}" for one in (a, b)]
        raise ConfigError(
            "compare runs",
            f"{a.name} and {b.name} have no common seed ({'; '.join(have)})",
            "train both with the same seeds",
        )
    first, second = (of_seed(tables, seeds[0]).ordered() for tables in (left, right))
    found = {name: metric_difference(left, right, name) for name in METRIC_NAMES}
    return PairedTests(
        first=a.name,
        second=b.name,
        mcnemar=mcnemar(first.correct, second.correct) if first.output == "softmax" else None,
        seeds=len(seeds),
        accuracy=found["accuracy"],
        uar=found["uar"],
        weighted_f1=found["weighted_f1"],
        macro_f1=found["macro_f1"],
    )


def _adjusted(pairs: Sequence[PairedTests]) -> list[PairedTests]:
    """The tests with p-values adjusted for their number; those of a single speaker have none."""
    known = [pair.accuracy.p for pair in pairs if pair.accuracy.p is not None]
    adjusted = iter(holm(known))
    return [
        pair if pair.accuracy.p is None else replace(pair, p_holm=next(adjusted)) for pair in pairs
    ]


def _within(system: SystemPredictions, samples: set[str]) -> SystemPredictions:
    """The predictions on these samples."""

    def cut(table: Predictions) -> Predictions:
        return table.at(np.array([sample in samples for sample in table.samples]))

    tables = {
        seed: [part for part in map(cut, folds) if len(part)]
        for seed, folds in system.tables.items()
    }
    return replace(system, tables=tables)


def _require_same_targets(systems: Sequence[SystemPredictions]) -> None:
    first = systems[0].joined[0].ordered()
    for system in systems[1:]:
        other = system.joined[0].ordered()
        if first.output != "softmax":
            tolerance = 0.5 if first.binary else 1e-4
            unlike = np.abs(other.targets - first.targets).max(1) > tolerance
        else:
            unlike = other.true_labels != first.true_labels
        differ = np.flatnonzero(unlike)
        if len(differ) or other.speakers != first.speakers:
            what = f"label of {first.samples[differ[0]]}" if len(differ) else "speakers"
            raise ConfigError(
                "compare runs",
                f"{systems[0].name} and {system.name} do not have the same {what}",
                "compare runs on the same labels",
            )


def markdown(report: ComparisonReport) -> str:
    """Two tables: metrics of each system, and differences of each pair."""
    lines = [
        "| system | " + " | ".join(METRIC_NAMES) + " | seeds |",
        "|---|" + "---|" * (len(METRIC_NAMES) + 1),
    ]
    for name, one in report.systems.items():
        cells = [format_percent(one[metric]) for metric in METRIC_NAMES]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(one.seeds)} |")
    lines += [
        "",
        "| difference | accuracy, points | seeds | p (speakers) | p (Holm) | p (McNemar) |",
        "|---|---|---|---|---|---|",
    ]
    for pair in report.pairs:
        lines.append(
            f"| {pair.first} - {pair.second} | {_points(pair.accuracy)} | {pair.seeds} | "
            f"{_p(pair.accuracy.p)} | {_p(pair.p_holm)} | {_p(pair.mcnemar)} |"
        )
    lines += ["", comparisons_note(report)]
    lines += [f"\n{words}" for words in _caveat_lines(report)]
    return "\n".join(lines) + "\n"


def comparisons_note(report: ComparisonReport) -> str:
    """How many comparisons the report makes, and what its p-values take into account."""
    n = len(report.pairs)
    return (
        f"{n} comparison{'s' if n > 1 else ''}, on common seeds; p (Holm) is p (speakers) adjusted "
        "for their number. Intervals have the variance of speakers and seeds; with one seed, of "
        "speakers only."
    )


def latex(report: ComparisonReport) -> str:
    """The same two tables, each a booktabs ``tabular`` that includes the caveats."""
    best = {
        name: max(one[name].value or 0 for one in report.systems.values()) for name in METRIC_NAMES
    }
    head = " & ".join(["System", *(name.replace("_", " ") for name in METRIC_NAMES)])
    lines = [
        r"\begin{tabular}{l" + "c" * len(METRIC_NAMES) + "}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
    ]
    for system, one in report.systems.items():
        cells = []
        for name in METRIC_NAMES:
            value, low, high = in_percent(one[name])
            shown = f"{value:.1f}"
            if one[name].value == best[name]:
                shown = rf"\textbf{{{shown}}}"
            cells.append(shown if low != low else rf"{shown} {{\small [{low:.1f}, {high:.1f}]}}")
        lines.append(" & ".join([_escaped(system), *cells]) + r" \\")
    lines += [*_closing(report, len(METRIC_NAMES) + 1), ""]
    lines += [
        r"\begin{tabular}{lccccc}",
        r"\toprule",
        r"Difference & accuracy, points & seeds & $p$ (speakers) & $p$ (Holm) & $p$ (McNemar) \\",
        r"\midrule",
    ]
    for pair in report.pairs:
        cells = [
            rf"{_escaped(pair.first)} $-$ {_escaped(pair.second)}",
            _in_maths(_points(pair.accuracy)),
            str(pair.seeds),
            *(_in_maths(_p(value)) for value in (pair.accuracy.p, pair.p_holm, pair.mcnemar)),
        ]
        lines.append(" & ".join(cells) + r" \\")
    lines += _closing(report, 6, comparisons_note(report))
    return "\n".join(lines) + "\n"


def csv_tables(report: ComparisonReport) -> dict[str, str]:
    """The same two tables as CSV files by name: fractions 0..1, empty cells for no value."""
    bounds = [f"{name}{end}" for name in METRIC_NAMES for end in ("", "_low", "_high")]
    systems: list[list[Any]] = [["system", "seeds", "samples", "speakers", *bounds, "caveat"]]
    for name, one in report.systems.items():
        values = [x for metric in METRIC_NAMES for x in one[metric]]
        caveat = report.caveats[name] or UNKNOWN_SPLIT
        counts = [len(one.seeds), report.samples, report.speakers]
        systems.append([name, *counts, *values, caveat])
    head = ["first", "second", "seeds", "accuracy_difference", "low", "high"]
    pairs: list[list[Any]] = [[*head, "p_speakers", "p_holm", "p_mcnemar"]]
    for pair in report.pairs:
        d = pair.accuracy
        tests = [pair.seeds, d.value, d.low, d.high, d.p, pair.p_holm, pair.mcnemar]
        pairs.append([pair.first, pair.second, *tests])
    return {"comparison.csv": _csv(systems), "differences.csv": _csv(pairs)}


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([map(csv_cell, row) for row in rows])
    return out.getvalue()


def _closing(report: ComparisonReport, columns: int, *notes: str) -> list[str]:
    """The end of a ``tabular`` of so many columns, with notes and the caveats."""
    rows = [
        rf"\multicolumn{{{columns}}}{{l}}{{\small {_escaped(words)}}} \\"
        for words in (*notes, *_caveat_lines(report))
    ]
    return [*rows, r"\bottomrule", r"\end{tabular}"]


def _in_maths(text: str) -> str:
    """A cell of numbers with signs and powers of ten, for LaTeX."""
    value, _, power = text.partition("e")
    return f"${value}" + (rf" \cdot 10^{{{int(power)}}}" if power else "") + "$" if text else ""


def _caveat_lines(report: ComparisonReport) -> list[str]:
    caveats = [
        f"{name}: {caveat or UNKNOWN_SPLIT}"
        for name, caveat in report.caveats.items()
        if caveat != CLEAN
    ]
    return [*report.notes, *caveats]


def _points(d: PairedDifference) -> str:
    if d.value is None or d.low is None or d.high is None:
        return "" if d.value is None else f"{100 * d.value:+.1f}"
    return f"{100 * d.value:+.1f} [{100 * d.low:+.1f}, {100 * d.high:+.1f}]"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _escaped(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, "\\" + sign)
    return text
