"""Purpose: the network of the paper as a packaged model, `--model avt-ca`.

    python experiments/attention/paper.py TOKENS TUNED OUT

Cost: half an hour on one core. TOKENS is the folder of tokens.py with all corpora, TUNED that of
train.py, from whose tuning of `figure` the learning rate and the epochs come. The data are those of
the packaged default: RAVDESS with the other speech corpora (audio alone), at three speeds and with
degraded audio; seven labels; one seed.

Fits for each of the five folds: one without fold k, tested on k; and one without k and k + 1, which
predicts k + 1 and gives the temperature, the thresholds and the conformal quantiles for k. The
packaged network is fitted on all speakers but RAVDESS's actor 01. Each fit is a file; those that
are there are skipped. Writes experiments/results/avt_ca/*.npz (every sample's posteriors),
avt_ca.json beside it, and OUT/weights, which package_paper.py measures and packages.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokens import STRIDE
from torch.nn import functional as F
from train import (
    EPOCHS,
    EVERY,
    LEARNING_RATES,
    N_FOLDS,
    PLAIN,
    WINDOW_TOKENS,
    Data,
    Network,
    Recipe,
    choose,
    claimed,
    fit,
    fold_of,
    save,
)

from avtca.evaluation.selective import fit_conformal
from avtca.labels import SEVEN

sys.path.append(str(Path(__file__).parents[1] / "default_model"))
from linear import fit_exponents, pool
from predictions import HELD_OUT, SampleTable, figures, ravdess_groups, share, threshold

RESULTS = Path(__file__).resolve().parents[1] / "results" / "avt_ca.json"
DEGRADED = 3
RECIPE = Recipe(variants=(0, 1, 2, 3), modality_dropout=0.2, expression_bias=0.25)
SHARES = {"ravdess": 1.0, "emodb": 0.5, "nemo": 0.1}
"""Probability that a sample takes part in an epoch: about half as many others as of RAVDESS."""
WAYS = {"both": (True, True), "face": (False, True), "voice": (True, False)}
"""Input -> whether audio and video are given."""
INPUTS = {
    **{way: (way, PLAIN) for way in WAYS},
    "both_degraded": ("both", DEGRADED),
    "voice_degraded": ("voice", DEGRADED),
}
MAPS = ("transformer.video", "cross_attention.video", "transformer.audio", "cross_attention.audio")
MASKED_SHARE, ROLLS = 0.25, 5
"""Share of a stream's steps that the test of faithfulness masks, and draws of its control."""
SEED = 0
EYE = np.eye(len(SEVEN), dtype=np.float32)


def load(tokens: Path) -> Data:
    """The three corpora, with seven labels."""
    parts = [Data.load(tokens / f"{name}.npz", SEVEN, share) for name, share in SHARES.items()]
    ends = np.cumsum([0, *(len(one.labels) for one in parts)])
    samples = [one.sample + first for one, first in zip(parts, ends, strict=False)]
    arrays = {
        key: np.concatenate([getattr(one, key) for one in parts])
        for key in ("speakers", "labels", "variant", "share")
    }
    tensors = {
        key: torch.cat([getattr(one, key) for one in parts])
        for key in ("audio", "audio_mask", "video", "video_mask")
    }
    return Data(SEVEN, sample=np.concatenate(samples), **arrays, **tensors)


@torch.inference_mode()
def log_posteriors(
    network: Network, data: Data, windows: NDArray[np.int64], way: str
) -> NDArray[np.float32]:
    """Of each window ``(w, k)``, from one input."""
    network.eval()
    hear, see = WAYS[way]
    out = []
    for at in range(0, len(windows), 256):
        w = windows[at : at + 256]
        masks = data.audio_mask[w] & hear, data.video_mask[w] & see
        logits = network(data.audio[w], masks[0], data.video[w], masks[1]).logits
        out.append(logits.log_softmax(1).numpy())
    return np.concatenate(out)


def predictions(network: Network, data: Data, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Sample and log-posteriors of each window of some samples, by input."""
    out: dict[str, Any] = {}
    for name, (way, variant) in INPUTS.items():
        windows = data.windows(rows, variant)
        if way == "face":
            windows = windows[data.video_mask[windows].any(1).numpy()]
        out[f"{name}/sample"] = data.sample[windows]
        out[f"{name}/logs"] = log_posteriors(network, data, windows, way)
    return out


@torch.inference_mode()
def faithfulness(network: Network, data: Data, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """What masking the most attended quarter of a stream changes, beside a control.

    The control masks a pattern of the same shape elsewhere: the mask rolled over the real steps.
    The change is the total variation between the posteriors.
    """
    rng = np.random.default_rng(SEED)
    windows = data.windows(rows, PLAIN)
    both = data.audio_mask[windows].any(1) & data.video_mask[windows].any(1)
    windows = windows[both.numpy()]
    out: dict[str, Any] = {"sample": data.sample[windows]}
    for name in MAPS:
        found: list[NDArray[np.float64]] = []
        stream = "audio" if name.endswith("video") else "video"
        for w in windows:
            inputs = {k: getattr(data, k)[w][None] for k in ("audio", "video")}
            masks = {k: getattr(data, f"{k}_mask")[w][None] for k in ("audio", "video")}
            before, weights, times = answer(network, inputs, masks, name)
            at = np.abs(times[:, None] - step_times(stream, masks[stream].shape[1])).argmin(0)
            real = np.flatnonzero(masks[stream][0].numpy())
            n = max(1, round(MASKED_SHARE * len(real)))
            most = np.zeros(len(real), bool)
            most[np.argsort(-weights[at][real], kind="stable")[:n]] = True
            turns = rng.integers(1, len(real), ROLLS) if len(real) > 1 else [0]
            changes = []
            for hidden in (most, *(np.roll(most, turn) for turn in turns)):
                mask = masks[stream].clone()
                mask[0, real[hidden]] = False
                after, *_ = answer(network, inputs, {**masks, stream: mask}, name)
                changes.append(0.5 * float(np.abs(after - before).sum()))
            found.append(np.array([changes[0], np.mean(changes[1:])]))
        out[name] = np.array(found, np.float32)
    return out


def step_times(stream: str, n: int) -> NDArray[np.float64]:
    """Times of the steps of an input stream ``(n,)``, fractions of the window."""
    if stream == "audio":
        return np.arange(n) * STRIDE * EVERY / (WINDOW_TOKENS - 1)
    return (np.arange(n) + 0.5) / n


def answer(
    network: Network, inputs: Mapping[str, Any], masks: Mapping[str, Any], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Posteriors ``(k,)``, attention that each key received ``(t_k,)``, times of the keys."""
    network.eval()
    audio, audio_mask = network.read_audio(inputs["audio"], masks["audio"])
    out = network.network(
        inputs["video"].float(), audio, masks["video"], audio_mask, return_attention=True
    )
    found = out.attention[name]
    weights = (found.weights.mean(1) * found.query_mask[..., None]).sum(1)[0]
    return tuple(
        x.double().numpy() for x in (F.softmax(out.logits[0], 0), weights, found.key_times)
    )


def keep(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write a claimed file and release the claim."""
    save(path, arrays)
    path.with_suffix(".lock").unlink(missing_ok=True)
    print(path.name, flush=True)


def last(data: Data, rows: NDArray[np.bool_], setting: tuple[int, int]) -> Network:
    """The network after the chosen epochs."""
    number, epochs = setting
    *_, (_, network) = fit(
        "figure", data, rows, LEARNING_RATES[number], SEED, epochs, recipe=RECIPE
    )
    return network


def best_setting(tuned: Mapping[tuple[int, int], Any]) -> tuple[int, int]:
    """Setting and epochs with the most right samples over all tuning fits."""
    totals = {}
    for (_, number), found in tuned.items():
        for right in found["right"].values():
            totals[number] = totals.get(number, 0) + np.array(right)
    number = max(totals, key=lambda one: totals[one].max())
    return number, EPOCHS[int(totals[number].argmax())]


def make_fits(data: Data, folds: NDArray[np.int64], tuned: Any, out: Path) -> None:
    """All fits that are not there."""
    held_out = data.speakers == f"ravdess/{HELD_OUT}"
    if claimed(out / "weights.npz"):
        network = last(data, ~held_out, best_setting(tuned))
        keep(out / "weights.npz", {k: v.numpy() for k, v in network.state_dict().items()})
    for k in range(N_FOLDS):
        after = (k + 1) % N_FOLDS
        if claimed(out / f"main{k}.npz"):
            network = last(data, folds != k, choose(tuned, k))
            found = predictions(network, data, folds == k)
            attended = faithfulness(network, data, folds == k)
            found |= {f"faithful/{name}": value for name, value in attended.items()}
            keep(out / f"main{k}.npz", found)
        if claimed(out / f"inner{k}.npz"):
            network = last(data, ~np.isin(folds, (k, after)), choose(tuned, k))
            keep(out / f"inner{k}.npz", predictions(network, data, folds == after))


def calibration(
    found: Mapping[str, Any], name: str, exponent: float, data: Data
) -> tuple[float | None, NDArray[np.float64], NDArray[np.int64]]:
    """Threshold, posteriors and labels of the samples that a fit predicted."""
    logs, sample = found[f"{name}/logs"], found[f"{name}/sample"]
    rows = np.unique(sample)
    p = pool([logs], [exponent], sample, len(data.labels), EYE)[rows]
    return threshold(p, data.labels[rows]), p, data.labels[rows]


def exponent_of(found: Mapping[str, Any], data: Data) -> float:
    """Inverse temperature, of maximum likelihood with both inputs."""
    logs, sample = found["both/logs"], found["both/sample"]
    return float(fit_exponents([logs], sample, data.labels, EYE)[0][0])


def tables(data: Data, folds: NDArray[np.int64], out: Path, ids: NDArray[np.str_]) -> Any:
    """Predictions of each test fold, calibrated on another; and the faithfulness of attention."""
    rows = folds >= 0
    names = np.array(SEVEN)[data.labels[rows]]

    class Columns:
        sample_ids, speakers, labels = ids, data.speakers[rows], names

    made = {name: SampleTable.empty(Columns, SEVEN) for name in INPUTS}
    faithful: dict[str, list[Any]] = {name: [] for name in ("sample", *MAPS)}
    for k in range(N_FOLDS):
        inner, main = (dict(np.load(out / f"{kind}{k}.npz")) for kind in ("inner", "main"))
        exponent = exponent_of(inner, data)
        test = folds[rows] == k
        for name in INPUTS:
            sure, known, y = calibration(inner, name, exponent, data)
            sets = fit_conformal(known, y, alpha=0.1)
            sample = main[f"{name}/sample"]
            p = pool([main[f"{name}/logs"]], [exponent], sample, len(data.labels), EYE)[rows]
            seen = test & np.isin(np.arange(len(test)), sample)
            made[name].fill(seen, p, k, sure, sets.sets(p[seen]))
        for name, values in faithful.items():
            values.append(main[f"faithful/{name}"])
    return made, {name: np.concatenate(values) for name, values in faithful.items()}


def faithful_figures(found: Mapping[str, Any], speakers: NDArray[np.str_]) -> dict[str, Any]:
    """Mean change by the most attended quarter, by the control, their difference; intervals."""
    who = speakers[found["sample"]]
    out: dict[str, Any] = {"windows": len(who)}
    for name in MAPS:
        values = found[name].astype(np.float64)
        columns = {"most": values[:, 0], "control": values[:, 1]}
        columns["difference"] = columns["most"] - columns["control"]
        out[name] = {}
        for key, change in columns.items():
            out[name][key] = share(change, np.ones(len(who)), who)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tokens", "tuned", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load(args.tokens)
    folds = fold_of(data)
    paths = (args.tuned / "tuning").glob("figure-*.json")
    tuned = {tuple(map(int, p.stem.split("-")[1:])): json.loads(p.read_text()) for p in paths}
    args.out.mkdir(parents=True, exist_ok=True)
    make_fits(data, folds, tuned, args.out)
    if len(list(args.out.glob("*.npz"))) < 1 + 2 * N_FOLDS:
        print("other processes are still fitting; run it again for the figures")
        return
    with np.load(args.tokens / "ravdess.npz") as file:
        ids = file["sample_ids"]
    made, faithful = tables(data, folds, args.out, ids)
    for name, table in made.items():
        table.save(RESULTS.with_suffix("") / f"{name}.npz")
    mains = [dict(np.load(args.out / f"main{k}.npz")) for k in range(N_FOLDS)]
    pooled: dict[str, Any] = {}
    for name in INPUTS:
        sample, logs = (
            np.concatenate([one[f"{name}/{key}"] for one in mains]) for key in ("sample", "logs")
        )
        others = data.speakers[sample] != f"ravdess/{HELD_OUT}"
        pooled |= {f"{name}/sample": sample[others], f"{name}/logs": logs[others]}
    exponent = exponent_of(pooled, data)
    sure = calibration(pooled, "both", exponent, data)[0]
    results = {
        "command": "python experiments/attention/paper.py TOKENS TUNED OUT",
        "setting": [LEARNING_RATES[best_setting(tuned)[0]], best_setting(tuned)[1]],
        "settings": [[LEARNING_RATES[n], e] for n, e in (choose(tuned, k) for k in range(N_FOLDS))],
        "protocols": {name: figures(table) for name, table in made.items()},
        "groups": ravdess_groups(made["both"]),
        "faithfulness": faithful_figures(faithful, data.speakers),
        "temperature": 1 / exponent,
        # One input alone is never confident: with nested thresholds the face alone missed 95 %.
        "thresholds": {"both": 1.0 if sure is None else sure, "face": 1.0, "voice": 1.0},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for name, one in results["protocols"].items():
        print(f"{name:16s} {100 * one['accuracy'][0]:.1f}  ece {100 * one['ece']:.1f}")
    print(json.dumps(results["faithfulness"], indent=1))


if __name__ == "__main__":
    main()
