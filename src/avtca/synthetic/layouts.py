"""The samples of synthetic corpora, under the file names of RAVDESS, CREMA-D, CMU-MOSEI and EMO-DB.

The readers, folds and configurations of the real corpora work on them. ``synth.json`` in the folder
marks all as synthetic. :mod:`avtca.synthetic.tables` writes what these corpora ship beside media.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

from avtca.corpora.emodb import SPEAKERS as EMODB_SPEAKERS
from avtca.corpora.splits import load_folds
from avtca.errors import CorpusError
from avtca.labels import CREMAD, EMODB, MOSEI, RAVDESS

Layout = Literal["ravdess", "sequences", "cremad", "mosei", "emodb"]
"""Corpora; "sequences" is RAVDESS as audio with face sequences."""
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SENTENCES = ["DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI"]
"""CREMA-D's sentences."""
TEXTS = ["a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10"]
"""EMO-DB's sentences."""
WEAK, STRONG = 0.65, 1.0
"""Strength of RAVDESS's two intensities."""


@dataclass(frozen=True)
class SyntheticSample:
    """A sample: what is shown and said, and its files, as paths inside the corpus."""

    sample_id: str
    emotion: str
    """A label of the corpus."""
    strength: float
    speaker: int
    """Number of the speaker, from 1."""
    statement: int
    variant: int
    """What varies between samples of one speaker, emotion and statement."""
    video: str = ""
    """Its video file, which samples of CMU-MOSEI share; empty for none."""
    audio: str = ""

    @property
    def acted(self) -> str:
        """The emotion as a label of RAVDESS."""
        return self.emotion if self.emotion in RAVDESS else "calm"


def synth_samples(samples: int, speakers: int, layout: Layout = "ravdess") -> list[SyntheticSample]:
    """The samples of a corpus, evenly distributed over the speakers.

    Each speaker starts with another emotion, so that few samples still show them all. In RAVDESS
    emotion varies fastest, then intensity (neutral has no strong form), statement, repetition; 60
    samples each are its own.

    Args:
        samples: Number of samples.
        speakers: Number of speakers; of videos in CMU-MOSEI, which names none.
        layout: Whose file names.

    Raises:
        CorpusError: There are more speakers than samples, or more of either than names.
    """
    make, most_speakers, most_samples = _MAKERS[layout]
    action = f"make {samples} synthetic samples of {speakers} speakers"
    if not 1 <= speakers <= min(samples, most_speakers):
        found = f"speakers are numbered 1 to {most_speakers}, and each needs a sample"
        raise CorpusError(action, found, "choose other numbers")
    each, more = divmod(samples, speakers)
    if each + (more > 0) > most_samples:
        found = f"a speaker has names for {most_samples} samples"
        raise CorpusError(action, found, "choose more speakers")
    return [
        make(k, (speaker - 1) * each, speaker)
        for speaker in range(1, speakers + 1)
        for k in range(each + (speaker <= more))
    ]


def _ravdess(k: int, shift: int, speaker: int) -> SyntheticSample:
    """Sample ``k`` of a speaker: eight weak and seven strong ones of a statement make a block."""
    block, place = divmod(k, 15)
    strong = place >= 8
    emotion = 2 + (place - 8 + shift) % 7 if strong else 1 + (place + shift) % 8
    repetition, statement = divmod(block, 2)
    parts = (1, 1, emotion, 1 + strong, statement + 1, repetition + 1, speaker)
    name = "-".join(f"{part:02d}" for part in parts)
    return SyntheticSample(
        sample_id=name,
        emotion=RAVDESS[emotion - 1],
        strength=STRONG if strong else WEAK,
        speaker=speaker,
        statement=statement + 1,
        variant=2 * (repetition + 1) + 1 + strong,
        video=f"Actor_{speaker:02d}/{name}.mp4",
    )


def _sequences(k: int, shift: int, speaker: int) -> SyntheticSample:
    made = _ravdess(k, shift, speaker)
    return replace(made, video="", audio=f"audio/03{made.sample_id[2:]}.flac")


def _cremad(k: int, shift: int, speaker: int) -> SyntheticSample:
    statement, place = divmod(k, len(CREMAD))
    code = [*CREMAD][(place + shift) % len(CREMAD)]
    name = f"{1000 + speaker}_{SENTENCES[statement]}_{code}_XX"
    return SyntheticSample(
        sample_id=name,
        emotion=CREMAD[code],
        strength=STRONG,
        speaker=speaker,
        statement=statement + 1,
        variant=0,
        video=f"VideoFlash/{name}.flv",
        audio=f"AudioWAV/{name}.wav",
    )


def _mosei(k: int, shift: int, speaker: int) -> SyntheticSample:
    """Segment ``k`` of a video; of four videos, two are for training and one is for the test."""
    train, validation, test = _mosei_videos()
    turn, place = divmod(speaker - 1, 4)
    video = (train[2 * turn], train[2 * turn + 1], validation[turn], test[turn])[place]
    return SyntheticSample(
        sample_id=f"{video}[{k}]",
        emotion=MOSEI[(k + shift) % len(MOSEI)],
        strength=STRONG,
        speaker=speaker,
        statement=k + 1,
        variant=0,
        video=f"Raw/Videos/Full/Combined/{video}.mp4",
    )


@cache
def _mosei_videos() -> tuple[list[str], ...]:
    return tuple(sorted(part) for part in load_folds("mosei_official").folds[0])


def _emodb(k: int, shift: int, speaker: int) -> SyntheticSample:
    statement, place = divmod(k, len(EMODB))
    letter = [*EMODB][(place + shift) % len(EMODB)]
    name = f"{[*EMODB_SPEAKERS][speaker - 1]}{TEXTS[statement]}{letter}a"
    return SyntheticSample(
        sample_id=name,
        emotion=EMODB[letter],
        strength=STRONG,
        speaker=speaker,
        statement=statement + 1,
        variant=0,
        audio=f"wav/{name}.wav",
    )


_MAKERS: dict[Layout, tuple[Callable[[int, int, int], SyntheticSample], int, int]] = {
    "ravdess": (_ravdess, 99, 99 * 30),
    "sequences": (_sequences, 99, 99 * 30),
    "cremad": (_cremad, 91, len(SENTENCES) * len(CREMAD)),
    "mosei": (_mosei, 1200, 1000),
    "emodb": (_emodb, len(EMODB_SPEAKERS), len(TEXTS) * len(EMODB)),
}
"""Sample of a layout, its most speakers, and most samples of a speaker."""
