"""Purpose: fit the heads of the packaged model, and measure them with nested choices.

    python experiments/default_model/heads.py SHARED/corpora PREPARED SPEECH OUT

Cost: half an hour on one core. PREPARED and SPEECH are folders of speech_windows.py. Everything is
deterministic: logistic regressions, no seeds.

For each of the five folds of Luna-Jimenez et al. the weight penalties, the share of the other
speech corpora, the exponents of the product, the temperatures, the thresholds and the conformal
quantiles come from the other folds' speakers: heads are fitted on three of the other four folds
and predict the fourth. The test speakers of a fold are predicted once, with what was chosen. The
same is done on EMO-DB, a speaker left out at a time, and for a corpus that is left out whole (what
is chosen then predicts one of the other two from the other).

Writes OUT/predictions/*.npz (every sample's posteriors), OUT/figures.json with what was chosen, and
OUT/heads.npz, the packaged heads, fitted on all speakers but RAVDESS's actor 01. Resumes: what is
in figures.json is skipped.
"""

import argparse
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from linear import (
    Floats,
    Ints,
    Linear,
    Table,
    audio_table,
    face_table,
    fit_exponents,
    fit_linear,
    joined,
    pool,
)
from predictions import HELD_OUT, SampleTable, indices, threshold
from speech_windows import CORPORA, DEGRADED, PLAIN, prepared

from avtca.corpora import load_folds
from avtca.evaluation.selective import fit_conformal
from avtca.files import write_json
from avtca.labels import EMODB, RAVDESS, SEVEN

PENALTIES = (3e-3, 1e-2, 3e-2, 1e-1)
SHARES = (0.1, 0.3)
"""Weight of each other speech corpus against the first."""
FOLDS = "ravdess_luna_5fold"
SUMS = {
    RAVDESS: np.eye(8, dtype=np.float32),
    SEVEN: np.eye(7, dtype=np.float32)[indices(RAVDESS, SEVEN)],
}
"""Labels of the result -> how the heads' eight labels are summed."""
Fit = Callable[[Sequence[str]], Linear]


@dataclass
class Modality:
    """Windows of one modality, and the fits that may be chosen."""

    name: str
    table: Table
    fits: dict[str, Fit]
    """Setting -> fits a head without some speakers."""
    fitted: dict[tuple[str, tuple[str, ...]], Linear]

    def head(self, setting: str, without: Sequence[str]) -> Linear:
        """The head of a setting, fitted without these speakers; each is fitted once."""
        key = setting, tuple(sorted(without))
        if key not in self.fitted:
            self.fitted[key] = self.fits[setting](key[1])
        return self.fitted[key]


def modality(
    name: str,
    table: Table,
    labels: Sequence[str],
    others: Sequence[Table] = (),
    shares: Sequence[float] = SHARES,
) -> Modality:
    """A modality with a fit for each penalty, and each share of other corpora."""
    corpus = table.speakers[0].partition("/")[0]

    def fit(share: float, l2: float) -> Fit:
        used = [table, *others] if share else [table]
        names = {one.speakers[0].partition("/")[0] for one in used[1:]}

        def without(speakers: Sequence[str]) -> Linear:
            kept = [one.windows(~one.of_speakers(speakers)) for one in used]
            weights = {corpus: 1.0, **dict.fromkeys(names, share)}
            return fit_linear(joined(kept), labels, weights, l2)

        return without

    shares = shares if others else (0.0,)
    fits = {f"share {s:g}, l2 {l2:g}": fit(s, l2) for s in shares for l2 in PENALTIES}
    return Modality(name, table, fits, {})


@dataclass(frozen=True)
class Scored:
    """Log-posteriors ``(w, k)`` of heads for windows, by modality, on common windows."""

    sample: Ints
    heads: Mapping[str, Floats]
    """NaN where a window has no face."""


def scored(
    chosen: Mapping[str, tuple[Modality, Linear]], rows: np.ndarray, audio_variant: int = PLAIN
) -> Scored:
    """The windows of samples ``rows (n,)`` bool that have audio; other modalities where present."""
    audio = chosen["audio"][0].table.windows(rows, audio_variant)
    at = {(s, t): i for i, (s, t) in enumerate(zip(audio.sample, audio.start, strict=True))}
    out = {}
    for name, (kind, head) in chosen.items():
        table = audio if name == "audio" else kind.table.windows(rows, PLAIN)
        found = head.log_posteriors(table.features)
        if name == "units":  # the same in all windows of a sample
            place = {s: i for i, s in enumerate(table.sample)}
            out[name] = found[[place[s] for s in audio.sample]]
            continue
        values = np.full((len(audio.sample), found.shape[1]), np.nan, np.float32)
        for key, value in zip(zip(table.sample, table.start, strict=True), found, strict=True):
            if key in at:
                values[at[key]] = value
        out[name] = values
    return Scored(audio.sample, out)


def merged(parts: Sequence[Scored]) -> Scored:
    """Windows of several folds."""
    names = parts[0].heads
    heads = {name: np.concatenate([part.heads[name] for part in parts]) for name in names}
    return Scored(np.concatenate([part.sample for part in parts]), heads)


def exponents_of(
    part: Scored, names: Sequence[str], labels: Ints, sums: Floats
) -> tuple[list[float], float]:
    """Exponents of the product of heads, on the windows that have them all."""
    there = np.all([np.isfinite(part.heads[name]).all(1) for name in names], axis=0)
    heads = [part.heads[name][there] for name in names]
    return fit_exponents(heads, part.sample[there], labels, sums)


def posteriors(
    part: Scored, names: Sequence[str], exponents: Mapping[str, list[float]], n: int, sums: Floats
) -> np.ndarray:
    """``(n, labels)`` from these modalities; a window without a face is read from the audio."""
    total, count = np.zeros((n, sums.shape[1])), np.zeros(n)
    there = {name: np.isfinite(part.heads[name]).all(1) for name in names}
    keys = ["+".join(name for name in names if there[name][w]) for w in range(len(part.sample))]
    for key in sorted(set(keys) - {""}):
        rows = np.array([one == key for one in keys])
        used = key.split("+")
        heads = [part.heads[name][rows] for name in used]
        size = np.bincount(part.sample[rows], minlength=n)
        total += pool(heads, exponents[key], part.sample[rows], n, sums) * size[:, None]
        count += size
    return total / np.maximum(count, 1)[:, None]


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of modalities that contains one."""
    return [some for k in range(1, len(names) + 1) for some in combinations(names, k)]


def out_of_fold(
    kinds: Mapping[str, Modality],
    settings: Mapping[str, str],
    groups: Sequence[Sequence[str]],
    outside: Sequence[str],
) -> Scored:
    """Each group predicted by heads fitted without it and without the speakers outside."""
    parts = []
    for group in groups:
        chosen = {
            name: (kind, kind.head(settings[name], [*outside, *group]))
            for name, kind in kinds.items()
        }
        parts.append(scored(chosen, kinds["audio"].table.of_speakers(group)))
    return merged(parts)


def choose(
    kinds: Mapping[str, Modality],
    groups: Sequence[Sequence[str]],
    outside: Sequence[str],
    labels: Sequence[str],
) -> dict[str, str]:
    """The setting of each modality with the best likelihood, each with its best temperature."""
    best = {}
    for name, kind in kinds.items():
        y, sums = indices(kind.table.labels, labels), np.eye(len(labels), dtype=np.float32)
        pair = {"audio": kinds["audio"], name: kind}
        losses = {}
        for setting in kind.fits:
            first = next(iter(kinds["audio"].fits))
            part = out_of_fold(pair, {"audio": first, name: setting}, groups, outside)
            losses[setting] = exponents_of(part, [name], y, sums)[1]
        best[name] = min(losses, key=losses.__getitem__)
    return best


def nested(
    kinds: Mapping[str, Modality],
    groups: Sequence[Sequence[str]],
    labels: Sequence[str],
    outputs: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> tuple[dict[str, SampleTable], list[dict[str, Any]]]:
    """Predict each group with everything chosen on the others.

    Args:
        kinds: The modalities, "audio" among them.
        groups: Speakers of each fold.
        labels: Labels of the heads.
        outputs: Name -> modalities, labels of the result.

    Returns:
        The predictions of each output, and what was chosen for each group.
    """
    table, n = kinds["audio"].table, len(kinds["audio"].table.sample_ids)
    out = {name: SampleTable.empty(table, of) for name, (_, of) in outputs.items()}
    log: list[dict[str, Any]] = []
    for number, test in enumerate(groups):
        others = [group for at, group in enumerate(groups) if at != number]
        settings = choose(kinds, others, test, labels)
        inner = out_of_fold(kinds, settings, others, test)
        chosen = {name: (kind, kind.head(settings[name], test)) for name, kind in kinds.items()}
        rows = table.of_speakers(test)
        clean, rough = scored(chosen, rows), scored(chosen, rows, DEGRADED)
        entry: dict[str, Any] = {"settings": settings, "exponents": {}, "outputs": {}}
        for name, (names, of) in outputs.items():
            sums = SUMS[tuple(of)] if tuple(of) in SUMS else np.eye(len(of), dtype=np.float32)
            y = indices(table.labels, of)
            exponents = {"+".join(s): exponents_of(inner, s, y, sums)[0] for s in subsets(names)}
            entry["exponents"][name] = exponents
            seen = np.isin(np.arange(n), inner.sample) & (y >= 0)
            known = posteriors(inner, names, exponents, n, sums)[seen]
            sure = threshold(known, y[seen])
            sets = fit_conformal(known, y[seen], alpha=0.1)
            found = posteriors(
                rough if name.endswith("degraded") else clean, names, exponents, n, sums
            )
            out[name].fill(rows, found, number, sure, sets.sets(found[rows]))
            entry["outputs"][name] = {"threshold": sure}
            right = (found[rows].argmax(1) == y[rows])[y[rows] >= 0].mean()
            print(f"fold {number} {name} {100 * right:.1f}", flush=True)
        print(f"fold {number} {settings}", flush=True)
        log.append(entry)
    return out, log


def thinned(table: Table) -> Table:
    """Two variants of each sample, to save time: as it is, and one of the others."""
    one = 1 + table.sample % 3
    kept = (table.variant == PLAIN) | (table.variant == one)
    parts = {name: getattr(table, name)[kept] for name in ("sample", "start", "variant")}
    return replace(table, **parts, features=table.features[kept])


def units_table(path: Path, like: Table) -> Table:
    """Action units of every recording, as one window of each sample of ``like``."""
    with path.open() as file:
        rows = {row.pop("clip"): [float(x) for x in row.values()] for row in csv.DictReader(file)}
    n = len(like.sample_ids)
    values = np.array([rows[str(name)] for name in like.sample_ids], np.float32)
    zeros = np.zeros(n, np.int64)
    return replace(like, sample=np.arange(n), start=zeros, variant=zeros, features=values)


def left_out(tables: Mapping[str, Table]) -> tuple[dict[str, SampleTable], dict[str, Any]]:
    """Each speech corpus predicted from the other two, with a penalty chosen on these two."""
    out, log = {}, {}
    sums = np.eye(len(SEVEN), dtype=np.float32)
    fitted: dict[str, Scored] = {}

    def predict(head: Linear, name: str) -> Scored:
        table = tables[name].windows(np.ones(len(tables[name].sample_ids), bool), PLAIN)
        return Scored(table.sample, {"audio": head.log_posteriors(table.features)})

    for name in CORPORA:
        others = [other for other in CORPORA if other != name]
        losses = {}
        for l2 in PENALTIES:
            total = 0.0
            for train, test in (others, others[::-1]):
                head = fit_linear(tables[train], SEVEN, {train: 1.0}, l2)
                y = indices(tables[test].labels, SEVEN)
                total += exponents_of(predict(head, test), ["audio"], y, sums)[1]
            losses[l2] = total
        l2 = min(losses, key=losses.__getitem__)
        both = joined([tables[other] for other in others])
        fitted[name] = predict(fit_linear(both, SEVEN, dict.fromkeys(others, 1.0), l2), name)
        log[name] = {"l2": l2}
    for name in CORPORA:  # temperature and threshold from the two others, left out in turn
        others = [other for other in CORPORA if other != name]
        values = [
            exponents_of(fitted[o], ["audio"], indices(tables[o].labels, SEVEN), sums)[0][0]
            for o in others
        ]
        exponent = float(np.exp(np.mean(np.log(values))))
        known, labels = [], []
        for other in others:
            y = indices(tables[other].labels, SEVEN)
            p = posteriors(fitted[other], ["audio"], {"audio": [exponent]}, len(y), sums)
            known.append(p[y >= 0])
            labels.append(y[y >= 0])
        sure = threshold(np.concatenate(known), np.concatenate(labels))
        sets = fit_conformal(np.concatenate(known), np.concatenate(labels), alpha=0.1)
        n = len(tables[name].sample_ids)
        found = posteriors(fitted[name], ["audio"], {"audio": [exponent]}, n, sums)
        out[name] = SampleTable.empty(tables[name], SEVEN)
        out[name].fill(np.ones(n, bool), found, 0, sure, sets.sets(found))
        log[name] |= {"exponent": exponent, "threshold": sure}
        y = indices(tables[name].labels, SEVEN)
        right = (found.argmax(1) == y)[y >= 0].mean()
        print(f"left out {name} {100 * right:.1f} {log[name]}", flush=True)
    return out, log


def packaged(
    kinds: Mapping[str, Modality], groups: Sequence[Sequence[str]], away: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The packaged heads and what was chosen for them, on all speakers but actor 01."""
    outside = [f"ravdess/{HELD_OUT}"]
    inside = [[name for name in group if name not in outside] for group in groups]
    settings = choose(kinds, inside, outside, RAVDESS)
    inner = out_of_fold(kinds, settings, inside, outside)
    table = kinds["audio"].table
    y, sums, n = indices(table.labels, SEVEN), SUMS[SEVEN], len(table.sample_ids)
    exponents = {"+".join(s): exponents_of(inner, s, y, sums)[0] for s in subsets(list(kinds))}
    seen = np.isin(np.arange(n), inner.sample)
    sure = {}
    for name, names in {"both": ["audio", "face"], "face": ["face"], "voice": ["audio"]}.items():
        sure[name] = threshold(posteriors(inner, names, exponents, n, sums)[seen], y[seen])
    arrays = {}
    for name, kind in kinds.items():
        head = kind.head(settings[name], outside)
        for part in ("mean", "scale", "weight", "bias"):
            arrays[f"{name}/{part}"] = getattr(head, part)
    chosen = {"settings": settings, "exponents": exponents, "thresholds": sure, "left_out": away}
    return arrays, chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpora", "prepared", "speech", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    torch.set_num_threads(2)
    tables = {name: audio_table(args.speech / f"{name}.npz") for name in CORPORA}
    data = prepared(args.corpora, args.prepared, "ravdess")
    thin = {name: thinned(table) for name, table in tables.items()}
    others = [thin["emodb"], thin["nemo"]]
    kinds = {
        "audio": modality("audio", tables["ravdess"], RAVDESS, others),
        "face": modality("face", face_table(data), RAVDESS),
    }
    units = units_table(args.corpora / "ravdess" / "action_units_clip.csv", tables["ravdess"])
    with_units = {**kinds, "units": modality("units", units, RAVDESS)}
    groups = [[f"ravdess/{name}" for name in fold.test] for fold in load_folds(FOLDS).folds]
    outputs = {
        "both": (["audio", "face"], SEVEN),
        "face": (["face"], SEVEN),
        "voice": (["audio"], SEVEN),
        "both_degraded": (["audio", "face"], SEVEN),
        "voice_degraded": (["audio"], SEVEN),
        "audio_8": (["audio"], RAVDESS),
        "audio_face_8": (["audio", "face"], RAVDESS),
        "audio_face_units_8": (["audio", "face", "units"], RAVDESS),
    }
    done = args.out / "figures.json"
    figures: dict[str, Any] = json.loads(done.read_text()) if done.exists() else {}
    folder = args.out / "predictions"

    def keep(part: str, chosen: Any, found: Mapping[str, SampleTable], prefix: str) -> None:
        for name, one in found.items():
            one.save(folder / f"{prefix}{name}.npz")
        figures[part] = chosen
        write_json(done, figures)

    if "ravdess" not in figures:
        found, chosen = nested(with_units, groups, RAVDESS, outputs)
        keep("ravdess", chosen, found, "ravdess_")
    if "left_out" not in figures:
        found, away = left_out(thin)
        keep("left_out", away, found, "left_out_")
    if "packaged" not in figures:
        arrays, picked = packaged(kinds, groups, figures["left_out"])
        np.savez(args.out / "heads.npz", **arrays)
        keep("packaged", picked, {}, "")
    if "emodb" not in figures:
        german = tuple(EMODB.values())
        speakers = [[name] for name in sorted(set(tables["emodb"].speakers))]
        away_from = [thin["ravdess"], thin["nemo"]]
        emodb = {"audio": modality("audio", tables["emodb"], german, away_from, SHARES[:1])}
        found, chosen = nested(emodb, speakers, german, {"emodb": (["audio"], german)})
        keep("emodb", chosen, found, "leave_one_out_")


if __name__ == "__main__":
    main()
