"""Sphinx configuration: `make docs` builds docs/_build/html, warnings are errors."""

import re
from pathlib import Path

import avtca

DOCS = Path(__file__).parent
REPOSITORY = "https://github.com/avtca/avtca/blob/main/"

project = "avtca"
author = "The avtca developers"
copyright = f"2026, {author}"
version = release = avtca.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"avtca {version}"
html_static_path: list[str] = []
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def link_to_repository(app: object, page: str, source: list[str]) -> None:
    """Turn links that leave docs/ into links to the repository."""

    def target(found: re.Match[str]) -> str:
        path = (DOCS / found[1]).resolve()
        return f"]({REPOSITORY}{path.relative_to(DOCS.parent).as_posix()}{found[2] or ''})"

    source[0] = re.sub(r"\]\((\.\./[^)#\s]+)(#[^)]*)?\)", target, source[0])


def setup(app: object) -> None:
    """Register the link rewriting."""
    app.connect("source-read", link_to_repository)  # type: ignore[attr-defined]
