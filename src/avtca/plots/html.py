"""Self-contained HTML pages of reports, rendered from the templates beside this module.

Pictures, style and script are embedded, and a policy in the page forbids to load anything, so that
it opens offline. Jinja2 escapes every value.
"""

import base64
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from avtca.plots.drawing import PAGE_IN, PHONE_IN, Draw, inline_svg, png_bytes, theme_css
from avtca.plots.evaluation_figures import METRIC_NAMES, evaluation_figures
from avtca.plots.faces import FaceStrip, make_strip
from avtca.plots.recognition_table import (
    INPUT_NAMES,
    STATES,
    count_states,
    legend,
    listed_people,
    short_names,
    state,
    state_text,
)
from avtca.plots.robustness_figures import (
    CONDITIONS,
    all_levels,
    curves_by_condition,
    level_name,
    robustness_figures,
)
from avtca.plots.style import label_colours, label_order
from avtca.plots.timeline import WIDTH_IN
from avtca.plots.timeline_view import timeline_view

if TYPE_CHECKING:
    from avtca.evaluation.report import (
        Estimate,
        EvaluationReport,
        MetricName,
        RobustnessReport,
    )
    from avtca.evaluation.sample_table import SampleRow
    from avtca.recognize.report import Report

METRIC_WORDS = {
    "accuracy": "share of samples whose label is predicted",
    "uar": "mean of the labels' recall: rare emotions count as much as frequent ones",
    "weighted_f1": "mean of the labels' F1, weighted by their samples",
    "macro_f1": "mean of the labels' F1: all labels count the same",
}
"""What the metrics mean."""


class PageEntry(NamedTuple):
    """A recognised file on a page.

    Attributes:
        report: Its report.
        label: Its true label, if known.
        faces: Faces above its timeline; by default the thumbnails of the report.
        thumbnails: Number and PNG of a face of each person, where there is one.
    """

    report: "Report"
    label: str | None = None
    faces: FaceStrip | None = None
    thumbnails: tuple[tuple[int, Path | bytes], ...] = ()


def recognition_html(
    entries: Sequence[PageEntry],
    failures: Sequence[tuple[str, str]] = (),
    *,
    title: str = "Emotions in recordings",
    lead: str = "",
    options: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A page with a table of all files and the timeline of each, in parts.

    Pictures are read from their files as the page is written.

    Args:
        entries: Recognised files.
        failures: Names of files that could not be read, each with the error message.
        title: Title of the page.
        lead: Line below the title.
        options: Options of the recognition, for the top of the page.
    """
    reports = [entry.report for entry in entries]
    names = short_names([report.file for report in reports] + [name for name, _ in failures])
    models = ", ".join(dict.fromkeys(report.model for report in reports))
    labels = list(dict.fromkeys(label for report in reports for label in report.labels))
    return (
        _environment()
        .get_template("recognition.html")
        .generate(
            title=title,
            lead=lead,
            facts=({"model": models} if models else {}) | {"date": today()} | dict(options or {}),
            n=len(names),
            files=list(zip(names, map(_with_faces, entries), strict=False)),
            failures=[
                (name, why) for name, (_, why) in zip(names[len(entries) :], failures, strict=True)
            ],
            labelled=any(entry.label for entry in entries),
            labels=[labels[i] for i in label_order(labels)],
            legend=legend(reports),
            states=count_states(reports, len(failures)),
            warned=sum(bool(report.warnings) for report in reports),
        )
    )


def _with_faces(entry: PageEntry) -> PageEntry:
    if entry.faces is not None:
        return entry
    return entry._replace(faces=make_strip(entry.report.thumbnails, entry.report.duration_s))


def card_html(report: "Report") -> str:
    """An HTML fragment with the summary and the timeline of one report, for notebooks."""
    (name,) = short_names([report.file])
    return render("card.html", name=name, report=report, png=png_bytes(report.plot()))


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
        figures=evaluation_figures(report),
        facts={"date": today()},
    )


def robustness_html(report: "RobustnessReport", *, metric: "MetricName" = "accuracy") -> str:
    """A page with a figure and a table for each condition of a robustness report.

    Args:
        report: Robustness report.
        metric: Metric to show.
    """
    caveats = dict.fromkeys(one for split in report.splits.values() for one in split.caveats)
    return render(
        "robustness.html",
        report=report,
        metric=metric,
        caveats=caveats,
        conditions=curves_by_condition(report),
        words=CONDITIONS,
        all_levels=all_levels,
        points_by_level=lambda points: {point.level: point for point in points},
        figures=robustness_figures(report, metric),
        facts={"date": today()},
    )


def render(template: str, **values: Any) -> str:
    """Render a template of this package."""
    return _environment().get_template(template).render(**values)


def today() -> str:
    """The date for the top of a page."""
    return datetime.date.today().isoformat()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("avtca.plots"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "facts": {},
        "metric_names": METRIC_NAMES,
        "metric_words": METRIC_WORDS,
        "label_order": label_order,
        "theme_css": Markup(theme_css()),
        "timeline_view": timeline_view,
        "timeline_width_px": _px(WIDTH_IN),
        "inputs": INPUT_NAMES,
        "listed_people": listed_people,
        "state": state,
        "state_text": state_text,
        "state_meanings": STATES,
        "colours": lambda report: dict(
            zip(report.labels, label_colours(report.labels), strict=True)
        ),
    }
    filters: dict[str, Callable[..., Any]] = {
        "bounds": _bounds,
        "css": lambda number: f"{number:.2f}".rstrip("0").rstrip("."),
        "dash": lambda text: "–" if text in (None, "no value") else text,
        "two_digits": lambda value: "–" if value is None else f"{value:.2f}",
        "data_uri": _data_uri,
        "estimate": lambda estimate: _percent(estimate.value),
        "level_name": level_name,
        "percent": _percent,
        "drawings": _drawings,
    }
    environment.filters |= filters
    return environment


def _px(inches: float) -> int:
    """CSS pixels of a length."""
    return round(inches * 96)


def _data_uri(picture: Path | bytes, kind: str = "png") -> str:
    data = picture.read_bytes() if isinstance(picture, Path) else picture
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def _drawings(draw: Draw) -> dict[str, Markup]:
    """A figure for windows and for phones, by CSS class."""
    widths = {"page": PAGE_IN, "phone": PHONE_IN}
    return {name: Markup(inline_svg(draw(width_in=width))) for name, width in widths.items()}


def _percent(value: float | None, digits: int = 1) -> str:
    return "no value" if value is None else f"{100 * value:.{digits}f}"


def _bounds(estimate: "Estimate") -> str:
    """Lower and upper bound in percent; empty where there are none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
