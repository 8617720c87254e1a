"""`avtca model` and `avtca convert`, and what their figures rest on."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import authors
import pytest
import torch
import typer
from real_samples import FEATURES
from typer.testing import CliRunner

from avtca.cli.convert import convert
from avtca.cli.model import model
from avtca.errors import AvtcaError, CheckpointError, ConfigError, MissingExtra
from avtca.model import VARIANTS, build_model, load_checkpoint, require_torch
from avtca.model.summary import SOURCES, summarise, totals
from avtca.model.variants import reads

boxes_of = functools.cache(summarise)
PIXELS = [name for name in VARIANTS if reads(name, "pixels")]


def run(command: object, *args: str) -> str:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(args))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("experts", "--pitch"), "--pitch without --logmel"),
        (("--logmel", "64", "--pitch"), "--pitch without a network's name"),
    ],
)
def test_pitch_needs_bands_and_a_network_that_hears_it(args: tuple[str, ...], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        run(model, *args)
    assert "AudioStatisticsHead" in run(model, "experts", "--logmel", "64", "--pitch")


def test_the_list_of_networks() -> None:
    lines = run(model, "--video-dim", "7", "--logmel", "64", "--labels", "7").splitlines()
    readable = [name for name in VARIANTS if not name.startswith("no_")]
    assert [line.split()[0] for line in lines[1:]] == readable
    best = next(line for line in lines if line.startswith("experts "))
    assert "352,668" in best and best.rstrip().endswith("ours")


def test_the_boxes_of_a_network() -> None:
    text = run(model, "figure")
    for words in ("29 x 56 x 56", "39 x 128, 15 x 64", "figure, step 7", "[conv 3, BN, ReLU] x2"):
        assert words in text
    assert "1,448,552" in text.splitlines()[-1]


def test_no_cell_is_cut() -> None:
    """The brackets of a short network's longest cell count too."""
    text = run(model, "audio_only")
    assert "figure, step 1: [conv 3, BN, ReLU, max pool] x2" in text and "…" not in text


@pytest.mark.parametrize("variant", PIXELS)
def test_every_parameter_and_box_is_in_the_table(variant: str) -> None:
    rows = boxes_of(variant)
    parameters, multiply_adds = totals(rows)
    assert parameters == sum(p.numel() for p in build_model(variant).parameters())
    assert multiply_adds > 1e6
    assert all(row.source for row in rows), [row.name for row in rows if not row.source]


def test_multiply_adds_by_hand() -> None:
    """A linear map, a convolution and an attention box of known sizes."""
    rows = {row.name: row for row in summarise("figure", FEATURES)}
    t_v, t_a = 36, 361
    assert rows["video_frontend"].multiply_adds == t_v * 7 * 64
    assert rows["video_before"].multiply_adds == 2 * t_v * 3 * 64 * 64
    assert rows["audio_before"].multiply_adds == 3 * 64 * (t_a * 64 + 181 * 128)
    d, tokens = 128, 23
    linears = 4 * d * d * (tokens + t_v)  # query, key, value, output: tokens of both kinds
    products = 2 * 2 * tokens * t_v * d
    assert rows["cross_attention"].multiply_adds == linears + products
    assert rows["head"].multiply_adds == 128 * 8


def test_published_size_of_efficientface() -> None:
    """1.28 M parameters and 154 M multiply-adds a picture (Zhao et al. 2021)."""
    trunk = [row for row in boxes_of("released") if ".trunk." in row.name]
    parameters, multiply_adds = totals(trunk)
    assert round((parameters + 1024 * 7 + 7) / 1e6, 2) == 1.28
    assert 0.95 < multiply_adds / 15 / 154.18e6 < 1.0  # theirs counts more than convolutions


def test_sources_name_boxes_that_exist() -> None:
    used = {row.kind for variant in PIXELS for row in boxes_of(variant)}
    optional = {"Gated", "Late", "SpectralConv", "TimeEncoding", "UtteranceHead", "VideoFeatures"}
    optional |= {"AttentivePool", "AudioStatisticsHead", "MomentsHead", "VideoStatisticsHead"}
    assert {kind.__name__ for kind in SOURCES} == (used - {"Sequential"}) | optional


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="did you mean 'experts'"):
        run(model, "expert")
    with pytest.raises(ConfigError, match="not a multiple of 32"):
        run(model, "--crop-px", "100")


def test_convert_says_what_became_of_every_tensor(tmp_path: Path) -> None:
    path = tmp_path / "RAVDESS_best0.pth"
    state = authors.network("it", shared=True)
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    text = run(convert, str(path), "--to", "released", "--out", str(tmp_path / "out"))
    lines = text.splitlines()
    assert lines[0] == f"released: {len(state) - 4} tensors converted"
    assert lines[1].startswith("unused, a classifier that the released forward pass never calls: ")
    loaded, card = load_checkpoint(tmp_path / "out")
    assert loaded.variant == "released"
    assert card.provenance["converted_from"] == path.name
    assert len(card.provenance["unused"]) == 4 and card.provenance["untrained"] == []
    assert json.loads((tmp_path / "out" / "released.json").read_text())["labels"][0] == "neutral"

    path = tmp_path / "e.pth.tar"
    torch.save(authors.efficientface(torch.Generator().manual_seed(0)), path)
    text = run(convert, str(path), "--to", "experts", "--out", str(tmp_path / "e"))
    assert "untrained, not in the file: " in text and "untrained" in text
    assert (
        len(text.splitlines()) < 10
        and "unused, experts has no video_frontend.trunk.stages.2: " in text
    )
    shapes = (
        "unused, of another shape in experts: local.conv1_1.weight (116, 1, 3, 3) for (29, 1, 3, 3)"
    )
    assert shapes in text
    with pytest.raises(CheckpointError, match="no such file"):
        run(convert, str(tmp_path / "absent"), "--to", "experts", "--out", str(tmp_path))
    with pytest.raises(CheckpointError, match="it is a folder"):
        run(convert, str(tmp_path), "--to", "experts", "--out", str(tmp_path))
    with pytest.raises(ConfigError, match="choose another --out"):
        run(convert, str(path), "--to", "experts", "--out", str(path / "below"))


def test_without_torch_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avtca.model.find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(MissingExtra) as caught:
        require_torch("list the networks")
    assert str(caught.value) == (
        "list the networks: torch not installed; pip install 'avtca[train]'"
    )
    for command, args in ((model, ()), (convert, ("x", "--to", "experts", "--out", "y"))):
        with pytest.raises(AvtcaError, match="not installed"):
            run(command, *args)


def test_the_commands_import_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import avtca.cli.model, avtca.cli.convert, avtca.model, avtca.model.config"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_documented_costs_are_the_measured_ones() -> None:
    """docs/paper_map.md, the table of every network."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "paper_map.md").read_text()
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`") and cells[2]:
            for name in cells[0].replace("`", "").split(", "):
                found[name] = (cells[2], cells[3])
    assert set(found) == set(PIXELS)
    for name, written in found.items():
        parameters, multiply_adds = totals(boxes_of(name))
        assert written == (f"{parameters / 1e6:.2f} M", f"{multiply_adds / 1e6:,.0f} M"), name
