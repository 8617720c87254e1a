"""Attention between face and voice: maps of real clips, as JSON and as a picture."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import avtca
from avtca.errors import ConfigError
from avtca.plots.attention import attention_figure, received
from avtca.recognize.attention import WindowAttention, window_attention
from avtca.recognize.checks import NO_ATTENTION
from avtca.recognize.prediction import TimelineRow
from avtca.runtime.attention import AttentionMap, key_stream, query_stream

MAPS = ("transformer.video", "transformer.audio", "cross_attention.video", "cross_attention.audio")


@pytest.fixture(scope="module")
def recognizer():
    return avtca.load("avt-ca", threads=1)


@pytest.fixture(scope="module")
def angry(corpora):
    return corpora / "cremad" / "1001_DFA_ANG_XX.flv"


def command(*arguments):
    call = [sys.executable, "-m", "avtca", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(call, capture_output=True, text=True, check=False, env=environment)


def row(start_s=0.0, modalities=("face", "voice")):
    return TimelineRow(start_s, start_s + 3.6, {"happy": 1.0}, modalities, 1.0, 1.0, 1, None)


@pytest.mark.slow
def test_rows_of_real_maps_sum_to_one_within_the_clip(recognizer, angry):
    report = recognizer.predict(angry, attention=True)
    assert report == recognizer.predict(angry)
    (window,) = report.attention
    assert set(window.maps) == set(MAPS)
    for name, found in window.maps.items():
        np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
        assert found.weights.shape == (len(found.query_times), len(found.key_times))
        for times in found[1:]:
            assert (np.diff(times) > 0).all() and times[0] >= 0 and times[-1] <= report.duration_s
        assert {query_stream(name), key_stream(name)} == {"face", "voice"}
    assert report.without_images().attention == ()
    assert np.mean(received(window.maps["cross_attention.audio"])) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_audio_alone_has_no_maps(recognizer, corpora):
    recording = min((corpora / "ravdess" / "audio").glob("*.flac"))
    report = recognizer.predict(recording, attention=True)
    assert report.streams == "voice" and report.attention == ()
    assert NO_ATTENTION in report.warnings
    assert NO_ATTENTION not in recognizer.predict(recording).warnings
    with pytest.raises(ValueError, match="without attention"):
        attention_figure(report)


def test_masked_steps_are_left_out_and_times_are_those_of_the_clip():
    weights = np.zeros((2, 3, 4), np.float32)
    weights[0, :2, 1:3] = 0.5
    maps = {"cross_attention.video": AttentionMap(weights, np.array([0, 0.5, 1]), np.arange(4) / 3)}
    (window,) = window_attention(maps, [row(10.0), row(modalities=("voice",))], 3.6)
    found = window.maps["cross_attention.video"]
    assert found.weights.tolist() == [[0.5, 0.5]] * 2
    assert found.query_times == pytest.approx([10, 11.8])
    assert found.key_times == pytest.approx([11.2, 12.4])
    plain = window.to_dict()["maps"]["cross_attention.video"]
    assert (plain["query"], plain["key"]) == ("face", "voice")


def test_the_last_maps_between_the_streams_are_drawn():
    maps = {
        name: AttentionMap(np.full((1, 1), i, np.float32), np.zeros(1), np.zeros(1))
        for i, name in enumerate((*MAPS, "self_attention.video"))
    }
    window = WindowAttention(0, 1, 1, maps)
    assert {pair: found.weights.item() for pair, found in window.between.items()} == {
        ("face", "voice"): 2,
        ("voice", "face"): 3,
    }
    empty = {"cross_attention.video": AttentionMap(np.zeros((1, 2, 3)), np.zeros(2), np.zeros(3))}
    assert window_attention(empty, [row()], 3.6) == []


@pytest.mark.slow
def test_the_command_writes_maps_beside_the_report(angry, tmp_path):
    def predict(*options):
        done = command("predict", angry, "--out", tmp_path, *options)
        assert done.returncode == 0, done.stderr

    predict("--model", "avt-ca", "--attention")
    plain = json.loads((tmp_path / f"{angry.name}.attention.json").read_text())
    assert plain["file"] == str(angry) and plain["model"].startswith("avt-ca")
    (window,) = plain["windows"]
    assert [sum(row) for row in window["maps"]["transformer.video"]["weights"]] == pytest.approx(
        [1] * len(window["maps"]["transformer.video"]["query_s"]), abs=1e-3
    )
    with Image.open(tmp_path / f"{angry.name}.attention.png") as picture:
        assert picture.width > 800
    predict()  # a report of another model has no attention of the earlier one beside it
    assert not list(tmp_path.glob("*.attention.*"))


@pytest.mark.slow
def test_a_network_without_attention_is_refused_before_anything_is_read(angry, tmp_path):
    with pytest.raises(ConfigError, match=r"has no attention.*choose --model avt-ca"):
        avtca.load().predict("nothing there", attention=True)
    for options, message in (
        (["--out", tmp_path], "has no attention"),
        (["--model", "avt-ca"], "give --out"),
    ):
        done = command("predict", angry, "--attention", *options)
        assert done.returncode == 2 and message in done.stderr
        assert not list(tmp_path.iterdir())
