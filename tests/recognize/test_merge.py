"""Persons that the user merges have one number in all results."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from reappearance import Shot, make_film
from typer.testing import CliRunner

import avtca
from avtca.cli import build_app
from avtca.errors import ConfigError
from avtca.faces import TrackedCrop
from avtca.recognize.merge import MergedPeople


@dataclass
class Frame:
    time_s: float


def faces(*people: int) -> list[TrackedCrop]:
    empty = np.zeros((5, 2), np.float32)
    values = {"box": np.zeros(4, np.float32), "landmarks": empty, "confidence": 1.0}
    crop = np.zeros((4, 4), np.uint8)
    return [TrackedCrop(**values, person=one, step=0, time_s=0.0, crop=crop) for one in people]


def merged(pairs, *frames):
    merger = MergedPeople(pairs)
    found = [
        [face.person for face in each]
        for _, each in merger.of(
            (Frame(0.1 * k), faces(*people)) for k, people in enumerate(frames)
        )
    ]
    merger.check()
    return found


def test_numbers_become_the_smallest_of_each_person() -> None:
    frames = (0, 1), (2,), (1, 3), (4, 5)
    assert merged([(3, 0), (4, 3)], *frames) == [[0, 1], [2], [0, 1], [0, 5]]
    assert merged([(2, 1), (1, 2), (2, 2)], *frames)[1] == [1]


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"merge person 1 with 0: both are in view at 0\.0 s"):
        merged([(0, 1)], (0, 1))
    with pytest.raises(ConfigError, match="merge person 7: there is none: the persons are 0, 1;"):
        merged([(7, 0)], (0, 1))
    with pytest.raises(ConfigError, match="there is none: no face was found"):
        merged([(7, 0)], ())
    assert MergedPeople.parse(["3=0", " 4 = 1 "]) == [(3, 0), (4, 1)]
    for text in ("3", "3=", "a=b", "-1=2", "1=2=3"):
        with pytest.raises(ConfigError, match="it is not A=B; write two person numbers"):
            MergedPeople.parse([text])


@pytest.mark.slow
def test_who_returns_keeps_the_number_and_others_are_merged_by_hand(
    shared: Path, tmp_path: Path
) -> None:
    talking = shared / "talking"
    one, other = talking / "bbaf2n.mpg", talking / "01-01-01-01-01-02-01.mp4"
    film = make_film(tmp_path / "film.mp4", [Shot(one), Shot(other), Shot(one, 1.5)])
    recognizer = avtca.load()
    first, second = recognizer.predict(film, person="all", window_s=1.0).people
    assert (first.number, second.number) == (0, 1)
    assert first.seen_s == pytest.approx(2.0, abs=0.21)
    assert first.last_s == pytest.approx(3.0, abs=0.11)
    assert (second.first_s, second.seen_s) == pytest.approx((1.0, 1.0), abs=0.11)
    merged = recognizer.predict(film, person="all", window_s=1.0, merge=[(1, 0)])
    assert [(each.number, each.first_s) for each in merged.people] == [(0, 0.0)]
    assert merged.people[0].seen_s == pytest.approx(3.0, abs=0.21)
    assert {row.person for row in merged.timeline} == {0}

    def run(*arguments: object):
        return CliRunner().invoke(build_app(), ["predict", *map(str, arguments)])

    done = run(film, "--person", "all", "--window", "1", "--merge", "1=0", "--format", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["people"] == merged.to_dict()["people"]
    assert "give one file" in str(run(film, one, "--merge", "1=0").exception)
    assert "merge person 9: there is none" in str(run(film, "--merge", "9=0").exception)
