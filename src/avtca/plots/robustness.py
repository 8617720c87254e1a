"""Pictures and the page of a robustness study, from the values of ``avtca.evaluation.robustness``.

Nothing is computed here.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from avtca.plots.evaluation import (
    METRIC_NAMES,
    caveat_note,
    image,
    numbers,
    plain,
    section,
    table,
)
from avtca.plots.recognition_html import STYLE

LINES = ("#2b6cb0", "#ee8434", "#6b8f3c", "#7a5aa6", "#c8443f", "#4c9f9f", "#5f6c7b", "#b5838d")
TITLES = {
    "modality": "A modality taken away",
    "noise": "Pink noise on the audio",
    "reverberation": "The audio in a room",
    "codec": "The audio through a codec",
    "dropped frames": "Video steps missing",
    "black frames": "Video steps black",
    "blur": "The picture blurred",
    "occlusion": "A part of each face covered",
    "feature noise": "Noise on the video features",
    "shift": "Audio shifted against the picture",
    "length": "Only the middle of the sample",
}


def curve_figure(result: Mapping[str, Any], condition: str, metric: str = "accuracy") -> Figure:
    """One condition: a line for each system, its interval shaded; bars where levels are words."""
    curves = {
        name: points[condition] for name, points in result["systems"].items() if condition in points
    }
    figure = Figure(figsize=(7.5, 4), layout="tight")
    axes = figure.subplots()
    first = next(iter(curves.values()))
    words = any(isinstance(point["level"], str) for point in first)
    ordered = sorted(range(len(first)), key=lambda i: _place(first[i]["level"], condition, i))
    names = [_level(first[i]["level"]) for i in ordered]
    for nth, (name, points) in enumerate(curves.items()):
        colour = LINES[nth % len(LINES)]
        values = [[100 * x for x in numbers(points[i][metric])] for i in ordered]
        if words:
            width = 0.8 / len(curves)
            at = [place + (nth - (len(curves) - 1) / 2) * width for place in range(len(names))]
            axes.bar(at, [v[0] for v in values], width * 0.92, color=colour, label=name)
            for place, value in zip(at, values, strict=True):
                axes.plot([place, place], value[1:], color="#1d2730", linewidth=1)
        else:
            at = list(range(len(names)))
            axes.plot(at, [v[0] for v in values], "o-", color=colour, label=name, markersize=4)
            low, high = [v[1] for v in values], [v[2] for v in values]
            axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xticks(range(len(names)), names, rotation=20 if words else 0)
    axes.set_xlabel(result["units"].get(condition, ""))
    axes.set_ylabel(f"{METRIC_NAMES.get(metric, metric)}, %")
    axes.set_ylim(bottom=0)
    plain(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _place(level: Any, condition: str, index: int) -> float:
    """Levels from mild to hard as they were given; shifts from early to late."""
    return float(level) if condition == "shift" else float(index)


def _level(level: Any) -> str:
    if level is None:
        return "untouched"
    return level if isinstance(level, str) else f"{level:g}"


def page(result: Mapping[str, Any], metric: str = "accuracy") -> str:
    """One self-contained HTML page with a picture and a table for each condition."""
    systems = result["systems"]
    conditions = list(dict.fromkeys(name for points in systems.values() for name in points))
    samples = ", ".join(f"{name}: {n} samples" for name, n in result["samples"].items())
    caveats = "".join(
        caveat_note(caveat)
        for caveat in sorted({split["caveat"] for split in result["splits"].values()})
    )
    parts = [
        section(
            TITLES.get(name, name),
            image(curve_figure(result, name, metric), name) + _rows(systems, name, metric),
        )
        for name in conditions
    ]
    title = "Robustness"
    lead = f"{samples}. Intervals: 95 %, bootstrap over people. Every system meets the same damage."
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1>"
        f"<p class=lead>{html.escape(lead)}</p>{caveats}{''.join(parts)}</main></html>\n"
    )


def _rows(systems: Mapping[str, Any], condition: str, metric: str) -> str:
    rows: list[Sequence[str]] = []
    head = [""]
    for name, points in systems.items():
        if condition not in points:
            continue
        head = ["", *(_level(point["level"]) for point in points[condition])]
        rows.append([name, *(f"{100 * point[metric][0]:.1f}" for point in points[condition])])
    return table(head, rows)
