"""Persons who return have their number again, if they surely look the same."""

from dataclasses import dataclass

import numpy as np
import pytest

from avtca.faces.reappearance import MAX_PEOPLE, KnownPeople, look_of, similarity
from avtca.faces.types import TrackedFace
from avtca.image import ArrayImage

POINTS = np.array([[90, 60], [110, 60], [100, 72], [92, 82], [108, 82]], np.float32)


@dataclass
class Frame:
    image: ArrayImage
    step: int = 0
    time_s: float = 0.0
    held_s: float = 0.0


def drawn(*people: tuple[int, int], at: tuple[int, ...] = (0,), noise: int = 0) -> Frame:
    """A frame of people, each with a seed of the face and one of hair and clothes."""
    rgb = np.full((200, 200 + max(at), 3), 128, np.uint8)
    for (face, clothes), x in zip(people, at, strict=True):
        colours = np.random.default_rng(clothes).integers(0, 255, (2, 3))
        rgb[10:50, x + 60 : x + 140] = colours[0]
        rgb[110:200, x + 40 : x + 160] = colours[1]
        texture = np.random.default_rng(1000 + face).integers(40, 220, (10, 10))
        rgb[50:110, x + 70 : x + 130] = np.kron(texture, np.ones((6, 6)))[..., None]
    if noise:
        rng = np.random.default_rng(noise)
        rgb = np.clip(rgb + rng.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)
    return Frame(ArrayImage(rgb))


def face(track: int, x: int = 0) -> TrackedFace:
    points = POINTS + np.float32([x, 0])
    box = np.array([x + 75, 45, x + 125, 105], np.float32)
    values = {"box": box, "landmarks": points, "confidence": 1.0}
    return TrackedFace(**values, person=track, step=0, time_s=0.0)


def shots(*order: tuple[int, int], frames: int = 5) -> list[int]:
    """The number of each shot, each with a track of its own."""
    known, found = KnownPeople(), []
    for track, person in enumerate(order):
        numbers = {
            known.numbered(drawn(person, noise=track * 50 + k + 1), [face(track)])[0].person
            for k in range(frames)
        }
        assert len(numbers) == 1
        found += numbers
    return found


def test_who_returns_has_the_same_number() -> None:
    a, b, c = (1, 1), (2, 2), (3, 3)
    assert shots(a, b, a, c, b, a) == [0, 1, 0, 2, 1, 0]


def test_the_same_clothes_or_the_same_face_are_not_enough() -> None:
    assert shots((1, 1), (2, 2), (3, 1)) == [0, 1, 2]
    assert shots((1, 1), (2, 2), (1, 3)) == [0, 1, 2]


def test_a_person_seen_for_a_frame_is_not_compared_with() -> None:
    assert shots((1, 1), (2, 2), (1, 1), frames=1) == [0, 1, 2]


def test_twins_are_not_guessed() -> None:
    """Two who look the same were in view at once: who of them returns is unknown."""
    known = KnownPeople()
    for k in range(5):
        two = drawn((1, 1), (1, 1), at=(0, 200), noise=k + 1)
        assert [one.person for one in known.numbered(two, [face(0), face(1, 200)])] == [0, 1]
    assert known.numbered(drawn((1, 1), noise=9), [face(2)])[0].person == 2


def test_a_number_is_in_view_once() -> None:
    """A track that is found again beside a newer one of the same person gets a new number."""
    known = KnownPeople()
    for k in range(5):
        known.numbered(drawn((1, 1), noise=k + 1), [face(0)])
    assert known.numbered(drawn((1, 1), noise=7), [face(1)])[0].person == 0
    two = drawn((1, 1), (1, 1), at=(0, 200), noise=8)
    found = known.numbered(two, [face(0, 200), face(1)])
    assert sorted(one.person for one in found) == [0, 1]
    assert next(one for one in found if one.box[0] < 100).person == 0


def test_few_people_are_remembered() -> None:
    known = KnownPeople()
    for track in range(2 * MAX_PEOPLE):
        known.numbered(drawn((track, track)), [face(track)])
    assert len(known._people) == MAX_PEOPLE and MAX_PEOPLE in known._people


def test_similarity_of_a_look_with_itself_and_with_black() -> None:
    look = look_of(drawn((1, 1)), face(0))
    assert similarity(look, look) == pytest.approx((1, 1), abs=1e-5)
    assert look.hair.sum() == pytest.approx(1) and (look.hair.max(), look.clothes.max()) > (
        0.4,
        0.4,
    )
    black = look_of(Frame(ArrayImage(np.zeros((200, 200, 3), np.uint8))), face(0))
    colour, face_score = similarity(look, black)
    assert colour < 0.2 and 0 <= face_score < 0.5
