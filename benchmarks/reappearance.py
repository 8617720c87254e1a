"""Whether persons who return after a cut keep their number: films that are cut from real clips.

    python benchmarks/reappearance.py

A film has shots of a second of ten people in random order, never two of one corpus in a row, from
the clips of ../shared/talking, ../shared/corpora/cremad and ../shared/samples. A shot may be
brighter, darker or closer than the clip. Its person has the number of before or, in the first shot,
a new one (right), a new number though it was there before (wrong split), or the number of somebody
else (wrong merge). Cuts that the tracker does not see, between two people before one background,
are counted apart: there the number goes on, with and without the comparison of looks. Results go to
benchmarks/results/reappearance.json, and the table to the markers in docs/decisions.md.
"""

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import av
import numpy as np
from numpy.typing import NDArray

from avtca.faces import best_detector, track_faces
from avtca.files import write_atomic, write_json
from avtca.media import open_media

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
SIZE, RATE = (640, 480), 25
"""Width and height, and frames a second, of the films."""
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "reappearance.json", ROOT / "docs/decisions.md"
SHOTS, FILMS = 60, 2


class Shot(NamedTuple):
    """A second of a clip: ``half`` 0 or 1 is the left or right half, ``zoom`` crops the middle."""

    path: Path
    start_s: float = 0.0
    half: int | None = None
    gain: float = 1.0
    zoom: float = 1.0


def people() -> dict[str, list[Shot]]:
    """The shots that there are of each person."""
    talking, samples = SHARED / "talking", SHARED / "samples"
    found = {path.stem[:6]: [path] for path in sorted(talking.glob("*.mpg"))}
    found["ravdess"] = [*sorted(talking.glob("*.mp4")), *samples.glob("01-01-01-01-01-01-01.mp4")]
    found["cremad"] = sorted((SHARED / "corpora" / "cremad").glob("*.flv"))
    shots = {
        name: [Shot(path, start) for path in paths for start in (0.2, 1.1)]
        for name, paths in found.items()
    }
    for half in (0, 1):
        starts = (0.5, 2.0, 4.0, 6.0)
        shots[f"obama{half}"] = [Shot(samples / "obama_speech.mp4", at, half) for at in starts]
    return shots


def frames_of(shot: Shot, seconds: float) -> Iterator[NDArray[np.uint8]]:
    """Frames of a shot, fitted into a film with black bars."""
    width, height = SIZE
    with av.open(str(shot.path)) as clip:
        first = None
        for frame in clip.decode(video=0):
            time_s = float(frame.time or 0)
            first = time_s if first is None else first
            if time_s - first < shot.start_s - 1e-6:
                continue
            if time_s - first >= shot.start_s + seconds - 1e-6:
                return
            image = frame.to_ndarray(format="rgb24")
            if shot.half is not None:
                middle = image.shape[1] // 2
                image = image[:, middle:] if shot.half else image[:, :middle]
            cut = [round(side * (1 - 1 / shot.zoom) / 2) for side in image.shape[:2]]
            image = image[cut[0] : image.shape[0] - cut[0], cut[1] : image.shape[1] - cut[1]]
            image = np.clip(image * shot.gain, 0, 255).astype(np.uint8)
            scale = min(width / image.shape[1], height / image.shape[0])
            w, h = (2 * int(scale * side / 2) for side in (image.shape[1], image.shape[0]))
            fitted = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            canvas = np.zeros((height, width, 3), np.uint8)
            x, y = (width - w) // 2, (height - h) // 2
            canvas[y : y + h, x : x + w] = fitted.to_ndarray(width=w, height=h, format="rgb24")
            yield canvas


def make_film(target: Path, shots: Sequence[Shot], seconds: float = 1.0) -> Path:
    """Write a film without sound."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height = SIZE
        stream.time_base = Fraction(1, RATE)
        for shot in shots:
            images = list(frames_of(shot, seconds))
            for at in np.linspace(0, len(images) - 1, round(RATE * seconds)).round():
                frame = av.VideoFrame.from_ndarray(images[int(at)], format="rgb24")
                out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return target


def draw(rng: random.Random, n: int) -> tuple[list[str], list[Shot]]:
    """Names and shots of a film."""
    every = people()
    names: list[str] = []
    shots = []
    while len(names) < n:
        last = shots[-1].path.parent if shots else None
        name = rng.choice([one for one in every if every[one][0].path.parent != last])
        shot = rng.choice(every[name])
        names.append(name)
        shots.append(shot._replace(gain=rng.choice((0.8, 1, 1.2)), zoom=rng.choice((1, 1.25))))
    return names, shots


def numbers_of(film: Path, n: int) -> list[int | None]:
    """The number of the largest face in most of the frames of each second."""
    seen: list[Counter[int]] = [Counter() for _ in range(n)]
    for frame, faces in track_faces(open_media(film).frames(10), best_detector(), 48, "grey"):
        second = int(frame.time_s)
        if faces and second < n and 0.25 < frame.time_s - second < 0.9:
            seen[second][max(faces, key=lambda face: face.area).person] += 1
    return [each.most_common(1)[0][0] if each else None for each in seen]


def judge(names: Sequence[str], numbers: Sequence[int | None], unseen: set[int]) -> Counter[str]:
    """Counts of shots by what became of their person's number."""
    owner: dict[int, str] = {}
    counts: Counter[str] = Counter()
    known: set[str] = set()
    for k, (name, number) in enumerate(zip(names, numbers, strict=True)):
        if number is None:
            counts["no face"] += 1
        elif k in unseen:
            counts["cut not seen"] += 1
        elif number in owner:
            same = owner[number] == name
            counts["returned, right" if same else "wrong merge"] += 1
            known.add(name)
        else:
            counts["wrong split" if name in known else "first, right"] += 1
            owner[number] = name
            known.add(name)
    return counts


def main() -> None:
    counts: dict[str, Counter[str]] = {"before": Counter(), "now": Counter()}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(FILMS):
            names, shots = draw(random.Random(seed), SHOTS)
            film = make_film(Path(folder) / f"{seed}.mp4", shots)
            place = "avtca.faces.track_faces.KnownPeople.numbered"
            with mock.patch(place, lambda _, frame, faces: faces):
                before = numbers_of(film, SHOTS)
            unseen = {k for k in range(1, SHOTS) if before[k] == before[k - 1] is not None}
            counts["before"] += judge(names, before, unseen)
            counts["now"] += judge(names, numbers_of(film, SHOTS), unseen)
    columns = ["returned, right", "wrong split", "wrong merge", "first, right", "cut not seen"]
    columns.append("no face")
    lines = [f"| numbers | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, label in (("before", "of tracks, as before"), ("now", "of people who look the same")):
        cells = (str(counts[name][column]) for column in columns)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    table = "\n".join(lines) + "\n"
    print(table)
    results: dict[str, Any] = {name: dict(each) for name, each in counts.items()}
    results |= {"people": len(people()), "shots": SHOTS * FILMS}
    write_json(RESULTS, results)
    marked = r"(?<=<!-- reappearance -->\n)(.*?)(?=<!-- /reappearance -->)"
    text = PAGE.read_text()
    write_atomic(PAGE, re.sub(marked, lambda _: table, text, flags=re.S))


if __name__ == "__main__":
    main()
