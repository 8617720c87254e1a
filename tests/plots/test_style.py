"""Colours of emotions and of pages, and the order of emotions."""

import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from colours import DEUTERANOPIA, ciede2000, difference

from avtca import plots
from avtca.labels import RAVDESS, SEVEN
from avtca.plots.style import (
    INK,
    LABEL_COLOURS,
    SERIES,
    THEME,
    label_colours,
    label_order,
    luminance,
    text_colour,
)

NORMAL = np.eye(3)


def contrast(one, two):
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("one", "two", "published"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_sharma_2005(one, two, published):
    assert ciede2000(one, two) == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(("sight", "least"), [(NORMAL, 19), (DEUTERANOPIA, 18)])
def test_any_two_emotions_differ(sight, least):
    pairs = combinations([LABEL_COLOURS[name] for name in SEVEN], 2)
    assert min(difference(*pair, sight) for pair in pairs) >= least
    pairs = combinations(LABEL_COLOURS.values(), 2)
    assert min(difference(*pair, sight) for pair in pairs) >= 17


@pytest.mark.parametrize("sight", [NORMAL, DEUTERANOPIA])
def test_neighbours_differ_more(sight):
    order = [SEVEN[i] for i in label_order(SEVEN)]
    pairs = pairwise(LABEL_COLOURS[name] for name in order)
    assert min(difference(*pair, sight) for pair in pairs) >= 28


def test_the_order_is_the_same_for_every_network():
    assert [SEVEN[i] for i in label_order(SEVEN)] == list(SEVEN)
    expected = ["angry", "disgust", "fear", "happy", "neutral", "calm", "sad", "surprise"]
    assert [RAVDESS[i] for i in label_order(RAVDESS)] == expected
    assert label_order(["-1", "0", "1"]) == [0, 1, 2]
    assert label_order(["low", "sad", "high", "angry"]) == [3, 1, 0, 2]


def test_other_labels_get_colours_of_their_own():
    colours = label_colours(["sad", "low", "middle", "high"])
    assert colours[0] == LABEL_COLOURS["sad"] and len(set(colours)) == 4


@pytest.mark.parametrize("colour", LABEL_COLOURS.values())
def test_a_label_can_be_read_in_its_band(colour):
    assert contrast(colour, text_colour(colour)) >= 4.5


def page_colours(dark):
    """Value of each CSS variable of a page."""
    text = (Path(plots.__file__).parent / "templates" / "style.css").read_text()
    light_part, dark_part = text.split("@media (prefers-color-scheme: dark)")[:2]
    values = {name: colour for colour, (name, _) in THEME.items()}
    values |= dict(re.findall(r"(--\w+): (#\w{6})", light_part))
    if dark:
        values |= dict(THEME.values()) | dict(re.findall(r"(--\w+): (#\w{6})", dark_part))
    return values


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_of_wcag_aa(dark):
    colours = page_colours(dark)
    for ground in ("--page", "--card"):
        for name in ("--text", "--muted", "--link", "--good", "--error"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in ("--edge", "--focus", "--warning", *(f"--series{i}" for i in range(8))):
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)


def test_series_differ_also_for_the_colour_blind():
    for sight in (NORMAL, DEUTERANOPIA):
        pairs = combinations([one.colour for one in SERIES[:4]], 2)
        assert min(difference(*pair, sight) for pair in pairs) >= 18
    assert len({one.marker for one in SERIES}) == len(SERIES)
    assert INK not in [one.colour for one in SERIES]
