import subprocess

from avtca.training.record import commit


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
