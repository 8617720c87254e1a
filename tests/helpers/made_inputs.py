"""Small prepared corpora of every form that the configurations name."""

import json
import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from avtca.clipspec import ClipSpec
from avtca.corpora import CorpusIndex, SampleSource, build_cache
from avtca.synthetic.corpus import synth_clip

LABELS = ("angry", "happy")
SPEAKERS = ("a", "b", "c", "d")
SECONDS = 1.2


@dataclass(frozen=True)
class Series:
    """A feature sequence of one sample."""

    path: Path

    @property
    def name(self):
        return self.path.name

    def load(self):
        with np.load(self.path) as data:
            return data["times"], data["values"]


class Corpora:
    """Eight samples of four speakers for each ClipSpec, prepared when first used."""

    def __init__(self, root: Path):
        self.root = root
        self.folds = root / "folds.json"
        split = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
        self.folds.write_text(json.dumps({"unit": "speaker", "splits": [split]}))

    def of(self, spec: ClipSpec) -> Path:
        """The folder of the corpus; pixels are prepared in small crops."""
        spec = replace(spec, labels=LABELS)
        if spec.video == "pixels":
            spec = replace(spec, crop_px=32)
        out = self.root / spec.hash
        if not out.exists():
            sources = tuple(
                self.source(spec, out.with_name(f"media_{spec.hash}"), speaker, label)
                for speaker in SPEAKERS
                for label in LABELS
            )
            targets = {name: tuple(f"{name}_{x}" for x in LABELS) for name in ("both", "multi")}
            targets["sentiment"] = ("sentiment",)
            classes = {"sentiment7": LABELS}
            index = CorpusIndex(
                "made", self.root, LABELS, sources, targets=targets, classes=classes
            )
            build_cache(index, out, spec, workers=0)
        return out

    def source(self, spec: ClipSpec, media: Path, speaker: str, label: str) -> SampleSource:
        """The media of one sample, in the form of the ClipSpec."""
        media.mkdir(exist_ok=True)
        name, seed = f"{speaker}_{label}", SPEAKERS.index(speaker) * 2 + LABELS.index(label)
        rng = np.random.default_rng(seed)
        fields = {f"{t}_{x}": float(x == label) for t in ("both", "multi") for x in LABELS}
        fields |= {"sentiment7": label, "sentiment": 2.0 - 4 * LABELS.index(label)}
        forms = {}
        if spec.video == "pixels":
            forms["audio"] = forms["video"] = media / f"{name}.mp4"
            synth_clip(
                forms["video"],
                emotion=label,
                speaker=seed // 2 + 1,
                seed=seed,
                seconds=SECONDS,
                size=(96, 96),
                fps=10,
            )
        else:
            forms["video_series"] = self.series(media / f"{name}_video.npz", spec.video_dim, rng)
        if spec.audio == "features":
            forms["audio_series"] = self.series(media / f"{name}_audio.npz", spec.audio_dim, rng)
        elif "audio" not in forms:
            forms["audio"] = media / f"{name}.wav"
            with wave.open(str(forms["audio"]), "wb") as file:
                file.setparams((1, 2, spec.sample_rate, 0, "NONE", ""))
                noise = 3000 * rng.standard_normal(round(SECONDS * spec.sample_rate))
                file.writeframes(noise.astype(np.int16).tobytes())
        return SampleSource(sample_id=name, speaker=speaker, label=label, fields=fields, **forms)

    def series(self, path: Path, dim: int, rng) -> Series:
        times = (np.arange(round(SECONDS * 20)) + 0.5) / 20
        values = rng.dirichlet(np.ones(dim), len(times)).astype(np.float32)
        np.savez(path, times=times, values=values)
        return Series(path)
