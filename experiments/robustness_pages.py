"""Purpose: pictures and tables of `experiments/ravdess_robustness.py`, from its robustness.json.

Cost: a second. Command: none; `experiments/ravdess_robustness.py` and `experiments/fill_pages.py`
import it.
"""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from names import shown

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
"""Colour and marker of each network in all pictures, also of its `_long` and `_noise` systems."""
NOISE = "_noise"
"""Suffix of systems that are trained with channel variation and background noise."""
LATE_FUSION = ("mean_posterior", "concatenation", "best")
"""Networks without attention between the streams, drawn with solid lines; the others are dashed."""
PANELS = ("16 epochs", "48 epochs")
CONDITIONS = {
    "noise": ("pink noise on the audio", "signal to noise, dB"),
    "reverberation": ("the audio in a room", "reverberation (RT60), s"),
    "codec": ("the audio through a codec", ""),
    "dropped frames": ("video steps missing", "share of the steps"),
    "feature noise": ("noise on the face's features", "deviations of each feature"),
    "length": ("only the middle of a sample", "s"),
    "shift": ("audio shifted against the face", "audio delay, s"),
    "modality": ("one modality masked", ""),
}
"""Title of a panel and unit of its levels."""
BASELINE = "concatenation"
"""Baseline of all systems; those ending in :data:`NOISE` are compared with its `_noise` system."""
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


NOISE_LEVELS = (
    ("noise", 20, "noise, 20 dB"),
    ("noise", 10, "10 dB"),
    ("noise", 0, "0 dB"),
    ("reverberation", 0.8, "room, 0.8 s"),
    ("codec", "telephone", "telephone"),
)
NOISE_HEAD = (
    "| trained without → with noise | untouched "
    f"| {' | '.join(words for *_, words in NOISE_LEVELS)} |\n"
    f"|---|---|{'---|' * len(NOISE_LEVELS)}\n"
)


def baseline(system: str) -> str:
    """The baseline that is trained on the same audio as a system."""
    return BASELINE + NOISE if system.endswith(NOISE) else BASELINE


def style(system: str) -> dict[str, Any]:
    """The line style of a system."""
    name = system.removesuffix("_long").removesuffix(NOISE)
    colour, marker = STYLE[name]
    line = "-" if name in LATE_FUSION else "--"
    return {"color": colour, "marker": marker, "linestyle": line, "markersize": 4.5}


def faded(look: dict[str, Any]) -> dict[str, Any]:
    """A less prominent line."""
    return {**look, "fillstyle": "none", "alpha": 0.55}


def label(system: str, result: dict[str, Any]) -> str:
    """A system's name, marked unless it is known to have today's configuration."""
    return f"{shown(system)} †" if system in result["earlier"] else shown(system)


def complete(result: dict[str, Any]) -> list[str]:
    """Systems trained on clean samples for which all conditions were measured."""
    found = result["systems"]
    systems = [system for system in result["lost"] if not system.endswith(NOISE)]
    return [system for system in systems if set(CONDITIONS) <= set(found[system])]


def noise_trained(result: dict[str, Any]) -> list[str]:
    """Networks that were trained with and without noise and measured on degraded audio."""
    action = {condition for condition, *_ in NOISE_LEVELS}
    return [
        system
        for system in STYLE
        if all(action <= set(result["systems"].get(one, ())) for one in (system, system + NOISE))
    ]


def plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e8ed", linewidth=0.8)
    axes.set_axisbelow(True)


def curves(result: dict[str, Any]) -> Figure:
    """Accuracy under each condition, one panel each, with a line for each network."""
    systems = complete(result)
    figure = Figure(figsize=(15, 7.6), layout="constrained")
    panels = figure.subplots(2, 4, sharey=True)
    for axes, name in zip(panels.flat, CONDITIONS, strict=True):
        panel(axes, result, systems, name)
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy, %")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    labels = [label(system, result) for system in labels]
    figure.legend(handles, labels, loc="outside lower center", ncol=len(systems), frameon=False)
    figure.suptitle(
        "RAVDESS, 8 emotions, unseen speakers (Luna-Jimenez's folds, seed 0); bars: 95 % over "
        "actors.\nDashed: with attention between the streams. experts: 48 epochs, the others 16; "
        "none was trained on degraded samples.",
        fontsize=11,
    )
    return figure


def with_noise(result: dict[str, Any]) -> Figure:
    """Accuracy on degraded audio of networks trained with and without noise."""
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    names = dict.fromkeys(condition for condition, *_ in NOISE_LEVELS)
    panels = figure.subplots(1, len(names), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        systems = [one for system in noise_trained(result) for one in (system + NOISE, system)]
        panel(axes, result, systems, name)
    panels[0].set_ylabel("accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncol=4, frameon=False, fontsize=9)
    figure.suptitle(
        "RAVDESS, 8 emotions, unseen speakers (Luna-Jimenez's folds, seed 0); bars: 95 % over "
        "actors.\nFilled: trained with channel variation and noise; hollow: without.",
        fontsize=11,
    )
    return figure


def panel(axes: Axes, result: dict[str, Any], systems: list[str], name: str) -> None:
    """One condition; levels from mild to severe, shifts from early to late."""
    title, unit = CONDITIONS[name]
    for nth, system in enumerate(systems):
        points = result["systems"][system][name]
        if name == "shift":
            points = sorted(points, key=lambda point: float(point["level"]))
        values = [[100 * x for x in point["accuracy"]] for point in points]
        aside = 0.055 * (nth - (len(systems) - 1) / 2)
        at = [place + aside for place in range(len(points))]
        look = style(system)
        if system + NOISE in systems:
            look = faded(look)
        if any(isinstance(point["level"], str) for point in points):
            look["linestyle"] = ""
        axes.plot(at, [value for value, *_ in values], label=system, linewidth=1.4, **look)
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
    """A level as a tick label."""
    if level is None or level == "none":
        return "untouched"
    if isinstance(level, str):
        return level.removeprefix("lib").replace(" only", "\nonly").replace(" kbit", "\nkbit")
    return f"{level:g}"


def lost(points: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Audio delay in s, and the change of accuracy against no delay in points."""
    found = sorted((float(one["level"]), 100 * one["accuracy"][0]) for one in points)
    in_time = dict(found)[0.0]
    return [(level, value - in_time) for level, value in found]


def trained(system: str) -> str:
    """The panel of a system, by its epochs on clean samples; empty for other systems."""
    if system.endswith(NOISE):
        return ""
    return PANELS[system.endswith("_long") or system.startswith("best")]


def shifts(result: dict[str, Any]) -> Figure:
    """Points lost with shifted audio, one panel per number of epochs; and how much more than the
    baseline each network loses at one second, with intervals."""
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for axes, title in zip((first, second), PANELS, strict=True):
        for system, found in result["systems"].items():
            if trained(system) == title and "shift" in found:
                pairs = zip(*lost(found["shift"]), strict=True)
                axes.plot(*pairs, label=label(system, result), linewidth=1.4, **style(system))
        axes.set_title(f"{title} (dashed: with attention between the streams)", fontsize=10)
        axes.set_xticks((-1, -0.5, 0, 0.5, 1))
        axes.set_xlabel("audio delay, s")
        axes.legend(frameon=False, fontsize=8, loc="lower center", ncol=2)
        axes.set_ylim(-13.5, 1.5)
        plain(axes)
    first.set_ylabel("change of accuracy, points")
    more(third, result)
    if result["earlier"]:
        note = "†: earlier machine or configuration, checkpoints gone"
        second.annotate(note, (0.03, 0.24), xycoords="axes fraction", fontsize=8)
    return figure


def more(axes: Axes, result: dict[str, Any]) -> None:
    """Differences in loss at one second early and late."""
    systems = [
        system for system, found in result["lost"].items() if trained(system) and "shift" in found
    ]
    systems = [system for system in systems if system != BASELINE]
    systems.sort(key=lambda system: at_level(result, system, "shift", 1.0)["more"]["value"])
    for place, system in enumerate(systems):
        for level, aside, fill in ((1.0, 0.13, "full"), (-1.0, -0.13, "none")):
            found = at_level(result, system, "shift", level)["more"]
            value, low, high = (100 * found[key] for key in ("value", "low", "high"))
            look = {**style(system), "linestyle": "", "fillstyle": fill, "markersize": 6}
            axes.plot(value, place + aside, **look)
            axes.plot([low, high], [place + aside] * 2, color=look["color"], linewidth=1.2)
    axes.axvline(0, color="#1d2730", linewidth=0.8)
    axes.set_yticks(range(len(systems)), [label(system, result) for system in systems], fontsize=9)
    axes.set_title("loss against that of concatenation (filled: late, hollow: early)", fontsize=10)
    axes.set_xlabel("additional points lost at 1 s, 95 % interval over actors")
    plain(axes)
    axes.grid(axis="y", visible=False)


def at_level(result: dict[str, Any], system: str, condition: str, level: Any) -> dict[str, Any]:
    """The loss of a system at a level."""
    points: list[dict[str, Any]] = result["lost"][system][condition]
    return next(point for point in points if point["level"] == level)


def interval(values: Iterable[float], sign: str = "") -> str:
    """``4.7 [2.9, 6.5]`` in points."""
    value, low, high = (f"{100 * x:{sign}.1f}" for x in values)
    return f"{value} [{low}, {high}]"


def beyond(point: dict[str, Any]) -> str:
    """How much more than the baseline loses; empty for the baseline."""
    found = point.get("more")
    return interval((found["value"], found["low"], found["high"]), "+") if found else ""


def shift_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on misalignment."""
    lines = []
    for system, found in result["lost"].items():
        if trained(system) and "shift" in found:
            ends = [at_level(result, system, "shift", level) for level in (-1.0, 1.0)]
            cells = [text for end in ends for text in (interval(end["lost"]), beyond(end))]
            lines.append(f"| `{label(system, result)}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def damage_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on other conditions: points lost, and how much more than the
    baseline."""
    lines = []
    for system in complete(result):
        ends = [at_level(result, system, name, level) for name, level, _ in DAMAGE]
        cells = [
            f"{100 * end['lost'][0]:.1f}, {beyond(end)}" if beyond(end) else interval(end["lost"])
            for end in ends
        ]
        accuracy = 100 * result["systems"][system][DAMAGE[0][0]][0]["accuracy"][0]
        lines.append(f"| `{label(system, result)}`, {accuracy:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def noise_rows(result: dict[str, Any]) -> str:
    """The table of docs/evaluation.md on training with noise: accuracy in %, and how much more than
    the baseline a network loses, both trained with noise."""
    lines = []
    for system in noise_trained(result):
        cells = []
        for name, level in (("noise", None), *((name, level) for name, level, _ in NOISE_LEVELS)):
            before, after = (
                100 * accuracy_at(result, one, name, level) for one in (system, system + NOISE)
            )
            cells.append(f"{before:.1f} → {after:.1f}")
            if level is not None and (
                more := beyond(at_level(result, system + NOISE, name, level))
            ):
                cells[-1] += f", {more}"
        lines.append(f"| `{shown(system)}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def accuracy_at(result: dict[str, Any], system: str, condition: str, level: Any) -> float:
    """Accuracy of a system at a level."""
    points = result["systems"][system][condition]
    return float(next(one["accuracy"][0] for one in points if one["level"] == level))


def markdown(result: dict[str, Any]) -> str:
    """All tables."""
    return (
        "RAVDESS, Luna-Jimenez's folds, seed 0. Points of accuracy lost [95 % interval, bootstrap "
        "over actors], and how many more than the baseline `concatenation` loses on the same "
        "samples.\n\n"
        f"Audio shifted against the face:\n\n{SHIFT_HEAD}{shift_rows(result)}\n"
        f"Other conditions: points lost, more than `{BASELINE}`:\n\n"
        f"{DAMAGE_HEAD}{damage_rows(result)}\n"
        "Accuracy in %, trained without and with noise; points that the second loses more than "
        f"`{BASELINE}{NOISE}`:\n\n{NOISE_HEAD}{noise_rows(result)}"
    )
