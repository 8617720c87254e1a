"""Imports run one way (docs/architecture.md), and the core needs none of the training packages."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "avtca"
BASE = {"text", "errors", "files", "image", "labels", "clipspec", "compat", "progress"}
BASE |= {"plugins", "run_dir", "kappa", "networks", "worker_pool"}


def documented_imports() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What each package may import, always and inside functions, by docs/architecture.md."""
    always: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("## Packages")[2].partition("\n## ")[0]
    for package, imports in re.findall(r"^\| `(\w+)` \| [^|]* \| ?([^|]*)\|$", table, re.M):
        inside[package] = set(re.findall(r"\(`(\w+)`\)", imports))
        names = set(re.findall(r"`(\w+)`", imports)) - inside[package]
        always[package] = names | (BASE if "base" in imports else set())
    return always, inside


MAY_IMPORT, INSIDE_FUNCTIONS = documented_imports()
"""``cli`` may import all. Imports for types alone do not run and do not count."""

CORE = ("media", "faces", "audio", "preprocess", "runtime", "recognize", "plots", "cli")
HEAVY = ("torch", "lightning", "pandas", "sklearn", "scipy", "librosa", "h5py", "pyarrow")


def rooms_imported(path: Path) -> list[tuple[str, int, bool]]:
    """Rooms of avtca that a file imports: room, line, and whether inside a function."""
    found = []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [node.module or ""]
            if node.module == "avtca":  # from avtca import audio
                names = [f"avtca.{alias.name}" for alias in node.names]
        for parts in (name.split(".") for name in names):
            if parts[0] == "avtca" and len(parts) > 1:
                found.append((parts[1], node.lineno, inside))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(), str(path)), False)
    return found


def modules_imported(path: Path, modules: set[str]) -> set[str]:
    """Modules of avtca that a file imports when it runs."""
    found = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names & modules, {node.module} if names - modules else ())
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(), str(path)))
    return found & modules


def files_of(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.exists() else sorted((PACKAGE / room).rglob("*.py"))


def test_every_room_is_known() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    rooms |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"weights"} <= {*MAY_IMPORT, "cli"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    rooms = {path.stem for path in PACKAGE.iterdir()}
    wrong = []
    for path in files_of(room):
        for other, line, inside in rooms_imported(path):
            allowed = MAY_IMPORT[room] | {room}
            allowed |= INSIDE_FUNCTIONS.get(room, set()) if inside else set()
            if other in rooms and other not in allowed:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports avtca.{other}")
    assert not wrong, wrong


def test_the_reader_of_imports_sees_every_form(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    lines = [
        "import avtca.cli",
        "from avtca import plots",
        "if TYPE_CHECKING:",
        "    from avtca.training import train",
        "def f():",
        "    from avtca.model.avtca import AVTCA",
        "class A:",
        "    import avtca.media.media_file",
    ]
    source.write_text("\n".join(lines))
    assert rooms_imported(source) == [
        ("cli", 1, False),
        ("plots", 2, False),
        ("model", 6, True),
        ("media", 8, False),
    ]


def test_no_modules_import_each_other() -> None:
    """Imports inside functions count, imports for types alone do not."""
    paths = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    graph = {name: modules_imported(path, set(paths)) - {name} for name, path in paths.items()}
    assert graph["avtca.recognize.recognizer"] >= {"avtca.media", "avtca.runtime.backends"}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_without_the_training_packages(room: str) -> None:
    """In a fresh interpreter where those packages cannot be imported at all."""
    if not files_of(room):
        pytest.skip(f"there is no avtca.{room} yet")
    modules = [
        "avtca."
        + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in files_of(room)
    ]
    script = f"""
import importlib
for name in {modules}:
    if not name.endswith("__main__"):
        importlib.import_module(name)
"""
    done = without_the_training_packages(script)
    assert done.returncode == 0, done.stderr


def test_answers_are_compared_without_the_training_packages(tmp_path: Path) -> None:
    head = "take,speaker,true:calm,true:sad,p:calm,p:sad\n"
    samples = [(f"{person}{label}", person, label) for person in "abcd" for label in (0, 1)]
    for run, sure in (("one", 0.9), ("other", 0.2)):
        rows = "".join(
            f"{sample},{person},{1 - label},{label},{1 - right},{right}\n"
            for sample, person, label in samples
            for right in (sure if label else 1 - sure,)
        )
        (tmp_path / f"{run}.csv").write_text(head + rows)
    runs = [str(tmp_path / f"{run}.csv") for run in ("one", "other")]
    done = without_the_training_packages(
        f"from avtca.cli import main; sys.argv = ['avtca', 'compare', *{runs}]; main()"
    )
    assert done.returncode == 0, done.stderr
    assert "one" in done.stdout and "+100.0" in done.stdout


def without_the_training_packages(script: str) -> "subprocess.CompletedProcess[str]":
    """A script in a fresh interpreter where those packages cannot be imported at all."""
    blocked = f"import sys\nfor name in {HEAVY}: sys.modules[name] = None\n"
    command = [sys.executable, "-c", blocked + script]
    return subprocess.run(command, capture_output=True, text=True)


UNUSED = """multiprocessing asyncio http xml html sqlite3 unittest scipy matplotlib pandas pyarrow
jinja2 fastapi httpx rich numpy.random avtca.plots avtca.corpora avtca.worker_pool
avtca.recognize.exports avtca.recognize.joined avtca.recognize.pool avtca.runtime.card
avtca.audio.augment"""
"""Modules that the recognition of one file does not import, since each takes time to import."""
UNUSED_BY_LIBRARY = "pydantic typer importlib.metadata"
"""The command line is built on them."""


@pytest.mark.slow
def test_recognising_one_file_imports_no_more_than_it_uses(corpora: Path) -> None:
    clip = corpora / "cremad" / "1001_DFA_ANG_XX.flv"
    script = f"""
import sys
import avtca
report = avtca.load().predict({str(clip)!r})
unused = {UNUSED.split()}
print("library", report.top, [name for name in [*unused, *{UNUSED_BY_LIBRARY.split()}]
      if name in sys.modules])
from avtca.cli import main
sys.argv = ["avtca", "predict", {str(clip)!r}, "--format", "summary"]
try:
    main()
except SystemExit as end:
    print("command", end.code, [name for name in [*unused, "avtca.cli.train"]
          if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "library angry []"
    assert lines[2].startswith(f"{clip},angry,")
    assert lines[-1] == "command 0 []"
    assert done.stderr.startswith(f"{clip}: angry 87%, 2.3 s of media in ")
