"""`--figures`: figures as files."""

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.cli.figures import FigureFiles, figure_files
from avtca.errors import ConfigError


def test_a_format_may_have_a_width():
    assert figure_files("svg") == FigureFiles("svg", 180)
    assert figure_files("PNG:85") == figure_files("png:85mm") == FigureFiles("png", 85)
    assert figure_files("pdf:254").width_in == pytest.approx(10)


@pytest.mark.parametrize(
    ("text", "problem"),
    {
        "bmp": "there is no such format; choose one of svg, png, pdf",
        "svg:wide": "'wide' is no width; give millimetres from 60 to 1000, for example svg:85",
        "svg:5": "the width is out of range",
        "svg:nan": "the width is out of range",
    }.items(),
)
def test_others_are_one_line(text, problem):
    with pytest.raises(ConfigError, match=problem):
        figure_files(text)


def test_figures_are_written_by_name(tmp_path, capsys):
    widths = []

    def draw(width_in):
        widths.append(width_in)
        return Figure((width_in, 1))

    figures = {"confusion": draw, "by_a/b": draw, "feature noise": draw}
    figure_files("svg:127").write(figures, tmp_path / "figures")
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["by_a_b.svg", "confusion.svg", "feature_noise.svg"] and set(widths) == {5.0}
    assert "(3 file(s))" in capsys.readouterr().err


def test_predict_needs_a_folder_for_them():
    done = CliRunner().invoke(build_app(), ["predict", "x.mp4", "--figures", "svg"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == ("write --figures: figures need a folder; give one: --out report")
