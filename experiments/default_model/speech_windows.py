"""Purpose: statistics of speech tokens for every window of the three speech corpora.

    python experiments/default_model/speech_windows.py SHARED/corpora PREPARED OUT [CORPUS ...]

Cost: ten minutes a corpus on one core. The encoder is frozen, so its tokens are computed once, as
in recognition, and reduced to what MomentsHead reads: mean and deviation over the loud
tokens. Each sample is taken as it is, 10 % slower and faster, and with a degraded waveform (rooms,
noise, band limits, codecs). Writes OUT/CORPUS.npz; a corpus that is there is skipped.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.audio.augment import WaveAugment
from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.data.speed import vary_speed
from avtca.preprocess import RawSample

SPEC = ClipSpec(**json.loads(Path(__file__).with_name("clipspec.json").read_text()))
CORPORA = ("ravdess", "emodb", "nemo")
PLAIN, DEGRADED = 0, 3
SPEEDS = (1.0, 0.9, 1.1, 1.0)
"""Speed of each variant; the last is degraded too."""
LARGE = ("nemo",)
"""Corpora of whose samples only two variants are taken: as it is, and one of the others."""
DEGRADE = WaveAugment(chance=0.6, gain_db=None)


def prepared(corpora: Path, folder: Path, name: str) -> EmotionDataset:
    """All samples of a corpus; its cache is built where it is missing."""
    spec = replace(SPEC, labels=())
    if not (folder / name).exists():
        build_cache(index_corpus(name, corpora / name, spec), folder / name, spec)
    return from_corpus(PreparedCorpus.open(folder / name).view(spec), memory=False)


def variant(sample: RawSample, number: int, row: int, spec: ClipSpec) -> RawSample:
    """A sample as it is, at another speed, or degraded."""
    if SPEEDS[number] != 1:
        return vary_speed(sample, SPEEDS[number], spec)
    if number == DEGRADED:
        rng = np.random.default_rng([number, row])
        return replace(sample, wave=DEGRADE(sample.wave, spec.sample_rate, rng))
    return sample


def statistics(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean and deviation ``(2 f,)`` of the features ``(f, t)`` over the steps of a mask."""
    chosen = values[:, mask]
    return np.concatenate((chosen.mean(1), np.sqrt(chosen.var(1) + 1e-8)))


def windows(data: EmotionDataset, name: str) -> dict[str, NDArray[np.generic]]:
    """Statistics, sample, variant and first step of every window with audio."""
    rows: list[tuple[int, int, int, NDArray[np.float32]]] = []
    begun = time.time()
    for row in range(len(data)):
        original = data.samples[row]
        for number in (PLAIN, 1 + row % 3) if name in LARGE else range(len(SPEEDS)):
            sample = variant(original, number, row, data.spec)
            for start in data.extractor.starts(sample.duration_s):
                values, mask = data.cut_audio(row, sample, start)
                if mask.any():
                    rows.append((row, number, start, statistics(values, mask)))
        if row % 200 == 0:
            print(f"{name} {row} of {len(data)}, {time.time() - begun:.0f} s", flush=True)
    sample, number, start, found = zip(*rows, strict=True)
    return {
        "sample_ids": np.array(data.sample_ids),
        "speakers": np.array(data.speakers),
        "labels": np.array([data.spec.labels[at] for at in data.labels]),
        "sample": np.array(sample, np.int32),
        "variant": np.array(number, np.uint8),
        "start": np.array(start, np.int32),
        "statistics": np.stack(found),
    }


def run(description: str | None, make: Callable[[EmotionDataset, str], dict[str, Any]]) -> None:
    """The command line: one file for each corpus, moved into place when complete."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("corpora", "prepared", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("names", nargs="*", default=CORPORA)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        path = args.out / f"{name}.npz"
        if not path.exists():
            found = make(prepared(args.corpora, args.prepared, name), name)
            partial = path.with_suffix(".part.npz")
            np.savez(partial, **found)
            partial.replace(path)


if __name__ == "__main__":
    run(__doc__, windows)
