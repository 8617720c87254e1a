import csv
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from avtca.clipspec import ClipSpec
from avtca.errors import ClipSpecMismatch, ConfigError, CorpusError, LeakError
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.study import raters, study, without
from avtca.evaluation.systems import open_system
from avtca.labels import CREMAD
from avtca.plots.evaluation import page


@pytest.fixture(scope="module")
def both(made):
    return open_system(made / "both", made / "prepared")


@pytest.fixture(scope="module")
def result(both):
    return study(both)


def test_every_take_is_answered_by_a_network_that_never_saw_its_speaker(both):
    assert len(both.parts) == 3
    table = both.answers()
    assert sorted(table.takes) == [f"take{i:03d}" for i in range(48)]
    assert both.name == "both"
    for part in both.parts:
        assert not set(part.test.speakers) & set(part.validation.speakers)


def test_the_figures_are_those_of_the_cross_validation(made, both, result):
    known = json.loads((made / "both/result.json").read_text())
    for name in ("accuracy", "uar", "weighted_f1", "macro_f1"):
        assert result["metrics"][name] == known[name]
    assert result["metrics"]["confusion"] == known["confusion"]


def test_what_a_study_says(both, result):
    assert set(result["groups"]) == {"sex", "age", "intensity"}
    assert sum(one["takes"] for one in result["groups"]["age"].values()) == 48
    assert list(result["groups"]["age"]) == ["30 to 49", "50 and over", "under 30"]
    assert set(result["modalities"]) == {"both", "sound alone", "picture alone"}
    assert result["modalities"]["both"]["accuracy"] == result["metrics"]["accuracy"]
    assert len(result["calibration"]["temperature"]) == 3
    for one in result["sets"]:
        assert 0 < one["covered"] <= 1 and 1 <= one["mean_size"] <= 3
    coverage = result["abstention"]["coverage"]
    assert coverage == sorted(coverage) and coverage[-1] == 1
    calibrated = both.calibrated().answers(calibrated=True)
    assert result["abstention"]["accuracy"][-1] == pytest.approx(calibrated.right.mean(), abs=1e-5)
    takes = [len(part.test) // len(set(part.test.speakers)) for part in both.parts]
    assert result["own_takes"]["least"] == min(takes)
    value, low, high = result["own_takes"]["standardised"]["accuracy"]
    assert low <= value <= high
    assert "If all of a person's takes are known first" in page(result).replace("&#x27;", "'")
    json.dumps(result, allow_nan=False)


def test_a_modality_taken_away_cannot_speak(both):
    part = both.parts[0]
    blind = without(part.test, "visual")
    other = replace(
        part.test, raws=list(reversed([part.test.raws[i] for i in range(len(part.test))]))
    )
    assert all(not len(blind.raws[i].steps) for i in range(len(blind)))
    deaf = without(other, "sound")
    assert all(not len(deaf.raws[i].wave) for i in range(len(deaf)))
    alone = replace(both, parts=(part,))
    found = alone.answers(lambda takes: without(without(takes, "visual"), "sound")).probs
    np.testing.assert_allclose(found, found[:1].repeat(len(found), 0), atol=1e-6)


def test_raters_beside_the_network(both, result):
    plain = both.answers()
    votes = both.votes["both"]
    assert votes.shape == (48, 3)
    own = votes[np.arange(48), plain.truth]
    assert result["raters"]["both"]["one_rater"] == pytest.approx(own.mean(), abs=1e-6)
    assert result["raters"]["both"]["majority"] == pytest.approx((own == votes.max(1)).mean())
    assert result["raters"]["both"]["network"] == pytest.approx(plain.right.mean())


def test_crema_d_raters_are_the_published_ones(corpora):
    """63.1 % for one rater and 72.2 % for the majority, of the corpus's own votes."""
    from avtca.corpora.cremad import LABELS, _votes

    columns = _votes(corpora / "cremad" / "tabulatedVotes.csv", "test")
    takes = sorted(columns)
    truth = np.array([LABELS.index(CREMAD[take.split("_")[2]]) for take in takes])
    counts = np.array(
        [[columns[t][f"both_{x}"] * columns[t]["raters_both"] for x in LABELS] for t in takes]
    )
    plain = Predictions(
        LABELS, takes, [t[:4] for t in takes], np.eye(6)[truth], np.full((len(takes), 6), 1 / 6)
    )
    found = raters({"both": counts}, plain)["both"]
    assert found["one_rater"] == pytest.approx(0.631, abs=0.0005)
    assert found["majority"] == pytest.approx(0.722, abs=0.0005)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.links, self.heads = [], [], []
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.inside = tag
        if tag == "img":
            self.images.append(values["src"])
        self.links += [values[k] for k in ("href", "src") if k in values and tag != "img"]

    def handle_data(self, data):
        if self.inside == "h2" and data.strip():
            self.heads.append(data.strip())


def test_the_page_holds_its_pictures_and_nothing_from_elsewhere(result):
    text = page(result)
    found = Tags()
    found.feed(text)
    assert len(found.images) == 7
    assert all(src.startswith("data:image/png;base64,") for src in found.images)
    assert not found.links
    for head in ("Figures", "Labels", "Calibration", "Abstention", "By sex", "Beside people"):
        assert head in found.heads
    assert "LEAK" not in text


def test_people_of_training_are_refused(made, tmp_path):
    run = made / "both" / "seed0" / "fold0"
    card = json.loads((run / "best.json").read_text())
    trained = card["provenance"]["train"]["speakers"]
    splits = [{"train": [], "validation": [], "test": trained}]
    (tmp_path / "swap.json").write_text(json.dumps({"unit": "speaker", "splits": splits}))
    swap = str(tmp_path / "swap.json")
    with pytest.raises(LeakError, match=f"{len(trained)} speakers were trained on"):
        open_system(run, made / "prepared", folds=swap, fold=0)
    allowed = open_system(run, made / "prepared", folds=swap, fold=0, allow_leak=True)
    assert set(allowed.answers().speakers) == set(trained)
    assert "2 speakers of the test were trained on" in allowed.mark
    assert "LEAK" in page(study(allowed))


def test_a_single_run_is_tested_on_its_own_fold(made):
    system = open_system(made / "both" / "seed0" / "fold2", made / "prepared")
    assert set(system.answers().speakers) == {"p4", "p5"}


def test_what_cannot_be_evaluated(made, tmp_path):
    with pytest.raises(CorpusError):
        open_system(made / "both", tmp_path)
    run = made / "both"
    (tmp_path / "seed0" / "fold0").mkdir(parents=True)
    with pytest.raises(ConfigError, match="fold0 not finished"):
        open_system(tmp_path, made / "prepared")
    card = run / "seed0/fold0/best.json"
    values = json.loads(card.read_text())
    assert ClipSpec.from_dict(values["clip_spec"]).sample_rate == 8000
    values["clip_spec"]["sample_rate"] = 16000
    values["clip_spec"]["hop"] = 160
    copied = tmp_path / "other.json"
    copied.write_text(json.dumps(values))
    (tmp_path / "other.safetensors").write_bytes(
        (run / "seed0/fold0/best.safetensors").read_bytes()
    )
    with pytest.raises(ClipSpecMismatch, match="sample_rate"):
        open_system(tmp_path / "other", made / "prepared")


def test_answers_are_saved_with_the_report(made, tmp_path):
    from typer.testing import CliRunner

    from avtca.cli import build_app

    run = CliRunner().invoke(
        build_app(),
        ["evaluate", str(made / "both"), str(made / "prepared"), "--out", str(tmp_path)],
    )
    assert run.exit_code == 0, run.output
    assert {p.name for p in tmp_path.iterdir()} == {
        "evaluation.json",
        "evaluation.html",
        "evaluation.csv",
    }
    with (tmp_path / "evaluation.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 48
    assert "accuracy" in run.output
