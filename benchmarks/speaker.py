"""Who speaks: fit the weights, and measure right, wrong and undecided on people left out.

    python benchmarks/speaker.py                  measure; writes the JSON, the table, the picture
    python benchmarks/speaker.py --fit            also write src/avtca/weights/speaker.json
    python benchmarks/speaker.py --fused          scores of real films side by side

Films of two and more people side by side are made of the clips in ``../shared``: the mouths are
recorded once from each clip, by the code that reads files, and kept in ``--folder``; a film has the
mouths of some clips and the sound of one, of none of them, or shifted. Weights are fitted without
the two people in view. Films of 8 s and more are clips of one person in a row.
"""

import argparse
import json
import os
import pickle
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
from numpy.typing import NDArray

import avtca
from avtca.audio import voice_activity
from avtca.faces import best_detector, track_faces
from avtca.files import write_atomic, write_json
from avtca.image import resize
from avtca.media import hold_frames, open_media
from avtca.speaker import MOUTH_RATE, MouthRecorder, MouthSeries, SpeechLevels, find_speakers
from avtca.speaker.evidence import SpeakerWeights, Stretch, stretches
from avtca.speaker.speech import UNKNOWN, UNSEEN

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
RESULTS = ROOT / "benchmarks" / "results" / "speaker.json"
WEIGHTS = ROOT / "src" / "avtca" / "weights" / "speaker.json"
PAGE, PICTURE = ROOT / "docs" / "speaker.md", ROOT / "docs" / "img" / "speaker.png"
RATE, AUDIO_RATE, VOICE_RATE, SIDE_PX = 10, 16_000, 100, 288
GRID = ("bbaf2n", "brbk7n", "lbax4n", "lbbc2a", "lwbsza", "pwij3p")
RAVDESS = ("talking/01-01-01-01-01-02-01", "talking/01-01-08-01-01-02-01")
CREMAD = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
SPEECH_PARTS = ((1.8, 4.8), (4.2, 6.8), (5.6, 8.72))
"""Parts of obama_speech.mp4 in which both men are in view and one speaks, in seconds."""
SHIFTS_S = (0.5, -0.5)
RIDGE, PRIOR = 2.0, 0.03
"""Regularisation of the filters and of the score."""
KINDS = "right", "wrong", "undecided"
COLOURS = "#2a78b8", "#c9d2da", "#b8562a"
Double = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """Mouth and voice of one person, from a recording or a part of one."""

    name: str
    person: str
    series: MouthSeries
    level: Double
    voiced: NDArray[np.bool_]
    speaks: bool = True
    wave: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def length_s(self) -> float:
        return len(self.level) / MOUTH_RATE


def record(path: Path) -> tuple[dict[int, MouthSeries], NDArray[np.float32]]:
    """Mouths by person, as the recognizer collects them, and the waveform of a file."""
    clip, recorder = open_media(str(path)), MouthRecorder()
    frames = hold_frames(clip.frames(RATE, MOUTH_RATE), RATE)
    for frame, faces in track_faces(frames, best_detector(), 48):
        recorder.add(frame.dense, faces)
    recorder.finish()
    return recorder.series, np.concatenate(list(clip.audio(AUDIO_RATE)))


def heard(wave: NDArray[np.float32]) -> tuple[Double, NDArray[np.bool_]]:
    """Level and voice of a waveform."""
    levels = SpeechLevels(AUDIO_RATE)
    levels.add(wave)
    return levels.values(), voice_activity(wave, AUDIO_RATE)


def mixed(clip: Clip, noise: NDArray[np.float32], snr_db: float) -> Clip:
    """A clip with noise under its speech."""
    wave = clip.wave
    assert wave is not None
    noise = np.resize(noise, len(wave))
    power = float(np.square(wave).mean()) / max(1e-12, float(np.square(noise).mean()))
    both = wave + noise * np.sqrt(power / 10 ** (snr_db / 10))
    level, voiced = heard(np.asarray(both, np.float32))
    return replace(clip, level=level, voiced=voiced)


def part(clip: Clip, start_s: float, end_s: float) -> Clip:
    """A part of a clip."""
    times = np.array(clip.series.times)
    inside = np.flatnonzero((times >= start_s) & (times < end_s))
    series = MouthSeries(
        [float(times[k] - start_s) for k in inside], [clip.series.values[k] for k in inside]
    )
    steps = slice(round(start_s * MOUTH_RATE), round(end_s * MOUTH_RATE))
    ticks = slice(round(start_s * VOICE_RATE), round(end_s * VOICE_RATE))
    name = f"{clip.name} {start_s:g}-{end_s:g}"
    return replace(
        clip, name=name, series=series, level=clip.level[steps], voiced=clip.voiced[ticks]
    )


def joined(clips: Sequence[Clip]) -> Clip:
    """Clips in a row."""
    times, values, at = [], [], 0.0
    for clip in clips:
        inside = [k for k, time in enumerate(clip.series.times) if time < clip.length_s]
        times += [clip.series.times[k] + at for k in inside]
        values += [clip.series.values[k] for k in inside]
        at += clip.length_s
    level = np.concatenate([clip.level for clip in clips])
    voiced = np.concatenate(
        [np.resize(clip.voiced, round(clip.length_s * VOICE_RATE)) for clip in clips]
    )
    return Clip("+".join(c.name for c in clips), "+".join(c.person for c in clips),
                MouthSeries(times, values), level, voiced)  # fmt: skip


def load_clips(folder: Path) -> list[Clip]:
    """All clips of one person; recorded once."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"talking/{name}.mpg": name for name in GRID}
    files |= {f"{name}.mp4": "ravdess 01" for name in (*RAVDESS, "samples/01-01-01-01-01-01-01")}
    files |= {f"corpora/cremad/1001_DFA_{name}_XX.flv": "cremad 1001" for name in CREMAD}
    files["samples/obama_speech.mp4"] = "obama"
    clips = []
    for file, person in files.items():
        kept = folder / f"{Path(file).stem}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(record(SHARED / file)))
        mouths, wave = pickle.loads(kept.read_bytes())
        level, voiced = heard(wave)
        if person != "obama":
            clips.append(Clip(Path(file).stem, person, mouths[0], level, voiced, wave=wave))
            continue
        for number, (who, speaks) in enumerate((("listener", False), ("obama", True))):
            whole = Clip(who, who, mouths[number], level, voiced, speaks)
            clips += [part(whole, *times) for times in SPEECH_PARTS]
    return clips


def shifted(clip: Clip, seconds: float) -> Clip:
    """A clip whose sound is later by some seconds; the end comes first."""
    return replace(
        clip,
        level=np.roll(clip.level, round(seconds * MOUTH_RATE)),
        voiced=np.roll(clip.voiced, round(seconds * VOICE_RATE)),
    )


def stretch(face: Clip, sound: Clip) -> Stretch | None:
    """A face with a sound, for fitting."""
    n = min(len(face.level), len(sound.level))
    steps = np.minimum(np.arange(n) * 4 + 2, len(sound.voiced) - 1)
    found = stretches(face.series, sound.level[:n], sound.voiced[steps])
    return found[0] if found else None


def fit(clips: Sequence[Clip]) -> SpeakerWeights:
    """Weights from people; each person counts alike. Scores see filters without their person."""
    speakers = [clip for clip in clips if clip.speaks]
    own = {clip.name: stretch(clip, clip) for clip in speakers}
    people = sorted({clip.person for clip in speakers})

    def filters(without: str | None) -> Double:
        x, y = [], []
        for clip in speakers:
            one = own[clip.name]
            if clip.person != without and one is not None:
                mouth = one.mouth[one.heard]
                x.append(mouth - mouth.mean(axis=0))
                y.append(one.level[one.heard])
        both, target = np.concatenate(x), np.concatenate(y)
        square = both.T @ both + RIDGE * len(both) * np.eye(both.shape[1])
        return np.asarray(np.linalg.solve(square, both.T @ target))

    rows, targets, weights = [], [], []
    for person in people:
        used = filters(person)
        mine = [clip for clip in speakers if clip.person == person]
        for clip in mine:
            wrong = [stretch(other, clip) for other in clips if other.person != person]
            wrong += [stretch(clip, shifted(clip, s)) for s in (0.5, -0.5, 0.64, -0.64)]
            false = [one.sums(used).sum(axis=0) for one in wrong if one is not None]
            one = own[clip.name]
            true = [] if one is None else [one.sums(used).sum(axis=0)]
            for sums, target in ((true, 1.0), (false, 0.0)):
                rows += sums
                targets += [target] * len(sums)
                weights += [1 / len(mine) / max(1, len(sums))] * len(sums)
    score = _logistic(np.array(rows), np.array(targets), np.array(weights))
    return SpeakerWeights(filters(None), score)


def _logistic(x: Double, y: Double, weights: Double) -> Double:
    """Logistic regression without an intercept, by Newton's method."""
    score = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ score))
        gradient = x.T @ (weights * (p - y)) + PRIOR * score
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + PRIOR * np.eye(len(score))
        score = score - np.linalg.solve(hessian, gradient)
    return score


def outcome(
    faces: Sequence[Clip], sound: Clip, weights: SpeakerWeights, still: Iterable[int] = ()
) -> int:
    """Who speaks most in a film: number of the face, UNSEEN, or UNKNOWN."""
    length_s = min(clip.length_s for clip in (*faces, sound))
    speech = find_speakers(
        {k: clip.series for k, clip in enumerate(faces)},
        sound.level[: round(length_s * MOUTH_RATE)],
        sound.voiced[: round(length_s * VOICE_RATE)],
        still=set(still),
        weights=weights,
    )
    ticks = Counter(speech.speaker[speech.voiced].tolist())
    total = ticks.total()
    named = [(n, who) for who, n in ticks.items() if who != UNKNOWN]
    n, who = max(named, default=(0, UNKNOWN))
    return who if n >= 0.5 * total else UNKNOWN


class Tally:
    """Right, wrong and undecided, each person in view with the same weight."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, condition: str, found: int, right: int, weight: float) -> None:
        """Count a film."""
        kind = "right" if found == right else "undecided" if found == UNKNOWN else "wrong"
        counts = self.counts.setdefault(condition, Counter())
        counts[kind] += weight
        counts["films"] += 1

    def shares(self) -> dict[str, dict[str, float]]:
        """By condition: number of films, and shares."""
        out = {}
        for name, counts in self.counts.items():
            total = sum(counts[kind] for kind in KINDS)
            shares = {kind: round(counts[kind] / total, 3) for kind in KINDS}
            out[name] = {"films": counts["films"], **shares}
        return out


def short_films(clips: Sequence[Clip], music: NDArray[np.float32], tally: Tally) -> None:
    """Films of a clip's length, two people left out in turn."""
    people = sorted({clip.person for clip in clips if clip.speaks})
    listeners = [clip for clip in clips if not clip.speaks]
    noise = np.random.default_rng(0).standard_normal(10 * AUDIO_RATE).astype(np.float32)
    for pair in combinations(people, 2):
        rest = [clip for clip in clips if clip.person not in pair]
        weights, others = fit(rest), [clip for clip in rest if clip.speaks]
        for first, second in permutations(pair):
            left = [clip for clip in clips if clip.person == first]
            right = [clip for clip in clips if clip.person == second]
            third = others[:: max(1, len(others) // 3)]
            for a, share in ((clip, 1 / len(left)) for clip in left):
                one = {"weights": weights}
                each = share / len(right)
                for b in right:
                    tally.add("two faces, sound of one", outcome([a, b], a, **one), 0, each)
                    for s in SHIFTS_S:
                        tally.add("two faces, its sound shifted by 0.5 s",
                                  outcome([a, b], shifted(a, s), **one), UNSEEN, each)  # fmt: skip
                b = right[0]
                for c in others:
                    tally.add("two faces, sound of a third person", outcome([a, b], c, **one),
                              UNSEEN, share / len(others))  # fmt: skip
                for n in (2, 3):
                    faces = [a, b, *third[: n - 1]]
                    tally.add(f"{n + 1} faces, sound of one", outcome(faces, a, **one), 0, share)
                tally.add("speaker and photograph", outcome([a, b], a, still=[1], **one), 0, share)
                tally.add("photograph, sound of the other", outcome([b], a, still=[0], **one),
                          UNSEEN, share)  # fmt: skip
                for name, kind, db in (
                    ("white noise, 10 dB", noise, 10), ("music and crowd, 5 dB", music, 5)
                ):  # fmt: skip
                    loud = mixed(a, kind, db) if a.wave is not None else a
                    if loud is not a:
                        tally.add(f"two faces, {name}", outcome([a, b], loud, **one), 0, share)
                if second == people[0] or (first == people[0] and second == people[1]):
                    tally.add("one face, its sound", outcome([a], a, **one), 0, share)
                    tally.add("one face, its sound shifted by 0.5 s",
                              outcome([a], shifted(a, 0.5), **one), UNSEEN, share)  # fmt: skip
                    for c in others:
                        tally.add("one face, sound of another person", outcome([a], c, **one),
                                  UNSEEN, share / len(others))  # fmt: skip
                    for c in left:
                        if c is not a:
                            tally.add("same person twice, sound of one",
                                      outcome([a, c], a, **one), 0, share)  # fmt: skip
                    if first != "obama":
                        tally.add("speaker and listener", outcome([a, listeners[0]], a, **one), 0,
                                  share)  # fmt: skip
                        tally.add("listener, sound of the other",
                                  outcome([listeners[0]], a, **one), UNSEEN, share)  # fmt: skip


def long_films(clips: Sequence[Clip], tally: Tally) -> None:
    """Films of 8 to 10 s, of the three people with that much, two of them left out in turn.

    Clips of one person in a random order.
    """
    rng = np.random.default_rng(0)
    long = [clip for clip in clips if clip.speaks and clip.person not in GRID]
    listener = joined([clip for clip in clips if not clip.speaks])

    def track(person: str, longest_s: float = 10.0) -> Clip:
        mine = [clip for clip in long if clip.person == person]
        order = range(len(mine)) if person == "obama" else rng.permutation(len(mine))
        return part(joined([mine[k] for k in order]), 0, longest_s)

    for pair in combinations(sorted({clip.person for clip in long}), 2):
        rest = [clip for clip in clips if clip.person not in pair]
        weights, others = fit(rest), [clip for clip in rest if clip.speaks]
        for first, second in permutations(pair):
            for _ in range(5):
                a, b = track(first), track(second)
                third = joined([others[k] for k in rng.permutation(len(others))[:4]])
                tally.add("8 s, two faces, sound of one", outcome([a, b], a, weights), 0, 1)
                for s in (0.5, 2.0):
                    tally.add(f"8 s, two faces, its sound shifted by {s:g} s",
                              outcome([a, b], shifted(a, s), weights), UNSEEN, 1)  # fmt: skip
                tally.add("8 s, two faces, sound of others", outcome([a, b], third, weights),
                          UNSEEN, 1)  # fmt: skip
                tally.add("8 s, one face, its sound", outcome([a], a, weights), 0, 1)
                tally.add("8 s, one face, sound of others", outcome([a], third, weights), UNSEEN, 1)
                if first == "obama":
                    found = outcome([a, listener], a, weights)
                    tally.add("8 s, speaker and listener", found, 0, 1)


FUSED = (
    ("talking/01-01-08-01-01-02-01.mp4", "ravdess 01"),
    ("corpora/cremad/1001_DFA_ANG_XX.flv", "cremad 1001"),
    ("talking/lwbsza.mpg", "lwbsza"),
    ("talking/pwij3p.mpg", "pwij3p"),
)
"""Clips of which every two are put side by side."""


def beside(left: Path, right: Path, target: Path) -> None:
    """A film of two clips side by side, with the sound of the left; as long as the shorter."""
    clips = [list(open_media(str(path)).frames(MOUTH_RATE)) for path in (left, right)]
    wave = np.concatenate(list(open_media(str(left)).audio(48_000)))
    n = min(map(len, clips))
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=MOUTH_RATE, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = 2 * SIDE_PX, SIDE_PX, "yuv420p"
        audio = out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for frames in zip(clips[0][:n], clips[1][:n], strict=True):
            halves = []
            for frame in frames:
                side, y, x = min(frame.rgb.shape[:2]), *frame.rgb.shape[:2]
                square = frame.rgb[:, (x - side) // 2 :][:y, :side]
                halves.append(resize(square, (SIDE_PX, SIDE_PX)))
            picture = av.VideoFrame.from_ndarray(np.hstack(halves), format="rgb24")
            for packet in video.encode(picture):
                out.mux(packet)
        for packet in video.encode():
            out.mux(packet)
        samples = (np.clip(wave[: n * 48_000 // MOUTH_RATE], -1, 1) * 32767).astype(np.int16)
        block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        block.sample_rate = 48_000
        for packet in (*audio.encode(block), *audio.encode()):
            out.mux(packet)


def fused(clips: Sequence[Clip], folder: Path) -> dict[str, dict[str, float]]:
    """How far the scores of films side by side are from those of the speaker's clip alone.

    "before" reads the largest face with whatever is heard. The two people in view are left out of
    the weights. Distances are half the sum of the absolute differences of the scores.
    """
    recognizer = avtca.load()
    found: dict[str, list[tuple[float, bool]]] = {}
    for (left, first), (right, second) in permutations(FUSED, 2):
        film = folder / f"{Path(left).stem}_{Path(right).stem}.mkv"
        beside(SHARED / left, SHARED / right, film)
        alone = recognizer.predict(SHARED / left)
        weights = fit([clip for clip in clips if clip.person not in (first, second)])
        with patch("avtca.speaker.speech.packaged_weights", lambda weights=weights: weights):
            reports = {name: recognizer.predict(film, person=name) for name in ("main", "speaker")}
        with patch("avtca.recognize.scorer.SPEAKS", -1.0):
            reports["before"] = recognizer.predict(film)
        for name, report in reports.items():
            apart = sum(abs(report.scores[x] - alone.scores[x]) for x in report.labels) / 2
            found.setdefault(name, []).append((apart, report.top == alone.top))
    return {
        name: {
            "films": len(rows),
            "distance": round(float(np.mean([apart for apart, _ in rows])), 3),
            "same_label": round(float(np.mean([same for _, same in rows])), 3),
        }
        for name, rows in found.items()
    }


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown table."""
    lines = ["| film | films | right | wrong | undecided |", "|---|---|---|---|---|"]
    for name, row in results.items():
        cells = " | ".join(f"{100 * row[kind]:.0f} %" for kind in ("right", "wrong", "undecided"))
        lines.append(f"| {name} | {row['films']:.0f} | {cells} |")
    return "\n".join(lines)


def picture(results: dict[str, dict[str, float]]) -> None:
    """Bars of right, undecided and wrong."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(results)[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.3 * len(names) + 0.9), layout="constrained")
    at = np.zeros(len(names))
    for kind, colour in zip(("right", "undecided", "wrong"), COLOURS, strict=True):
        width = np.array([100 * results[name][kind] for name in names])
        axes.barh(names, width, left=at, color=colour, label=kind)
        at += width
    axes.set_xlabel("share of the films in %")
    axes.set_xlim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/avtca_speaker"))
    parser.add_argument("--fit", action="store_true", help="write the packaged weights")
    parser.add_argument("--fused", action="store_true", help="measure the scores of films")
    args = parser.parse_args()
    clips = load_clips(args.folder)
    if args.fused:
        results = json.loads(RESULTS.read_text()) | {"fused": fused(clips, args.folder)}
        write_json(RESULTS, results)
        print(json.dumps(results["fused"], indent=2))
        return
    if args.fit:
        weights = fit(clips)
        plain = {
            "filters": weights.filters.round(5).tolist(),
            "score": weights.score.round(4).tolist(),
        }
        write_atomic(WEIGHTS, json.dumps(plain) + "\n")
    music = open_media(str(SHARED / "samples" / "short_hamilton_clip.mp4"))
    tally = Tally()
    short_films(clips, np.concatenate(list(music.audio(AUDIO_RATE))), tally)
    long_films(clips, tally)
    results = tally.shares()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    write_json(RESULTS, kept | {"films": results})
    picture(results)
    if PAGE.exists():
        made = f"<!-- films -->\n{table(results)}\n<!-- /films -->"
        text = re.sub(
            r"<!-- films -->.*<!-- /films -->", lambda _: made, PAGE.read_text(), flags=re.S
        )
        write_atomic(PAGE, text)
    print(table(results))


if __name__ == "__main__":
    main()
