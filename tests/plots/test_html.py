"""HTML pages."""

import copy
import dataclasses
import re
from html.parser import HTMLParser

import pytest
from small_reports import make_person, make_report, make_row

from avtca.evaluation.report import EvaluationReport, RobustnessReport
from avtca.plots.faces import FaceStrip
from avtca.plots.html import (
    PageEntry,
    card_html,
    evaluation_html,
    recognition_html,
    robustness_html,
    today,
)
from avtca.plots.style import THEME


def interval(value):
    return [value, value - 0.05, value + 0.05]


def metrics(value=0.7):
    names = ("accuracy", "uar", "weighted_f1", "macro_f1")
    return {name: interval(value) for name in names}


CALIBRATION = {
    "ece": 0.1,
    "adaptive_ece": 0.1,
    "nll": 0.9,
    "brier": 0.4,
    "confidence": [None, 0.75],
    "accuracy": [None, 0.8],
    "count": [0, 48],
    "edges": [0.0, 0.5, 1.0],
}
EVALUATION = {
    "name": "<run>",
    "variant": "experts",
    "clip_spec_hash": "abc",
    "split": {
        "caveats": [
            {"kind": "leak", "text": "<two> speakers"},
            {"kind": "normalised", "text": "normalised"},
            {"kind": "whole corpus", "text": "all of it"},
        ],
        "folds": "luna",
    },
    "networks": 2,
    "labels": ["low<", "high"],
    "samples": 48,
    "speakers": 6,
    "metrics": {
        **metrics(),
        "samples": 24,
        "speakers": 6,
        "labels": ["low<", "high"],
        "level": 0.95,
        "confusion": [[10, 2], [3, 9]],
        "per_class": {
            "precision": [0.5, 0.6],
            "recall": [0.5, 0.6],
            "f1": [0.5, 0.6],
            "support": [12, 12],
        },
    },
    "modalities": {"both": metrics(), "audio only": metrics(0.4)},
    "agreement": {
        "kappa": [0.5, 0.4, 0.6],
        "weighted": [0.6, 0.5, 0.7],
        "rule": "some <count>",
        "per_label": {"low<": [0.5, 0.4, 0.6], "high": [None, None, None]},
    },
    "groups": {"sex": {"<f>": {"samples": 4, **metrics()}}},
    "raters": {
        "both": {
            "samples": 48,
            "one_rater": 0.6,
            "majority": 0.7,
            "network": 0.5,
            "voted": 40,
            "network_as_voted": None,
        }
    },
    "fitted_on": "validation speakers",
    "calibration": {"temperature": [1.25, 1.5], "before": CALIBRATION, "after": CALIBRATION},
    "sets": [{"method": "lac", "promised": 0.9, "covered": 0.91, "mean_size": 1.4, "single": 0.6}],
    "abstention": {
        "aurc": 0.1,
        "coverage": [0.5, 1.0],
        "accuracy": [0.9, 0.7],
        "thresholds": [{"wanted": 0.8, "threshold": [0.6], "answered": 0.7, "accuracy": 0.82}],
    },
    "speaker_normalisation": {"min_samples": 4, "normalised": metrics()},
}
ROBUSTNESS = {
    "systems": {
        "<one>": {
            "noise": [{"level": level, **metrics(0.6)} for level in (None, 10)],
            "modality": [{"level": level, **metrics(0.6)} for level in ("both", "audio only")],
        }
    },
    "units": {"noise": "dB SNR", "modality": ""},
    "splits": {"<one>": {"caveats": [{"kind": "unchecked", "text": "a <note>"}]}},
    "samples": {"<one>": 48},
}


def recognition_page():
    report = make_report([make_row(0, 4, 0.7)], "<b>x&y.mp4")
    entry = PageEntry(report, "sad<", FaceStrip(b"faces", (1.0,)), ((0, b"face"),))
    return "".join(recognition_html([entry], [("bad<", "why & how")]))


PAGES = {
    "recognition": recognition_page,
    "evaluation": lambda: evaluation_html(EvaluationReport.from_dict(EVALUATION)),
    "robustness": lambda: robustness_html(RobustnessReport.from_dict(ROBUSTNESS)),
}


class Parsed(HTMLParser):
    """Tags without an end, what pages load, and their text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.loaded, self.text, self.ids = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.loaded += [value for name, value in attributes if name in ("href", "src")]
        self.ids += [given["id"]] if "id" in given else []
        if tag == "th":
            assert given.get("scope") in ("col", "row", "colgroup")
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_well_formed_and_load_nothing(name):
    page = PAGES[name]()
    parsed = Parsed(page)
    assert parsed.open == []
    for url in parsed.loaded:
        assert url.startswith("data:image/png;base64,") or url.removeprefix("#") in parsed.ids
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert all(one.startswith(("data:image/", "#")) for one in page.split("url(")[1:])
    policy = "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    assert policy in page
    assert "{{" not in page and "{%" not in page and "nan" not in parsed.text


@pytest.mark.parametrize("name", PAGES)
def test_pages_name_the_law_against_misuse(name):
    assert "EU AI Act, Art. 5(1)(f)" in PAGES[name]()


@pytest.mark.parametrize(
    ("name", "texts"),
    {
        "recognition": ("<b>x&y.mp4", "bad<", "why & how", "a <note>", "labelled sad<"),
        "evaluation": ("<run>", "<two>", "low<"),
        "robustness": ("<one>", "a <note>"),
    }.items(),
)
def test_pages_escape_names_and_messages(name, texts):
    page = PAGES[name]()
    text = Parsed(page).text
    for given in texts:
        assert given in text
        assert given not in page


def test_caveats_are_coloured_by_their_kind():
    page = PAGES["evaluation"]()
    assert '<p class="note error">&lt;two&gt; speakers</p>' in page
    assert '<p class="note warning">normalised</p>' in page
    assert "all of it" not in page


def test_a_page_without_optional_parts_has_the_others():
    optional = ("raters", "calibration", "speaker_normalisation")
    report = {key: value for key, value in EVALUATION.items() if key not in optional}
    page = evaluation_html(EvaluationReport.from_dict(report))
    assert "Human raters" not in page and "Calibration" not in page
    assert "<h2>Missing modality</h2>" in page


def test_the_recognition_page_explains_its_confidences():
    report = make_report([make_row(0, 2, 0.8, used=("face", "voice"))])
    report = dataclasses.replace(report, thresholds={"both": 0.71})
    page = "".join(recognition_html([PageEntry(report)], title="t", lead="l"))
    assert '70 % <span class="state below threshold">below threshold</span>' in page
    assert "under 71% with face and voice together" in page


def test_the_lead_counts_the_files_of_each_state():
    rows = [make_row(0, 4, 0.7, used=("face", "voice"))]
    reports = [make_report(rows, f"{i}.mp4") for i in range(6)]
    thresholds = [{"both": 0.7}, {"both": 0.7}, {"both": 0.71}, {}, {}, {}]
    reports = [
        dataclasses.replace(report, thresholds=one)
        for report, one in zip(reports, thresholds, strict=True)
    ]
    reports[5] = dataclasses.replace(reports[5], doubts=("still face",), warnings=())
    page = "".join(
        recognition_html(list(map(PageEntry, reports)), [("a", "b")], options={"windows": "2 s"})
    )
    found = re.findall(r'data-state="([a-z ]+)" aria-pressed[^>]*><b>(\d+)</b>', page)
    expected = {"confident": 2, "below threshold": 1, "no threshold": 2, "in doubt": 1}
    assert dict(found) == {
        name: str(n) for name, n in (expected | {"failed": 1, "warnings": 5}).items()
    }
    assert page.count('<tbody data-state="no threshold"') == 2
    for name, value in {"model": "test", "windows": "2 s", "date": today()}.items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page


def test_the_name_of_a_file_is_on_its_card_once():
    page = recognition_page()
    card = page[page.index("<article") : page.index("</article>")]
    assert card.count("x&amp;y.mp4") == 1


def test_the_confusion_matrix_has_counts_and_shares_in_one_order():
    values = copy.deepcopy(EVALUATION)
    values.pop("agreement", None)
    values["metrics"] |= {"labels": ["sad", "angry"], "confusion": [[10, 2], [0, 0]]}
    page = evaluation_html(EvaluationReport.from_dict(values))
    matrix = page[page.index('class="matrix"') :]
    rows = re.findall(r'<th scope="row">(.*?)</tr>', matrix[: matrix.index("</table>")], re.DOTALL)
    cells = [re.sub(r"<[^>]*>", " ", row).split() for row in rows]
    assert cells == [["angry", "0", "–", "–"], ["sad", "12", "2", "17", "%", "10", "83", "%"]]


def test_figures_are_drawn_for_windows_and_phones_in_colours_of_the_page():
    page = PAGES["evaluation"]()
    assert page.count('<div class="page"><svg') == page.count('<div class="phone"><svg') == 4
    drawings = page[page.index('<div class="chart"') :]
    assert "var(--text)" in drawings and "var(--series0)" in drawings
    assert not set(THEME) & set(re.findall(r"#[0-9a-f]{6}", drawings))


def test_robustness_shows_paired_differences_and_words_on_the_axes():
    values = copy.deepcopy(ROBUSTNESS)
    values["systems"]["two"] = copy.deepcopy(values["systems"]["<one>"])
    values["systems"]["two"]["noise"][1] |= {
        "change": [-0.12, -0.2, -0.04],
        "against": [0.031, None, None],
    }
    page = Parsed(robustness_html(RobustnessReport.from_dict(values)))
    text = " ".join(page.text.split())
    assert "change, points-12.0 -20.0 to -4.0" in text
    assert "minus <one>, points+3.1" in text
    assert "signal-to-noise ratio, dB" in text and "input that is left" in text


def test_people_have_rows_with_their_faces():
    people = [make_person(3, 0.9), make_person(7, 0.2, seen_s=2.5)]
    report = make_report([make_row(0, 2, 0.9, 3), make_row(0, 2, 0.2, 7)], people=people)
    page = "".join(recognition_html([PageEntry(report, thumbnails=((3, b"face of three"),))]))
    assert page.count('<tr class="person">') == 2
    assert page.count("ZmFjZSBvZiB0aHJlZQ==") == 1
    assert page.count('class="face face-1-3"') == 2


def test_files_of_one_name_are_shown_with_their_folders():
    rows = [make_row(0, 4, 0.7)]
    first, second = make_report(rows, "/s/a/x.mp4"), make_report(rows, "/s/b/x.mp4")
    page = "".join(recognition_html([PageEntry(first), PageEntry(second)]))
    assert "<h3>a/x.mp4</h3>" in page and '<a href="#file-2">b/x.mp4</a>' in page


def test_a_card_is_a_fragment_with_the_timeline():
    card = card_html(make_report([make_row(0, 4, 0.7)], "/s/<x>.mp4"))
    parsed = Parsed(card)
    assert parsed.open == [] and len(parsed.loaded) == 1
    assert "<x>.mp4" in parsed.text and "<x>" not in card
    assert "<html" not in card and "<style" not in card
