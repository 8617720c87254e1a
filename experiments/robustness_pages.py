"""Purpose: the pictures and tables of `experiments/ravdess_robustness.py`, from its robustness.json.

Cost: a second; nothing is computed here. Command: it is imported, by that script and by
`experiments/fill_pages.py`.
"""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE = {
    "mean_posterior": ("#1d2730", "o"),
    "concatenation": ("#2b6cb0", "s"),
    "late_transformer": ("#4c9f9f", "P"),
    "intermediate_attention": ("#d46aa5", "X"),
    "intermediate_transformer": ("#9aa5b1", "p"),
    "it4": ("#6b8f3c", "v"),
    "ct4": ("#7a5aa6", "<"),
    "figure": ("#ee8434", "^"),
    "released": ("#8c5a2b", ">"),
    "best_attention": ("#e0b000", "h"),
    "best": ("#c8443f", "D"),
}
"""Colour and marker of each network, the same in every picture; `_long` and `_noise` are the same
network."""
HEARD = "_noise"
"""Ends the names of rows that are trained with other microphones and backgrounds."""
APART = ("mean_posterior", "concatenation", "best")
"""Networks in which no stream looks at the other: whole lines, the others' are broken."""
PANELS = ("16 epochs", "48 epochs")
CONDITIONS = {
    "noise": ("pink noise on the audio", "signal to noise, dB"),
    "reverberation": ("the audio in a room", "reverberation (RT60), s"),
    "codec": ("the audio through a codec", ""),
    "dropped frames": ("video steps missing", "share of the steps"),
    "feature noise": ("noise on the face's features", "deviations of each feature"),
    "length": ("the middle of a sample alone", "s"),
    "shift": ("audio shifted against the face", "s the audio is late"),
    "modality": ("one of the two taken away", ""),
}
"""What a panel shows, and its levels' unit."""
AGAINST = "concatenation"
"""Whose loss the others' is compared with; that of rows that end in :data:`HEARD` with its own."""
SHIFT_HEAD = (
    "| network | a second early: points lost | more than `concatenation` "
    "| a second late: points lost | more than `concatenation` |\n|---|---|---|---|---|\n"
)
DAMAGE = (
    ("noise", 10, "noise, 10 dB"),
    ("reverberation", 0.8, "room, 0.8 s"),
    ("codec", "telephone", "telephone"),
    ("dropped frames", 0.5, "half of the video steps"),
    ("feature noise", 1, "noise on the face, 1 deviation"),
    ("length", 1.5, "the middle 1.5 s"),
)
DAMAGE_HEAD = (
    f"| network, untouched | {' | '.join(words for *_, words in DAMAGE)} |\n"
    f"|---|{'---|' * len(DAMAGE)}\n"
)


HEARD_LEVELS = (
    ("noise", 20, "noise, 20 dB"),
    ("noise", 10, "10 dB"),
    ("noise", 0, "0 dB"),
    ("reverberation", 0.8, "room, 0.8 s"),
    ("codec", "telephone", "telephone"),
)
HEARD_HEAD = (
    "| trained without → with noise | untouched "
    f"| {' | '.join(words for *_, words in HEARD_LEVELS)} |\n"
    f"|---|---|{'---|' * len(HEARD_LEVELS)}\n"
)


def rival(row: str) -> str:
    """Pooled features, trained on the same audio as a row."""
    return AGAINST + HEARD if row.endswith(HEARD) else AGAINST


def style(row: str) -> dict[str, Any]:
    """How a network's line looks."""
    name = row.removesuffix("_long").removesuffix(HEARD)
    colour, marker = STYLE[name]
    line = "-" if name in APART else "--"
    return {"color": colour, "marker": marker, "linestyle": line, "markersize": 4.5}


def hollow(look: dict[str, Any]) -> dict[str, Any]:
    """A line that stands back."""
    return {**look, "fillstyle": "none", "alpha": 0.55}


def label(row: str, result: dict[str, Any]) -> str:
    """A row's name, marked where it is not known to be of today's recipe."""
    return f"{row} †" if row in result["earlier"] else row


def whole(result: dict[str, Any]) -> list[str]:
    """Rows trained on clean samples on which all kinds of damage have been measured."""
    found = result["systems"]
    rows = [row for row in result["lost"] if not row.endswith(HEARD)]
    return [row for row in rows if set(CONDITIONS) <= set(found[row])]


def heard(result: dict[str, Any]) -> list[str]:
    """Networks that were trained both ways and met damaged audio."""
    action = {condition for condition, *_ in HEARD_LEVELS}
    return [
        row
        for row in STYLE
        if all(action <= set(result["systems"].get(one, ())) for one in (row, row + HEARD))
    ]


def plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e8ed", linewidth=0.8)
    axes.set_axisbelow(True)


def curves(result: dict[str, Any]) -> Figure:
    """Accuracy under every kind of damage, a panel each, a line for each network."""
    rows = whole(result)
    figure = Figure(figsize=(15, 7.6), layout="constrained")
    panels = figure.subplots(2, 4, sharey=True)
    for axes, name in zip(panels.flat, CONDITIONS, strict=True):
        panel(axes, result, rows, name)
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy, %")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    labels = [label(row, result) for row in labels]
    figure.legend(handles, labels, loc="outside lower center", ncol=len(rows), frameon=False)
    figure.suptitle(
        "RAVDESS, 8 emotions, people never seen (Luna-Jimenez's folds, seed 0); bars: 95 % over "
        "actors.\nBroken lines: one stream attends to the other. best: 48 epochs, the others 16; "
        "none was trained on damaged samples.",
        fontsize=11,
    )
    return figure


def with_noise(result: dict[str, Any]) -> Figure:
    """Accuracy with damaged audio, of the networks that were trained both ways."""
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    names = dict.fromkeys(condition for condition, *_ in HEARD_LEVELS)
    panels = figure.subplots(1, len(names), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        rows = [one for row in heard(result) for one in (row + HEARD, row)]
        panel(axes, result, rows, name)
    panels[0].set_ylabel("accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncol=4, frameon=False, fontsize=9)
    figure.suptitle(
        "RAVDESS, 8 emotions, people never seen (Luna-Jimenez's folds, seed 0); bars: 95 % over "
        "actors.\nFull: trained with other microphones and backgrounds; hollow: without.",
        fontsize=11,
    )
    return figure


def panel(axes: Axes, result: dict[str, Any], rows: list[str], name: str) -> None:
    """One kind of damage; levels stand from mild to hard, shifts from early to late."""
    title, unit = CONDITIONS[name]
    for nth, row in enumerate(rows):
        points = result["systems"][row][name]
        if name == "shift":
            points = sorted(points, key=lambda point: float(point["level"]))
        values = [[100 * x for x in point["accuracy"]] for point in points]
        aside = 0.055 * (nth - (len(rows) - 1) / 2)
        at = [place + aside for place in range(len(points))]
        look = style(row)
        if row + HEARD in rows:
            look = hollow(look)
        if any(isinstance(point["level"], str) for point in points):
            look["linestyle"] = ""
        axes.plot(at, [value for value, *_ in values], label=row, linewidth=1.4, **look)
        axes.vlines(
            at, [v[1] for v in values], [v[2] for v in values], look["color"], alpha=0.35, lw=1
        )
        axes.set_xticks(range(len(points)), [words(point["level"]) for point in points])
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(unit)
    axes.set_xlim(-0.5, len(axes.get_xticks()) - 0.5)
    axes.set_ylim(30, 92)
    plain(axes)


def words(level: Any) -> str:
    """Of a level, for an axis."""
    if level is None or level == "none":
        return "untouched"
    if isinstance(level, str):
        return level.removeprefix("lib").replace(" alone", "\nalone").replace(" kbit", "\nkbit")
    return f"{level:g}"


def lost(points: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Seconds that the audio is late, and points of accuracy above or under audio in time."""
    found = sorted((float(one["level"]), 100 * one["accuracy"][0]) for one in points)
    in_time = dict(found)[0.0]
    return [(level, value - in_time) for level, value in found]


def trained(row: str) -> str:
    """How long a row is trained on clean samples, one of the panels; empty for other rows."""
    if row.endswith(HEARD):
        return ""
    return PANELS[row.endswith("_long") or row.startswith("best")]


def shifts(result: dict[str, Any]) -> Figure:
    """Points lost with the audio shifted, a panel for each length of training; and how much more
    than pooled features each network loses a second late or early, with intervals."""
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for axes, title in zip((first, second), PANELS, strict=True):
        for row, found in result["systems"].items():
            if trained(row) == title and "shift" in found:
                pairs = zip(*lost(found["shift"]), strict=True)
                axes.plot(*pairs, label=label(row, result), linewidth=1.4, **style(row))
        axes.set_title(f"{title} (broken: one stream attends to the other)", fontsize=10)
        axes.set_xticks((-1, -0.5, 0, 0.5, 1))
        axes.set_xlabel("s the audio is late")
        axes.legend(frameon=False, fontsize=8, loc="lower center", ncol=2)
        axes.set_ylim(-13.5, 1.5)
        plain(axes)
    first.set_ylabel("accuracy against audio in time, points")
    more(third, result)
    if result["earlier"]:
        said = "†: of an earlier machine or recipe, checkpoints gone"
        second.annotate(said, (0.03, 0.24), xycoords="axes fraction", fontsize=8)
    return figure


def more(axes: Axes, result: dict[str, Any]) -> None:
    """Differences in what is lost at either end."""
    rows = [row for row, found in result["lost"].items() if trained(row) and "shift" in found]
    rows = [row for row in rows if row != AGAINST]
    rows.sort(key=lambda row: at_level(result, row, "shift", 1.0)["more"]["value"])
    for place, row in enumerate(rows):
        for level, aside, fill in ((1.0, 0.13, "full"), (-1.0, -0.13, "none")):
            found = at_level(result, row, "shift", level)["more"]
            value, low, high = (100 * found[key] for key in ("value", "low", "high"))
            look = {**style(row), "linestyle": "", "fillstyle": fill, "markersize": 6}
            axes.plot(value, place + aside, **look)
            axes.plot([low, high], [place + aside] * 2, color=look["color"], linewidth=1.2)
    axes.axvline(0, color="#1d2730", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label(row, result) for row in rows], fontsize=9)
    axes.set_title("loss beside that of concatenation (full: late, hollow: early)", fontsize=10)
    axes.set_xlabel("points lost more at 1 s, 95 % interval over actors")
    plain(axes)
    axes.grid(axis="y", visible=False)


def at_level(result: dict[str, Any], row: str, condition: str, level: Any) -> dict[str, Any]:
    """What is said of a row's loss there."""
    points: list[dict[str, Any]] = result["lost"][row][condition]
    return next(point for point in points if point["level"] == level)


def interval(values: Iterable[float], sign: str = "") -> str:
    """``4.7 [2.9, 6.5]`` in points."""
    value, low, high = (f"{100 * x:{sign}.1f}" for x in values)
    return f"{value} [{low}, {high}]"


def beyond(point: dict[str, Any]) -> str:
    """How much more than pooled features; empty for these."""
    found = point.get("more")
    return interval((found["value"], found["low"], found["high"]), "+") if found else ""


def shift_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on misalignment."""
    lines = []
    for row, found in result["lost"].items():
        if trained(row) and "shift" in found:
            ends = [at_level(result, row, "shift", level) for level in (-1.0, 1.0)]
            cells = [text for end in ends for text in (interval(end["lost"]), beyond(end))]
            lines.append(f"| `{label(row, result)}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def damage_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on the other kinds: points lost, and how much more than
    pooled features."""
    lines = []
    for row in whole(result):
        ends = [at_level(result, row, name, level) for name, level, _ in DAMAGE]
        cells = [
            f"{100 * end['lost'][0]:.1f}, {beyond(end)}" if beyond(end) else interval(end["lost"])
            for end in ends
        ]
        accuracy = 100 * result["systems"][row][DAMAGE[0][0]][0]["accuracy"][0]
        lines.append(f"| `{label(row, result)}`, {accuracy:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def heard_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on training with noise: percent right; and how much more than
    pooled features a network loses that was trained with noise as they were."""
    lines = []
    for row in heard(result):
        cells = []
        for name, level in (("noise", None), *((name, level) for name, level, _ in HEARD_LEVELS)):
            before, after = (
                100 * accuracy_at(result, one, name, level) for one in (row, row + HEARD)
            )
            cells.append(f"{before:.1f} → {after:.1f}")
            if level is not None and (more := beyond(at_level(result, row + HEARD, name, level))):
                cells[-1] += f", {more}"
        lines.append(f"| `{row}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def accuracy_at(result: dict[str, Any], row: str, condition: str, level: Any) -> float:
    """Share of the samples named right."""
    points = result["systems"][row][condition]
    return float(next(one["accuracy"][0] for one in points if one["level"] == level))


def markdown(result: dict[str, Any]) -> str:
    """All tables."""
    return (
        "RAVDESS, Luna-Jimenez's folds, seed 0. Points of accuracy lost [95 % interval, bootstrap "
        "over actors], and how many more than pooled features side by side lose on the same "
        "samples.\n\n"
        f"Audio shifted against the face:\n\n{SHIFT_HEAD}{shift_rows(result)}\n"
        f"Other damage: points lost, more than `{AGAINST}`:\n\n{DAMAGE_HEAD}{damage_rows(result)}\n"
        "Percent right, trained without and with noise; points that the second loses more than "
        f"`{AGAINST}{HEARD}`:\n\n{HEARD_HEAD}{heard_rows(result)}"
    )
