"""The heads of the packaged model: choices are nested, figures come from the kept predictions."""

import json
from dataclasses import replace
from pathlib import Path

import heads
import numpy as np
import predictions
import pytest
import torch
from linear import Linear, Table, fit_exponents, fit_linear, pool
from predictions import KEPT, RESULTS, SampleTable, figures

LABELS = ("angry", "happy", "sad")
GROUPS = [[f"made/{n}", f"made/{n + 1}"] for n in (0, 2, 4)]


def table(seed: int, noise: float = 1.0) -> Table:
    """Two windows of each of 60 samples of six speakers; features point to the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    centres = np.random.default_rng(9).normal(size=(3, 5))
    sample = np.repeat(np.arange(60), 2)
    features = centres[labels[sample]] + noise * rng.normal(size=(120, 5))
    return Table(
        np.array([f"sample{n}" for n in range(60)]),
        np.array([f"made/{n // 10}" for n in range(60)]),
        np.array([LABELS[at] for at in labels]),
        sample,
        np.tile([0, 18], 60),
        np.zeros(120, np.int64),
        features.astype(np.float32),
    )


def kinds(audio: Table, face: Table) -> dict[str, heads.Modality]:
    return {
        "audio": heads.modality("audio", audio, LABELS),
        "face": heads.modality("face", face, LABELS),
    }


def run(audio: Table, face: Table) -> tuple[SampleTable, list[dict]]:
    outputs = {"both": (["audio", "face"], LABELS)}
    # The degraded variant of these tables is the plain one.
    rough = [replace(one, variant=one.variant + heads.DEGRADED) for one in (audio, face)]
    doubled = [
        replace(
            one,
            **{
                name: np.concatenate((getattr(one, name), getattr(other, name)))
                for name in ("sample", "start", "variant", "features")
            },
        )
        for one, other in zip((audio, face), rough, strict=True)
    ]
    found, log = heads.nested(kinds(*doubled), GROUPS, LABELS, outputs)
    return found["both"], log


@pytest.fixture(scope="module")
def tables() -> tuple[Table, Table]:
    return table(0), table(1, noise=2.0)


def test_nothing_of_a_fold_is_chosen_with_its_own_labels(tables: tuple[Table, Table]) -> None:
    first, chosen = run(*tables)
    test = tables[0].of_speakers(GROUPS[0])
    labels = tables[0].labels.copy()
    labels[test] = np.roll(labels[test], 1)
    again, chosen_again = run(*(replace(one, labels=labels) for one in tables))
    assert chosen[0] == chosen_again[0]
    np.testing.assert_array_equal(first.posteriors[test], again.posteriors[test])
    np.testing.assert_array_equal(first.in_set[test], again.in_set[test])
    np.testing.assert_array_equal(first.sure[test], again.sure[test])
    assert not np.array_equal(first.posteriors[~test], again.posteriors[~test])


def test_two_modalities_are_better_than_one(tables: tuple[Table, Table]) -> None:
    found, _ = run(*tables)
    right = figures(found)["accuracy"][0]
    assert right > 0.8
    assert found.posteriors.sum(1) == pytest.approx(np.ones(60))


def test_the_fit_is_that_of_a_logistic_regression() -> None:
    """Against scikit-learn, whose C is 1 / (n l2) for a mean loss with half the squared norm."""
    from sklearn.linear_model import LogisticRegression

    data = table(2)
    head = fit_linear(data, LABELS, {"made": 1.0}, 0.05)
    x = (data.features - head.mean) / head.scale
    y = np.arange(60)[data.sample] % 3
    reference = LogisticRegression(C=1 / (0.05 * len(x)), max_iter=1000).fit(x, y)
    wanted = reference.predict_log_proba(x)
    assert np.abs(head.log_posteriors(data.features) - wanted).max() < 0.01


def test_a_sample_is_the_mean_of_its_windows_and_heads_are_multiplied() -> None:
    heads_ = [np.log(np.array([[0.6, 0.4], [0.2, 0.8]], np.float32)) for _ in range(2)]
    found = pool(heads_, [1.0, 1.0], np.array([0, 0]), 1, np.eye(2, dtype=np.float32))
    one = np.array([0.36, 0.16]) / 0.52
    two = np.array([0.04, 0.64]) / 0.68
    np.testing.assert_allclose(found[0], (one + two) / 2, rtol=1e-5)


def test_the_exponent_of_an_overconfident_head_is_small() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 2)).astype(np.float32)
    shares = torch.from_numpy(logits).softmax(1).numpy()
    labels = (rng.random(4000) < shares[:, 1]).astype(np.int64)
    sharp = torch.from_numpy(4 * logits).log_softmax(1).numpy()
    eye = np.eye(2, dtype=np.float32)
    (exponent,), loss = fit_exponents([sharp], np.arange(4000), labels, eye)
    assert exponent == pytest.approx(0.25, abs=0.03)
    assert loss < 0.69


def test_a_head_is_the_networks_expert() -> None:
    """package.py writes the head's numbers into the network; both give the same posteriors."""
    import package

    rng = np.random.default_rng(0)

    def head(n: int) -> Linear:
        parts = rng.normal(size=n), rng.uniform(0.5, 2, n), rng.normal(size=(n, 8)) / 30
        return Linear(*(part.astype(np.float32) for part in parts), np.zeros(8, np.float32))

    made = {"audio": head(1024), "face": head(7 * (2 + package.N_SEGMENTS))}
    chosen = {
        "exponents": {"audio+face": [0.5, 0.8], "face": [0.9]},
        "left_out": {"one": {"exponent": 0.4}},
    }
    network, packaged = package.fusion_network(made, chosen)
    audio = torch.from_numpy(rng.normal(size=(2, 512, 181)).astype(np.float32))
    video = torch.from_numpy(rng.dirichlet(np.ones(7), size=(2, 36)).astype(np.float32))
    masks = torch.ones(2, 36, dtype=torch.bool), torch.ones(2, 181, dtype=torch.bool)
    masks[0][1] = False  # the second window has no face
    with torch.no_grad():
        out = network(video, audio, *masks)
        final = packaged(video, audio, *masks).logits.exp().numpy()
    moments = torch.cat((audio.mean(2), (audio.var(2, correction=0) + 1e-8).sqrt()), 1).numpy()
    own = made["audio"].log_posteriors(moments)
    found = out.expert_logits["audio_statistics"].log_softmax(1).numpy()
    np.testing.assert_allclose(found, own, atol=2e-3)
    face = out.expert_logits["video_statistics"].log_softmax(1).numpy()
    both = torch.from_numpy(0.5 * own + 0.8 * face).softmax(1).numpy() @ heads.SUMS[heads.SEVEN]
    alone = torch.from_numpy(0.4 * own).softmax(1).numpy() @ heads.SUMS[heads.SEVEN]
    np.testing.assert_allclose(final[0], both[0], atol=2e-3)
    np.testing.assert_allclose(final[1], alone[1], atol=2e-3)


def test_a_table_of_predictions_is_read_back(
    tmp_path, tables: tuple[Table, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = run(*tables)
    found.save(tmp_path / "one.npz")
    again = SampleTable.load(tmp_path / "one.npz")
    assert figures(again)["accuracy"] == figures(found)["accuracy"]
    assert list(again.names) == list(LABELS)


def test_published_figures_are_those_of_the_kept_predictions() -> None:
    published = json.loads(RESULTS.read_text())["protocols"]
    tables = {path.stem: SampleTable.load(path) for path in KEPT.glob("*.npz")}
    assert set(tables) == set(published)
    for name, one in tables.items():
        assert json.loads(json.dumps(figures(one))) == published[name], name


def test_groups_need_the_numbers_in_names() -> None:
    one = SampleTable.empty(table(0), LABELS)
    one.sample_ids = np.array([f"01-01-03-0{1 + n % 2}-01-01-01" for n in range(60)])
    one.fold[:] = 0
    one.posteriors[:] = 1 / 3
    one.posteriors[:, 0] += 0.1
    found = predictions.ravdess_groups(one)
    assert set(found) == {"male", "female", "strong", "normal"}


def test_the_packaged_onnx_files_are_the_networks_of_torch() -> None:
    """Face: the pretrained weights and the card's alignment; fusion: the checkpoint for tuning."""
    import onnxruntime
    import package

    from avtca.model import load_checkpoint
    from avtca.model.expression import ExpressionFeatures
    from avtca.runtime.bundle import PACKAGED

    rng = np.random.default_rng(0)
    card = json.loads((PACKAGED / "avtca.json").read_text())
    folder = Path(package.__file__).parent / "pretrained" / "face_wide"
    bridge = {name: torch.tensor(card["bridge"][name]) for name in ("weight", "bias")}
    face = ExpressionFeatures(package.face_network(folder)[0], **bridge).eval()
    crops = rng.random((8, 1, 48, 48), dtype=np.float32)
    session = onnxruntime.InferenceSession(PACKAGED / "face.onnx")
    with torch.no_grad():
        found = face(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(found, session.run(None, {"crops": crops})[0], atol=1e-4)

    network, _ = load_checkpoint(PACKAGED / "fusion")
    audio = rng.normal(size=(3, 512, 181)).astype(np.float32)
    video = rng.dirichlet(np.ones(7), size=(3, 36)).astype(np.float32)
    masks = np.ones((3, 36), bool), np.ones((3, 181), bool)
    with torch.no_grad():
        logits = network(*map(torch.from_numpy, (video, audio, *masks))).logits
    exponent = card["provenance"]["chosen"]["exponents"]["audio+face"][1]
    wanted = (logits * exponent).softmax(1).numpy() @ heads.SUMS[heads.SEVEN]
    session = onnxruntime.InferenceSession(PACKAGED / "fusion.onnx")
    names = [one.name for one in session.get_inputs()]
    inputs = dict(zip(names, (video, audio, *masks), strict=True))
    found = np.exp(session.run(["logits"], inputs)[0])
    np.testing.assert_allclose(found, wanted, atol=1e-4)
