"""A small prepared corpus on disk: voices whose pitch, and series whose mean, tell the label."""

import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from made_samples import LABELS, SPEC, make_samples

from avtca.corpora import CorpusIndex, PreparedCorpus, SampleSource, build_cache


@dataclass(frozen=True)
class Made:
    """The video series of one sample."""

    file: Path

    @property
    def name(self):
        return self.file.name

    @property
    def path(self):
        return self.file

    def load(self):
        with np.load(self.file) as data:
            return data["times"], data["values"]


def make_corpus(out: Path, *, samples: int = 48, speakers: int = 6) -> PreparedCorpus:
    made = make_samples(samples)
    rng = np.random.default_rng(1)
    media = out / "media"
    media.mkdir(parents=True)
    sources = []
    for i, (raw, row) in enumerate(zip(made.samples, made.targets, strict=True)):
        audio = media / f"{i:03d}.wav"
        with wave.open(str(audio), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SPEC.sample_rate)
            file.writeframes((raw.wave.clip(-1, 1) * 32767).astype(np.int16).tobytes())
        series = media / f"{i:03d}.npz"
        times = (raw.steps + 0.5) / SPEC.video_rate
        np.savez(series, times=times, values=raw.video)
        votes = rng.dirichlet(np.ones(3)) * 0.4 + row * 0.6
        person = i // len(LABELS) % speakers
        sources.append(
            SampleSource(
                sample_id=f"take{i:03d}",
                speaker=f"p{person}",
                label=LABELS[row.argmax()],
                audio=audio,
                video_series=Made(series),
                fields={
                    "sex": ("female", "male")[person % 2],
                    "age": 20.0 + 10 * person,
                    "intensity": ("normal", "strong")[i % 2],
                    **{f"both_{x}": v for x, v in zip(LABELS, votes, strict=True)},
                },
            )
        )
    index = CorpusIndex(
        "made", media, LABELS, tuple(sources), targets={"both": tuple(f"both_{x}" for x in LABELS)}
    )
    build_cache(index, out / "prepared", SPEC, workers=0)
    return PreparedCorpus.open(out / "prepared", replace(SPEC))


def make_folds(path: Path, *, leak: bool = False) -> Path:
    """A file of three folds of two speakers; ``leak`` puts a speaker in two subsets."""
    import json

    people = [f"p{i}" for i in range(6)]
    if leak:
        samples = [f"take{i:03d}" for i in range(48)]
        splits = [{"train": samples[:30], "validation": samples[30:36], "test": samples[36:]}]
        path.write_text(json.dumps({"unit": "sample_id", "splits": splits}))
        return path
    splits = []
    for i in range(3):
        test, validation = people[2 * i : 2 * i + 2], people[(2 * i + 2) % 6 : (2 * i + 2) % 6 + 2]
        train = [p for p in people if p not in (*test, *validation)]
        splits.append({"train": train, "validation": validation, "test": test})
    path.write_text(json.dumps({"unit": "speaker", "splits": splits}))
    return path
