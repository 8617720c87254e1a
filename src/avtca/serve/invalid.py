"""Invalid values of requests, messages and settings, in the words of the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

from avtca.text import printable

MAX_SHOWN = 40
"""Characters of an invalid value that are shown."""
_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "decimal": "a number",
    "finite_number": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "model": "an object",
    "dataclass": "an object",
    "path": "a path",
}
"""What is expected, by the start of the type of an error."""
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_LENGTHS = {"too_long": ("max_length", "at most"), "too_short": ("min_length", "at least")}


def invalid(error: Mapping[str, Any], whole: str = "the body") -> tuple[str, str]:
    """Problem and fix of an error of pydantic.

    Args:
        error: One of ``ValidationError.errors()``.
        whole: What is read, for errors that concern all of it.
    """
    kind, context = str(error["type"]), error.get("ctx", {})
    name = _name(error["loc"]) or whole
    found = f"{name} is {_shown(error.get('input'))}"
    if kind == "missing":
        return f"{name} is missing", f"send {'JSON' if name == whole else name}"
    if kind == "json_invalid":
        where = f" at character {error['loc'][0]}" if error["loc"] else ""
        return f"{whole} is no JSON ({context['error']}{where})", "send valid JSON"
    if kind == "extra_forbidden":
        return f"{name} is unknown", "correct the name, or leave it out"
    if kind == "literal_error":
        return found, f"choose {_plain(context['expected'])}"
    if kind == "union_tag_not_found":
        return f"{whole} has no {_plain(context['discriminator'])}", "send one"
    if kind == "union_tag_invalid":
        choices = _plain(context["expected_tags"])
        tag = _shown(context["tag"])
        return f"its {_plain(context['discriminator'])} is {tag}", f"choose one of {choices}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return found, f"give {words} {context[key]:g}"
    for ending, (key, words) in _LENGTHS.items():
        if kind.endswith(ending):
            unit = "characters" if kind.startswith("string") else "values"
            return f"{name} is {ending.replace('_', ' ')}", f"give {words} {context[key]} {unit}"
    for start, expected in _KINDS.items():
        if kind.startswith(start):
            return found, f"give {expected}"
    return f"{name}: {error['msg']}", "see /openapi.json"


def _name(place: Sequence[int | str]) -> str:
    """A place in JSON as programs write it: ``tiers[0].name``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return printable(text.removeprefix("."))[:100]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = printable(value if isinstance(value, str) else str(value)[: 2 * MAX_SHOWN])
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}..."
    return text or "empty"


def _plain(text: Any) -> str:
    return str(text).replace("'", "")
