"""What the README and the docs tell users to type exists."""

import re
from pathlib import Path

import pytest
import typer

from avtca.cli import build_app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "MODEL_CARD.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(build_app()).commands


def calls(page):
    """Each `avtca ...` of a page's shell blocks: its command and its options."""
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", page.read_text(), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.split(" #")[0]
            if found := re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?avtca +(--?\w+ +)*(\w+)(.*)", line):
                yield found[2], re.findall(r"(?<!\S)--[\w-]+", found[3])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page):
    for command, options in calls(page):
        assert command in COMMANDS, f"{page.name}: avtca {command}"
        known = {name for param in COMMANDS[command].params for name in param.opts}
        assert set(options) <= known | {"--help"}, f"{page.name}: avtca {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_has_commands():
    assert len(list(calls(ROOT / "README.md"))) >= 4


@pytest.mark.parametrize("page", ["README.md", "MODEL_CARD.md", "docs/evaluation.md"])
def test_tables_say_what_the_results_say(page, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    import fill_pages

    assert fill_pages.filled(page) == (ROOT / page).read_text()
