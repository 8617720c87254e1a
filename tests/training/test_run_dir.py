import subprocess

import pytest

from avtca.errors import ConfigError
from avtca.training.run_dir import commit, differences, require_same


def git(where, *args):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *who, *args], cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_commit_says_when_any_file_of_the_package_differs(tmp_path):
    package = tmp_path / "package"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "model" / "head.py").write_text("a = 1\n")
    (tmp_path / "README.md").write_text("")
    git(tmp_path, "init", "-q")
    assert commit(package) == ""
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    (tmp_path / "README.md").write_text("other")
    assert commit(package) == head
    (package / "model" / "head.py").write_text("a = 2\n")
    assert commit(package) == head + "+"


def test_another_projects_commit_is_not_ours(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "theirs.txt").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    installed = tmp_path / "site-packages" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert commit(installed) == ""


def test_what_differs_is_named(tmp_path):
    before = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": 1}
    now = {"a": {"b": 2, "c": [1, 2]}, "d": 2, "f": 1}
    assert differences(before, now) == {
        "a.b": (1, 2), "d": (1, 2), "e": (1, None), "f": (None, 1),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"a\.b was 1, is 2; e was 1, is None; f was None, is 1"):
        require_same(tmp_path, before, now, free=("d",))
    require_same(tmp_path, before, now, free=("a", "d", "e", "f"))
