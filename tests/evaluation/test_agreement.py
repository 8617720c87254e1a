"""Agreement with a coder, against scikit-learn or by hand; the table of samples."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_samples import make_samples
from sklearn.metrics import cohen_kappa_score

from avtca.errors import ConfigError
from avtca.evaluation.aggregate import baselines, pool
from avtca.evaluation.agreement import agreement, distances, similarity_weights
from avtca.evaluation.estimates import Baselines
from avtca.evaluation.evaluated_model import FoldModel
from avtca.evaluation.metrics import confusion
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.sample_table import disagreements, sample_rows, table_columns
from avtca.kappa import kappa, one_against_rest

NAMES = ("angry", "disgust", "happy", "neutral")


def table(truth, named, labels=NAMES, speakers=None):
    """Predictions whose most probable label is ``named``."""
    n, k = len(truth), len(labels)
    names = [f"s{i}" for i in range(n)]
    probs = np.eye(k)[named] * 0.7 + 0.3 / k
    return Predictions(labels, names, speakers or names, np.eye(k)[truth], probs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_equals_scikit_learn(seed, weights):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, 80)
    named = np.where(rng.random(80) < 0.6, truth, rng.integers(0, 5, 80))
    matrix = confusion(truth, named, 5)
    ours = {None: None, "linear": distances(5), "quadratic": distances(5) ** 2}[weights]
    theirs = cohen_kappa_score(truth, named, weights=weights, labels=range(5))
    assert kappa(matrix, ours) == pytest.approx(theirs)
    for label in range(5):
        one = kappa(one_against_rest(matrix, label))
        assert one == pytest.approx(cohen_kappa_score(truth == label, named == label))


def test_kappa_of_a_published_table():
    """Cohen 1960's two raters: agreement 0.70 with 0.41 by chance; stacks give one value each."""
    matrix = np.array([[25, 13, 12], [12, 2, 16], [3, 15, 2]])
    p = matrix / matrix.sum()
    by_chance = p.sum(1) @ p.sum(0)
    wanted = (np.trace(p) - by_chance) / (1 - by_chance)
    assert kappa(np.stack([matrix, 2 * matrix])) == pytest.approx([wanted, wanted])
    assert np.isnan(kappa(np.array([[9, 0], [0, 0]])))


def test_confusions_of_similar_labels_count_half():
    # Rows angry, disgust, happy, neutral: 8 right, 2 angry named disgust, 2 happy named angry.
    truth = [0] * 4 + [1] * 2 + [2] * 4 + [3] * 2
    named = [0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 3, 3]
    found = agreement(table(truth, named))
    n = 12
    rows, columns = np.array([4, 2, 4, 2]), np.array([4, 4, 2, 2])
    plain, half = 1 - np.eye(4), 1 - np.eye(4)
    half[0, 1] = half[1, 0] = 0.5
    by_chance = np.outer(rows, columns) / n
    assert found.kappa.value == pytest.approx(1 - 4 / (plain * by_chance).sum(), abs=1e-5)
    assert found.weighted.value == pytest.approx(1 - 3 / (half * by_chance).sum(), abs=1e-5)
    assert (similarity_weights(NAMES) == half).all()
    assert "angry, contempt, disgust, fear, sad" in found.rule
    assert found.per_label["neutral"].value == 1
    low, high = found.kappa[1:]
    assert low < found.kappa.value < high


def test_absent_labels_have_no_value_and_are_in_no_mean():
    predictions = table([0, 0, 1, 1], [0, 2, 1, 1])
    metrics = pool([predictions])
    assert metrics.absent == ["happy", "neutral"]
    assert metrics.per_class.precision == [1, 1, None, None]
    assert metrics.per_class.recall == [0.5, 1, None, None]
    assert metrics.per_class.support == [2, 2, 0, 0]
    f1 = (2 / 3 + 1) / 2  # of angry and disgust
    assert metrics.uar.value == 0.75
    assert metrics.macro_f1.value == metrics.weighted_f1.value == pytest.approx(f1, abs=1e-5)
    found = agreement(predictions)
    assert found.per_label["happy"] == (None, None, None)
    assert found.per_label["disgust"].value == 1


def test_baselines_are_those_of_guessing_and_of_the_most_frequent_label():
    found = baselines(table([0, 2, 2, 2], [0, 0, 0, 0]))
    assert found == Baselines(chance=0.25, majority=0.75, majority_uar=0.5, majority_label="happy")


def test_several_labels_have_no_kappa():
    binary = Predictions(("a", "b"), ["x"], ["p"], np.ones((1, 2)), np.ones((1, 2)), "sigmoid")
    assert agreement(binary) is None and baselines(binary) is None


def test_sentiment_is_weighted_by_distance():
    truth, value = np.array([[-3.0], [0], [2], [3]]), np.array([[-2.0], [0.2], [2.2], [1.0]])
    linear = Predictions(("sentiment",), list("abcd"), list("abcd"), truth, value, "linear")
    found = agreement(linear)
    wanted = cohen_kappa_score([-3, 0, 2, 3], [-2, 0, 2, 1], weights="linear", labels=range(-3, 4))
    assert found.weighted.value == pytest.approx(wanted, abs=1e-5)


def test_a_modality_is_there_unless_the_manifest_denies_it():
    samples = make_samples(3)
    assert samples.modalities.all() and samples.modalities.shape == (3, 2)
    known = {"voice_coverage": [0.5, 0.0, 0.0], "face_coverage": [0.0, 0.2, 1.0]}
    known["audio_hash"] = ["", "", "0f"]  # the last one has audio without a voice
    samples = replace(samples, metadata=known)
    assert samples.modalities.tolist() == [[True, False], [False, True], [True, True]]


def test_a_row_tells_what_a_reader_must_know():
    metadata = {
        "path": ["a.mp4", "a.mp4", "b.wav"],
        "source": ["a.mp4", "a.mp4", "b.wav"],
        "start_s": [0.0, 1.0, None],
        "end_s": [1.5, 4.0, float("nan")],
        "voice_coverage": [1.0, 1.0, 1.0],
        "face_coverage": [0.5, 1.0, 0.0],
    }
    data = replace(
        make_samples(3),
        speakers=["ann", "bob", "ann"],
        durations=[1.5, 2.0, 3.0],
        metadata=metadata,
    )
    model = SimpleNamespace(folds=[FoldModel((), data, None, "", frozenset({"bob"}))])
    rows = sample_rows(model, table([0, 1, 2], [0, 2, 1], ("low", "middle", "high")))
    assert [row.name for row in rows] == ["a.mp4 0-1.5 s", "a.mp4 1-4 s", "b.wav"]
    assert [row.notes for row in rows] == [
        ("face seen for 0.8 s", "same audio as bob"),
        ("the file ends 2.0 s after the start", "same audio as ann"),
        (),
    ]
    assert [row.streams for row in rows] == ["both", "both", "audio only"]
    assert [row.trained_on for row in rows] == [False, True, False]
    found = [(row.label, row.recognised) for row in disagreements(rows)]
    assert found == [("middle", "high"), ("high", "middle")]
    columns = table_columns(rows)
    assert columns["end"] == [1.5, 4.0, None] and columns["confidence"] == [0.8] * 3
    assert columns["notes"][0] == "face seen for 0.8 s | same audio as bob"


def test_further_columns_are_skipped_when_predictions_are_read(tmp_path):
    predictions = table([0, 1], [0, 0])
    columns = {"path": ["=a.mp4", "b"], "label": ["angry", "disgust"]}
    predictions.save(tmp_path / "table.csv", columns=columns)
    head, first, _ = (tmp_path / "table.csv").read_text().splitlines()
    assert head.startswith("sample_id,speaker,path,label,true:angry,")
    assert first.startswith("s0,s0,'=a.mp4,angry,1,0,")
    again = Predictions.load(tmp_path / "table.csv")
    assert again.samples == predictions.samples and again.labels == NAMES
    np.testing.assert_allclose(again.probs, predictions.probs)
    (tmp_path / "table.csv").write_text("sample_id,path,true:a,p:a\nx,y,1,1\n")
    with pytest.raises(ConfigError, match="its columns are not those of predictions"):
        Predictions.load(tmp_path / "table.csv")
