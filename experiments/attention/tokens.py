"""Purpose: speech tokens and face sequences of every window, for the networks with attention.

    python experiments/attention/tokens.py SHARED/corpora PREPARED OUT [CORPUS ...]

Cost: RAVDESS ten minutes, the others five, on one core. The variants are those of
default_model/speech_windows.py; RAVDESS also has samples whose audio is late or early. Writes
OUT/CORPUS.npz; a corpus that is there is skipped. One token in four is kept, 80 ms, as the
networks do it (`audio_stride`).
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from avtca.audio.augment import shift
from avtca.data.dataset import EmotionDataset

sys.path.append(str(Path(__file__).parents[1] / "default_model"))
from speech_windows import LARGE, PLAIN, SPEEDS, run, variant

STRIDE = 4
"""Tokens of which one is kept."""
SHIFTS = (-1.0, -0.5, 0.5, 1.0)
"""Delay of the audio in seconds of the variants after those of the training; RAVDESS only."""


def windows(data: EmotionDataset, name: str) -> dict[str, np.ndarray]:
    """Tokens, face sequences and masks of every window that has audio."""
    n, spec = len(SPEEDS), data.spec
    rows: dict[str, list[np.ndarray | int]] = {}
    begun = time.time()
    for row in range(len(data)):
        original = data.samples[row]
        numbers = (PLAIN, 1 + row % 3) if name in LARGE else range(n)
        shifted = range(n, n + len(SHIFTS)) if name == "ravdess" else ()
        for number in (*numbers, *shifted):
            if number < n:
                sample = variant(original, number, row, spec)
            else:
                delay = round(SHIFTS[number - n] * spec.sample_rate)
                sample = replace(original, wave=shift(original.wave, delay))
            for start in data.extractor.starts(sample.duration_s):
                audio, audio_mask = data.cut_audio(row, sample, start)
                video, video_mask = data.cut_video(row, sample, start)
                found = {
                    "sample": row,
                    "variant": number,
                    "start": start,
                    "audio": audio[:, ::STRIDE].astype(np.float16),
                    "audio_mask": audio_mask[::STRIDE],
                    "video": video.astype(np.float16),
                    "video_mask": video_mask,
                }
                for key, value in found.items():
                    rows.setdefault(key, []).append(value)
        if row % 200 == 0:
            print(f"{name} {row} of {len(data)}, {time.time() - begun:.0f} s", flush=True)
    return {
        "sample_ids": np.array(data.sample_ids),
        "speakers": np.array(data.speakers),
        "labels": np.array([spec.labels[at] for at in data.labels]),
        **{key: np.stack(values) for key, values in rows.items()},
    }


if __name__ == "__main__":
    run(__doc__, windows)
