"""Networks and corpora of a user's own, named ``package.module:name`` in a setting."""

import importlib
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from avtca.errors import ConfigError

PACKAGE = Path(__file__).parent
FIX = "install the package that holds it, or run avtca in the folder of the file"


def is_own(name: str) -> bool:
    """Whether a name is that of an object in a module, and not one of avtca's."""
    return ":" in name


def load_own(name: str, action: str) -> Any:
    """The object of that name.

    Modules are imported from the installed packages, and from the working directory after them.

    Args:
        name: ``package.module:name``.
        action: What it is needed for, for messages.

    Raises:
        ConfigError: The module cannot be imported, or has no such object.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise ConfigError(action, f"{name!r} is no name of an object", "write package.module:Name")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise ConfigError(action, f"there is no module {missing!r}", FIX) from error
        found = f"importing {module_name} fails ({one_line(error)})"
        raise ConfigError(action, found, "correct the module") from error
    if not hasattr(module, attribute):
        near = get_close_matches(attribute, [n for n in vars(module) if n[0] != "_"], n=1)
        hint = f"did you mean {module_name}:{near[0]}?" if near else "correct the name"
        raise ConfigError(action, f"{module_name} has no {attribute!r}", hint)
    return getattr(module, attribute)


def one_line(error: BaseException) -> str:
    """An exception of a user's code in one line, with the line of code that raised it."""
    text = " ".join(str(error).split())
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
        and not Path(frame.filename).is_relative_to(PACKAGE)
        and not frame.filename.startswith("<")
    ]
    where = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError):
        where = ""  # its text has the place
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"
