"""Colours that every picture shares."""

from collections.abc import Sequence

COLOURS = {
    "angry": "#c8443f",
    "disgust": "#6b8f3c",
    "fear": "#7a5aa6",
    "happy": "#f0b429",
    "neutral": "#a9b4c0",
    "calm": "#7fb8ad",
    "sad": "#3f6fb5",
    "surprise": "#ee8434",
}
SPARE = ("#4c9f9f", "#b5838d", "#5f6c7b", "#d4a5a5")


def colour_of(label: str, labels: Sequence[str]) -> str:
    """The label's colour; labels that are not known get a spare one by their place."""
    return COLOURS.get(label) or SPARE[list(labels).index(label) % len(SPARE)]
