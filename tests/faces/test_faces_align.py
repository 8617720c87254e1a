import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avtca.faces import TEMPLATE, SlimeFaceDetector, align
from avtca.faces.align import fit_similarity

RAVDESS = "01-01-01-01-01-01-01.mp4"


def as_points(numbers):
    return np.stack([numbers.real, numbers.imag], axis=-1).astype(np.float32)


@given(
    st.complex_numbers(min_magnitude=0.1, max_magnitude=50, allow_nan=False),
    st.complex_numbers(max_magnitude=500, allow_nan=False),
)
def test_a_similarity_is_found_again(turn, shift):
    points = TEMPLATE * 48 @ np.array([1, 1j])
    found = fit_similarity(TEMPLATE * 48, as_points(points * turn + shift))
    assert found[0] == pytest.approx(turn, rel=1e-3, abs=1e-3)
    assert found[1] == pytest.approx(shift, rel=1e-3, abs=1e-2)


def test_a_mirrored_face_is_not_mirrored_back():
    mirrored = TEMPLATE[[1, 0, 2, 4, 3]] * [-1, 1] + [1, 0]  # the same, points named anew
    turn, shift = fit_similarity(TEMPLATE, mirrored)
    assert turn == pytest.approx(1, abs=1e-3)
    assert shift == pytest.approx(0, abs=1e-3)


def test_a_picture_already_in_place_stays():
    picture = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    crop = align(picture, TEMPLATE * 48, 48, "rgb")
    assert crop.dtype == np.uint8
    assert np.abs(crop.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("colour, shape", [("rgb", (64, 64, 3)), ("grey", (64, 64))])
def test_eyes_and_mouth_come_to_their_places(colour, shape):
    points = as_points(TEMPLATE @ np.array([1, 1j]) * 150 * np.exp(0.4j) + (200 + 150j))
    rows, columns = np.mgrid[:400, :400] + 0.5
    for number, (x, y) in enumerate(points):
        spot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50)
        crop = align(np.repeat(spot[:, :, None], 3, 2).astype(np.uint8), points, 64, colour)
        assert crop.shape == shape
        weight = crop.reshape(64, 64, -1)[:, :, 0].astype(float)
        place = (np.mgrid[:64, :64] + 0.5)[::-1] * weight
        middle = place.sum(axis=(1, 2)) / weight.sum()
        assert middle == pytest.approx(TEMPLATE[number] * 64, abs=0.25)


@pytest.mark.parametrize(
    "turn", [0.5, np.exp(0.3j), 0.8 * np.exp(-0.5j), 1.7 * np.exp(0.15j)], ids=str
)
def test_a_turned_and_scaled_picture_gives_the_same_crop(frames, slime, turn):
    rgb = frames(RAVDESS)[0].rgb[::2, ::2]
    marks = slime.detect(rgb)[0].landmarks
    moved, shift = (marks @ np.array([1, 1j])) * turn, 300 + 200j
    a, b = 1 / turn, -shift / turn
    back = (a.real, -a.imag, b.real, a.imag, a.real, b.imag)
    size = (1600, 1000)
    other = Image.fromarray(rgb).transform(size, Image.Transform.AFFINE, back, Image.BICUBIC)
    plain = align(rgb, marks, 48, "grey").astype(int)
    again = align(np.asarray(other), as_points(moved + shift), 48, "grey").astype(int)
    inside = again > 0  # what the turned picture still holds
    assert inside.mean() > 0.9
    assert np.abs(plain - again)[inside].mean() < 4


def test_edges_are_repeated():
    face = TEMPLATE * 100 + [-60, -40]
    plain = np.full((50, 60, 3), (10, 120, 240), np.uint8)
    assert (align(plain, face, 48, "rgb") == plain[0, 0]).all()
    halves = np.zeros((50, 60, 3), np.uint8)
    halves[:, :30] = 200
    assert align(halves, face + np.array([10, 0]), 48, "grey")[:, 0].min() == 200


def test_large_faces_are_averaged_not_sampled():
    checks = (np.indices((900, 900)).sum(axis=0) % 2 * 255).astype(np.uint8)
    crop = align(np.repeat(checks[:, :, None], 3, 2), TEMPLATE * 800 + 40, 48, "grey")
    assert np.abs(crop.astype(int) - 127).max() < 12


def test_grey_is_luma():
    picture = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    luma = align(picture, TEMPLATE * 48 + 5, 48, "rgb") @ np.array([0.299, 0.587, 0.114])
    assert np.abs(align(picture, TEMPLATE * 48 + 5, 48, "grey") - luma).max() < 3


@pytest.mark.parametrize("marks", [np.zeros((5, 2)), np.full((5, 2), 7.0), TEMPLATE * np.nan])
def test_landmarks_that_are_no_face(marks):
    with pytest.raises(ValueError, match="landmarks"):
        align(np.zeros((50, 50, 3), np.uint8), marks, 48, "grey")


def test_the_places_are_those_of_fer2013(corpora: Path, slime: SlimeFaceDetector):
    images = np.load(corpora / "ferplus" / "ferplus.npz")["images"][:4000:80]
    places = []
    for image in images:
        wide = Image.fromarray(np.pad(image, 12, mode="edge")).resize((288, 288), Image.BICUBIC)
        for face in slime.detect(np.repeat(np.asarray(wide)[:, :, None], 3, axis=2))[:1]:
            places.append(face.landmarks / 4 - 12)
    middle = np.median(places, axis=0)
    mirror = middle[[1, 0, 2, 4, 3]] * [-1, 1] + [48, 0]
    assert len(places) > 0.9 * len(images)
    assert (middle + mirror) / 2 == pytest.approx(TEMPLATE * 48, abs=0.8)


def test_real_faces_come_to_the_same_places(corpora: Path, slime: SlimeFaceDetector):
    """A crop, enlarged, shows the detector a face where the template says."""
    with zipfile.ZipFile(corpora / "ravdess" / "actor01_faces.zip") as pictures:
        names = [name for name in pictures.namelist() if name.endswith(".jpg")][::120]
        for name in names:
            rgb = np.asarray(Image.open(BytesIO(pictures.read(name))).convert("RGB"))
            face = slime.detect(np.pad(rgb, ((40, 40), (40, 40), (0, 0)), mode="edge"))[0]
            crop = align(rgb, face.landmarks - 40, 192, "rgb")
            found = slime.detect(np.pad(crop, ((48, 48), (48, 48), (0, 0)), mode="edge"))
            places = (found[0].landmarks - 48) / 192 * 48
            assert np.abs(places - TEMPLATE * 48).max() < 5, name
