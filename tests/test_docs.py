"""What README and documentation tell users to type exists and runs."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from avtca.cli import build_app

ROOT = Path(__file__).parents[1]
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "MODEL_CARD.md")]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md")), *(ROOT / "experiments").glob("README.md")]
COMMANDS = typer.main.get_command(build_app()).commands
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))


def page_id(page):
    return page.relative_to(ROOT).as_posix()


def shell_lines(page):
    """Lines of fenced and indented blocks, and code spans in the text, that call a program."""
    text = page.read_text()
    blocks = [body for language, body in BLOCK.findall(text) if language != "python"]
    prose = BLOCK.sub("", text)
    blocks += re.findall(r"^(?: {4}|\t)(.+)$", prose, re.M)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if " " in span]
    for block in [*blocks, *spans]:
        for line in block.replace("\\\n", " ").splitlines():
            for call in line.split(" #")[0].split("&&"):
                call = re.sub(r"^(\$ )?(\.venv/bin/)?", "", call.strip())
                if re.match(r"(avtca|make|python|pytest) ", call):
                    yield call


def test_shell_lines_are_found_in_every_kind_of_block(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Use `avtca audit x`, not `avtca`.\n\n    avtca cv a\n\n"
        "```\navtca train b \\\n  --board\n```\n"
        "```sh\n$ .venv/bin/avtca predict c # why\n```\n```python\navtca = 1\n```\n"
    )
    lines = [" ".join(line.split()) for line in shell_lines(page)]
    found = {"avtca audit x", "avtca cv a", "avtca train b --board", "avtca predict c"}
    assert set(lines) == found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_shell_lines_can_be_typed(page):
    for line in shell_lines(page):
        program, *words = line.split()
        if program == "avtca":
            names = [word for word in words if not word.startswith("-")]
            assert names and names[0] in COMMANDS, line
            known = {
                name
                for param in COMMANDS[names[0]].params
                for name in (*param.opts, *param.secondary_opts)
            }
            options = {word.split("=")[0] for word in words if re.match(r"--[\w-]+", word)}
            assert options <= known | {"--help", "--debug", "--version"}, line
        elif program == "make":
            assert {word for word in words if "=" not in word} <= TARGETS, line
        elif program == "python" and words[0].endswith(".py"):
            assert (ROOT / words[0]).is_file(), line
        elif program == "pytest":
            assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), line


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_has_commands_and_is_short():
    assert len(list(shell_lines(ROOT / "README.md"))) >= 4
    assert len((ROOT / "README.md").read_bytes()) <= 9_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if "```python" in page.read_text() and not page.name.startswith("add_a_")
    ],
    ids=page_id,
)
def test_python_examples_run(page, shared, tmp_path, monkeypatch):
    """The blocks of a page one after another; a text block right after one is what it prints.

    ``test_guides.py`` runs the guides, whose blocks are files.
    """
    clip = shared / "corpora" / "cremad" / "1001_DFA_ANG_XX.flv"
    shutil.copyfile(clip, tmp_path / "clip.flv")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    blocks = re.findall(
        r"^```python\n(.*?)^```(?:\n\n?```text\n(.*?)^```)?", page.read_text(), re.S | re.M
    )
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, page.name, "exec"), names)
        if printed:
            assert out.getvalue().strip() == printed.strip()


@pytest.mark.parametrize(
    "page", ["README.md", "MODEL_CARD.md", "docs/evaluation.md", "docs/results.md"]
)
def test_tables_are_those_of_the_results(page):
    import fill_pages

    assert fill_pages.filled(page) == (ROOT / page).read_text()


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
