"""The command line as its user meets it: a process, its exit status, its two streams."""

import os
import subprocess
import sys

SMALL = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}


def avtca(*arguments, cwd=None, env=None):
    """Run a command; returns its exit status, standard output and standard error."""
    command = [sys.executable, "-m", "avtca", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**SMALL, **(env or {})}, check=False
    )
