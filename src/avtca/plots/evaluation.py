"""Pictures and the page of an evaluation, from the values of ``avtca.evaluation.report``.

Nothing is computed here. ``result`` is that dictionary.
"""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avtca.plots.recognition_html import CAUTION, STYLE, png_bytes

INK, SOFT, MAIN, SECOND = "#1d2730", "#5c6873", "#2b6cb0", "#ee8434"
METRIC_NAMES = {
    "accuracy": "accuracy",
    "uar": "balanced accuracy (UAR)",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
}


def confusion_figure(result: Mapping[str, Any]) -> Figure:
    """Confusion matrix, rows true, each row in percent."""
    labels = result["labels"]
    counts = np.array(result["metrics"]["confusion"], float)
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(0.75 * len(labels) + 2, 0.65 * len(labels) + 1.4), layout="tight")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            colour = "white" if value > 55 else INK
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=10)
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("recognised")
    axes.set_ylabel("true, % of the row")
    return figure


def reliability_figure(result: Mapping[str, Any]) -> Figure:
    """Accuracy over confidence before and after temperature scaling."""
    figure = Figure(figsize=(9, 3.8), layout="tight")
    for axes, name in zip(figure.subplots(1, 2, sharey=True), ("before", "after"), strict=True):
        part = result["calibration"][name]
        edges = part["edges"]
        heights = [value or 0 for value in part["accuracy"]]
        axes.bar(
            edges[:-1], heights, np.diff(edges), align="edge", color=MAIN, edgecolor="white",
        )  # fmt: skip
        axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
        axes.set_title(f"{name} scaling: ECE {100 * part['ece']:.1f} %", fontsize=11)
        axes.set_xlabel("confidence")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        plain(axes)
    figure.axes[0].set_ylabel("accuracy")
    return figure


def abstention_figure(result: Mapping[str, Any]) -> Figure:
    """Accuracy of the samples that are answered when the least sure are left out."""
    curve = result["abstention"]
    figure = Figure(figsize=(6, 3.6), layout="tight")
    axes = figure.subplots()
    axes.plot(curve["coverage"], curve["accuracy"], color=MAIN, linewidth=2)
    for nth, one in enumerate(curve["thresholds"]):
        if one["threshold"] is not None and one["accuracy"] is not None:
            axes.plot(one["answered"], one["accuracy"], "o", color=SECOND)
            axes.annotate(
                f"aim {one['wanted']:.0%}", (one["answered"], one["accuracy"]),
                textcoords="offset points", xytext=(6, (6, -14)[nth % 2]), fontsize=9, color=SOFT,
            )  # fmt: skip
    axes.set_xlabel("share of samples answered")
    axes.set_ylabel("accuracy of those")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(min(0.5, *curve["accuracy"]), 1.02)
    plain(axes)
    return figure


def bars_figure(rows: Sequence[tuple[str, Sequence[float | None]]], metric: str) -> Figure:
    """Horizontal bars with intervals: ``(name, [value, low, high])``."""
    figure = Figure(figsize=(7.5, 0.42 * len(rows) + 1.1), layout="tight")
    axes = figure.subplots()
    for place, (_, interval) in enumerate(rows):
        value, low, high = numbers(interval)
        axes.barh(place, 100 * value, color=MAIN, height=0.62)
        if low == low:
            axes.plot([100 * low, 100 * high], [place, place], color=INK, linewidth=1.4)
        edge = value if high != high else max(value, high)
        known = value == value
        text = f"{100 * value:.1f}" if known else "no value"
        axes.text(100 * edge + 1 if known else 1, place, text, va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel(f"{METRIC_NAMES.get(metric, metric)}, %")
    plain(axes)
    axes.grid(axis="y", visible=False)
    return figure


def plain(axes: Axes) -> None:
    """A grid and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def page(result: Mapping[str, Any]) -> str:
    """One self-contained HTML page with tables and pictures."""
    metrics = result["metrics"]
    target = result["split"].get("target", "label")
    truth = "" if target == "label" else f"; truth: {target}"
    lead = (
        f"{result['variant']}, {result['samples']} samples of {result['speakers']} people, "
        f"{result['networks']} network{'s' if result['networks'] > 1 else ''}; "
        f"split {result['split'].get('folds', 'whole corpus')}{truth}. Intervals: 95 %, "
        "bootstrap over people."
    )
    parts = [caveat_note(result["split"]["caveat"])]
    if "left_out" in result:
        gone = result["left_out"]
        parts.append(note(f"Left out: {', '.join(gone['what'])}: {gone['why']}.", "warn"))
    parts.append(section("Figures", _figures(metrics)))
    if "intended" in result:
        against = f"Against the corpus's own label, {result['intended']['samples']} samples"
        parts.append(section(against, _figures(result["intended"])))
    if "confusion" in metrics:
        per = metrics["per_class"]
        rows = [
            (label, *(f"{100 * per[k][i]:.1f}" for k in ("precision", "recall", "f1")),
             f"{per['support'][i]:g}")
            for i, label in enumerate(result["labels"])
        ]  # fmt: skip
        head = ("label", "precision", "recall", "F1", "samples")
        picture = image(confusion_figure(result), "confusion matrix")
        parts.append(section("Labels", table(head, rows) + picture))
    if "multilabel" in result:
        parts.append(section("Labels", _multilabel(result["multilabel"])))
    accuracy = [(name, one["accuracy"]) for name, one in result["modalities"].items()]
    parts.append(
        section("Each modality taken away", image(bars_figure(accuracy, "accuracy"), "modalities"))
    )
    parts += [_raters(result["raters"])] if result.get("raters") else []
    parts += [_calibration(result)] if "calibration" in result else []
    parts += [_own_samples(result)] if "own_samples" in result else []
    for column, values in result["groups"].items():
        bars = [(f"{name} ({one['samples']})", one["uar"]) for name, one in values.items()]
        parts.append(section(f"By {column}", image(bars_figure(bars, "uar"), f"by {column}")))
    title = f"Evaluation of {result['name']}"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><main>"
        f"<h1>{html.escape(title)}</h1><p class=lead>{html.escape(lead)}</p>{''.join(parts)}"
        f"<p class=note>{html.escape(CAUTION)}</p></main></html>\n"
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = [
        (METRIC_NAMES[name], *_percent(metrics[name])) for name in METRIC_NAMES if name in metrics
    ]
    return table(("metric", "%", "interval"), rows)


def caveat_note(caveat: str) -> str:
    """What must be said of a split: red for a leak or made people, a note for the rest."""
    if caveat in ("", "clean", "whole corpus"):
        return ""
    return note(caveat, "bad" if "LEAK" in caveat or "SYNTHETIC" in caveat else "warn")


def note(text: str, kind: str = "") -> str:
    """A line of the page; ``kind``: "warn", "bad" or "" for neither."""
    return f"<p class='{f'note {kind}'.strip()}'>{html.escape(text)}</p>"


FITTED_ON = {
    "validation people": "the validation people",
    "other folds": "each fold's on the other folds' answers about their own test people",
}
"""Whose answers temperature, sets and thresholds are fitted on, in words."""


def _calibration(result: Mapping[str, Any]) -> str:
    values = result["calibration"]
    rows = [
        (name, *(f"{values[name][key]:.4f}" for key in ("ece", "adaptive_ece", "nll", "brier")))
        for name in ("before", "after")
    ]
    head = ("temperature scaling", "ECE", "adaptive ECE", "NLL", "Brier")
    temperatures = ", ".join(f"{t:.2f}" for t in values["temperature"])
    out = section(
        "Calibration",
        note(
            f"Temperature, sets and thresholds fitted on {FITTED_ON[result['fitted_on']]}. "
            f"Temperature: {temperatures}."
        )
        + table(head, rows)
        + image(reliability_figure(result), "reliability"),
    )
    rows = [
        (one["method"], f"{one['promised']:.0%}", f"{one['covered']:.1%}",
         f"{one['mean_size']:.2f}", f"{one['single']:.0%}")
        for one in result["sets"]
    ]  # fmt: skip
    head = ("method", "promised", "covered", "labels in a set", "sets of one label")
    out += section("Sets that hold the label", table(head, rows))
    return out + section("Abstention", image(abstention_figure(result), "abstention"))


def _own_samples(result: Mapping[str, Any]) -> str:
    cases = (
        ("each sample by itself", result["metrics"]),
        ("standardised over the person's samples", result["own_samples"]["standardised"]),
    )
    rows = [(name, *_percent(one["accuracy"]), *_percent(one["uar"])) for name, one in cases]
    note = (
        "Answers brought to the level and spread of other people's, without a label; the fewest "
        f"samples of one person: {result['own_samples']['least']}. Assumes that everybody shows the "
        "emotions in about the same shares."
    )
    head = ("answers", "accuracy, %", "interval", "UAR, %", "interval")
    body = f"<p class=note>{note}</p>" + table(head, rows)
    return section("If all of a person's samples are known first", body)


def _raters(values: Mapping[str, Any]) -> str:
    rows = [
        (given, str(one["samples"]),
         *(f"{100 * one[key]:.1f}" for key in ("one_rater", "majority", "network")))
        for given, one in values.items()
    ]  # fmt: skip
    head = ("raters were given", "samples", "one rater, %", "majority of raters, %", "network, %")
    said = "How often the corpus's own label is named."
    voted = [
        (given, str(one["voted"]),
         "" if one["network_as_voted"] is None else f"{100 * one['network_as_voted']:.1f}")
        for given, one in values.items()
    ]  # fmt: skip
    again = ("raters were given", "samples with one most frequent vote", "network names it, %")
    return section("Beside people", note(said) + table(head, rows) + table(again, voted))


def _multilabel(values: Mapping[str, Any]) -> str:
    rows = [
        (label, *("" if one[key] is None else f"{100 * one[key]:.1f}"
                  for key in ("weighted_accuracy", "f1", "weighted_f1")), str(one["support"]))
        for label, one in values["per_class"].items()
    ]  # fmt: skip
    return table(("label", "weighted accuracy", "F1", "weighted F1", "samples"), rows)


def numbers(interval: Sequence[float | None]) -> tuple[float, float, float]:
    """Value, low and high; NaN where there is none."""
    value, low, high = (float("nan") if x is None else x for x in interval)
    return value, low, high


def _percent(interval: Sequence[float | None]) -> tuple[str, str]:
    value, low, high = (100 * x for x in numbers(interval))
    shown = "no value" if value != value else f"{value:.1f}"
    return shown, "" if low != low else f"{low:.1f} to {high:.1f}"


def section(title: str, body: str) -> str:
    """A card of the page."""
    return f"<section><h2>{html.escape(title)}</h2>{body}</section>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of escaped cells."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"


def image(figure: Figure, alt: str) -> str:
    """A figure inside of the page."""
    width = round(figure.get_size_inches()[0] * 96)
    data = base64.b64encode(png_bytes(figure)).decode()
    source = f"data:image/png;base64,{data}"
    return f"<img alt='{html.escape(alt)}' style='max-width:{width}px' src='{source}'>"
