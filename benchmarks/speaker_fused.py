"""Real films: scores side by side and of the speaker's clip alone, and the time they take."""

import time
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
from speaker_clips import MOUTH_RATE, SHARED, Clip
from speaker_fit import fit

import avtca
from avtca.image import resize
from avtca.media import open_media
from avtca.speaker import FRAME_RATE

SIDE_PX = 288
FUSED = (
    ("talking/01-01-08-01-01-02-01.mp4", "ravdess 01"),
    ("corpora/cremad/1001_DFA_ANG_XX.flv", "cremad 1001"),
    ("talking/lwbsza.mpg", "lwbsza"),
    ("talking/pwij3p.mpg", "pwij3p"),
)
"""Clips of which every two are put side by side."""


def beside(left: Path, right: Path, target: Path, *, photograph: bool = False) -> None:
    """A film of two clips side by side, with the sound of the left; as long as the shorter.

    With ``photograph`` the right one is a single frame.
    """
    clips = [list(open_media(str(path)).frames(MOUTH_RATE)) for path in (left, right)]
    wave = np.concatenate(list(open_media(str(left)).audio(48_000)))
    n = min(map(len, clips))
    if photograph:
        clips[1] = [clips[1][n // 2]] * n
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


def photographs(folder: Path) -> dict[str, float]:
    """Films of a speaker and a photograph of somebody else, read like any file.

    Returns:
        Number of films, those in which the photograph is found to be still, and mean shares of the
        voice: of the speaker, of the photograph, of nobody in view, undecided.
    """
    recognizer = avtca.load()
    rows = []
    for (left, _), (right, _) in permutations(FUSED, 2):
        film = folder / f"{Path(left).stem}_photograph_{Path(right).stem}.mkv"
        beside(SHARED / left, SHARED / right, film, photograph=True)
        report = recognizer.predict(film, person="all")
        sides = {one.number: one.box is not None and one.box[0] > SIDE_PX for one in report.people}
        still = any("still face" in one.doubts for one in report.people if sides[one.number])
        spoken = sum(turn.end_s - turn.start_s for turn in report.speech)
        shares = dict.fromkeys(("speaker", "photograph", "nobody", "undecided"), 0.0)
        for turn in report.speech:
            kind = "undecided" if turn.visible is None else "nobody"
            if turn.person is not None:
                kind = "photograph" if sides[turn.person] else "speaker"
            shares[kind] += (turn.end_s - turn.start_s) / spoken
        rows.append({"still": float(still), **shares})
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}
    return {"films": len(rows), **means}


COST_FILMS = ("talking/lwbsza.mpg", "talking/01-01-08-01-01-02-01.mp4")
"""Films with one face, 360 x 288 and 1280 x 720; side by side they are a third film."""

RATES = {"without": 0.0}


def cost(speaker_model: Path | None, folder: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of recognition for a second of film, with the packaged score and with a model.

    "without" reads no mouths. The least of ten readings of each in turn, all threads together.
    """
    loaded = dict.fromkeys(("without", "packaged"), avtca.load())
    if speaker_model is not None:
        loaded["speaker_model"] = avtca.load(speaker_model=speaker_model)
    found: dict[str, dict[str, float]] = {}
    two = folder / "two_faces.mkv"
    beside(*(SHARED / film for film in COST_FILMS), two)
    for film in (*COST_FILMS, two):
        least = found.setdefault(Path(film).name, {})
        for _ in range(10):
            for name, recognizer in loaded.items():
                started = time.process_time()
                with patch("avtca.recognize.stream.FRAME_RATE", RATES.get(name, FRAME_RATE)):
                    report = recognizer.predict(SHARED / film)
                took = round((time.process_time() - started) / report.duration_s, 3)
                least[name] = min(took, least.get(name, took))
    return found
