"""Self-contained HTML pages of reports, rendered from the templates beside this module.

Figures and the stylesheet are embedded, so that a page opens offline and loads nothing. Jinja2
escapes every value.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from avtca.plots import evaluation_figures
from avtca.plots.evaluation_figures import METRIC_NAMES
from avtca.plots.recognition_table import legend, short_names, table_heads, table_rows
from avtca.plots.robustness_figures import condition_figure, level_name
from avtca.plots.timeline import WIDTH_IN

if TYPE_CHECKING:
    from avtca.evaluation.report import (
        Estimate,
        EvaluationReport,
        MetricName,
        RobustnessPoint,
        RobustnessReport,
    )
    from avtca.evaluation.sample_table import SampleRow
    from avtca.recognize.report import Report

CONDITION_TITLES = {
    "modality": "Missing modality",
    "noise": "Pink noise on the audio",
    "reverberation": "Reverberation",
    "codec": "Audio codecs",
    "dropped frames": "Missing video frames",
    "black frames": "Black video frames",
    "blur": "Blurred video",
    "occlusion": "Partly covered faces",
    "feature noise": "Noise on the video features",
    "shift": "Audio shifted against the video",
    "length": "Shorter samples",
}


class PageEntry(NamedTuple):
    """A recognised file on a page.

    Attributes:
        report: Its report.
        png: The figure of its timeline, a PNG file or its content.
        label: Its true label, if known.
        thumbnails: Number and PNG of a face of each person, where there is one.
    """

    report: "Report"
    png: Path | bytes
    label: str | None = None
    thumbnails: tuple[tuple[int, Path | bytes], ...] = ()


def recognition_html(
    entries: Sequence[PageEntry],
    failures: Sequence[tuple[str, str]] = (),
    *,
    title: str = "avtca report",
    lead: str = "",
) -> Iterator[str]:
    """A page with a table of all files and the timeline of each, in parts.

    Figures are read from their files as the page is written.

    Args:
        entries: Recognised files.
        failures: Names of files that could not be read, each with the error message.
        title: Title of the page.
        lead: Line below the title.
    """
    names = short_names([entry.report.file for entry in entries] + [name for name, _ in failures])
    labelled = any(entry.label for entry in entries)
    return (
        _environment()
        .get_template("recognition.html")
        .generate(
            title=title,
            lead=lead,
            files=list(zip(names, entries, strict=False)),
            failures=[
                (name, why) for name, (_, why) in zip(names[len(entries) :], failures, strict=True)
            ],
            labelled=labelled,
            heads=table_heads(labelled),
            table_rows=table_rows,
            legend=legend([entry.report for entry in entries]),
        )
    )


def card_html(report: "Report") -> str:
    """An HTML fragment with the summary and the timeline of one report, for notebooks."""
    (name,) = short_names([report.file])
    return render("card.html", name=name, entry=PageEntry(report, png_bytes(report.plot())))


def evaluation_html(
    report: "EvaluationReport",
    disagreements: Sequence["SampleRow"] = (),
    cards: Mapping[str, str] | None = None,
) -> str:
    """A page with the tables and figures of an evaluation report.

    Args:
        report: Evaluation report.
        disagreements: Samples whose predicted label is not the given one.
        cards: Links to the page of a sample, by sample.
    """
    return render(
        "evaluation.html",
        report=report,
        disagreements=disagreements,
        cards=cards or {},
        figures=evaluation_figures,
    )


def robustness_html(report: "RobustnessReport", *, metric: "MetricName" = "accuracy") -> str:
    """A page with a figure and a table for each condition of a robustness report.

    Args:
        report: Robustness report.
        metric: Metric to show.
    """
    conditions: dict[str, dict[str, list[RobustnessPoint]]] = {}
    for model, curves in report.systems.items():
        for condition, points in curves.items():
            if condition == "shift":
                points = sorted(points, key=lambda point: float(point.level or 0))
            conditions.setdefault(condition, {})[model] = points
    caveats = dict.fromkeys(one for split in report.splits.values() for one in split.caveats)
    found = [*(report.baselines or {}).values()]
    return render(
        "robustness.html",
        report=report,
        baselines=found[0] if found and found.count(found[0]) == len(found) else None,
        metric=metric,
        caveats=caveats,
        conditions=conditions,
        titles=CONDITION_TITLES,
        condition_figure=condition_figure,
    )


def render(template: str, **values: Any) -> str:
    """Render a template of this package."""
    return _environment().get_template(template).render(**values)


def png_bytes(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("avtca.plots"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"metric_names": METRIC_NAMES, "timeline_width_px": _px(WIDTH_IN)}
    environment.filters |= {
        "bounds": _bounds,
        "dash": lambda text: "–" if text in (None, "no value") else text,
        "two_digits": lambda value: "–" if value is None else f"{value:.2f}",
        "data_uri": _data_uri,
        "estimate": lambda estimate: _percent(estimate.value),
        "level_name": level_name,
        "percent": _percent,
        "width_px": lambda figure: _px(figure.get_size_inches()[0]),
    }
    return environment


def _px(inches: float) -> int:
    """CSS pixels of a length."""
    return round(inches * 96)


def _data_uri(picture: Figure | Path | bytes) -> str:
    if isinstance(picture, Path):
        png = picture.read_bytes()
    else:
        png = picture if isinstance(picture, bytes) else png_bytes(picture)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _percent(value: float | None, digits: int = 1) -> str:
    return "no value" if value is None else f"{100 * value:.{digits}f}"


def _bounds(estimate: "Estimate") -> str:
    """Lower and upper bound in percent; empty where there are none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
