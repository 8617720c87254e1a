"""Person numbers that belong to one person, as given by the user."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from avtca.errors import ConfigError
from avtca.faces import TrackedCrop
from avtca.media import Frame

PAIR = r"^\s*([0-9]{1,9})\s*=\s*([0-9]{1,9})\s*$"
"""Two person numbers as text."""
MAX_LISTED = 10
"""Most persons that an error lists."""


class MergedPeople:
    """Gives persons of different shots, who are one, the smallest of their numbers.

    Args:
        pairs: Two person numbers of one person each.
    """

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        self._pairs = [tuple(pair) for pair in pairs]
        self._first: dict[int, int] = {}
        self._seen: set[int] = set()
        for pair in self._pairs:
            roots = [self._root(number) for number in pair]
            self._first[max(roots)] = min(roots)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> list[tuple[int, int]]:
        """Pairs from texts such as ``3=0``.

        Raises:
            ConfigError: It is another text.
        """
        pairs = []
        for text in texts:
            if (match := re.fullmatch(PAIR, text)) is None:
                fix = "write two person numbers: --merge 3=0"
                raise ConfigError(f"merge {text!r}", "it is not A=B", fix)
            pairs.append((int(match[1]), int(match[2])))
        return pairs

    def of(
        self, frames: Iterable[tuple[Frame, list[TrackedCrop]]]
    ) -> Iterator[tuple[Frame, list[TrackedCrop]]]:
        """The frames with the merged numbers.

        Raises:
            ConfigError: Two merged persons are in view at once.
        """
        for frame, faces in frames:
            self._seen.update(face.person for face in faces)
            merged = [replace(face, person=self._root(face.person)) for face in faces]
            by_number: dict[int, int] = {}
            for before, face in zip(faces, merged, strict=True):
                other = by_number.setdefault(face.person, before.person)
                if other != before.person:
                    raise ConfigError(
                        f"merge person {before.person} with {other}",
                        f"both are in view at {frame.time_s:.1f} s",
                        "merge persons of different shots",
                    )
            yield frame, sorted(merged, key=lambda face: face.person)

    def check(self) -> None:
        """Whether each person was there, once all frames were read.

        Raises:
            ConfigError: One was not.
        """
        for number in (number for pair in self._pairs for number in pair):
            if number not in self._seen:
                shown = [str(one) for one in sorted(self._seen)]
                there = ", ".join(shown[:MAX_LISTED]) + (", ..." if shown[MAX_LISTED:] else "")
                problem = f"the persons are {there}" if shown else "no face was found"
                fix = "take the numbers from a report with --person all"
                raise ConfigError(f"merge person {number}", f"there is none: {problem}", fix)

    def _root(self, number: int) -> int:
        while number in self._first and self._first[number] != number:
            number = self._first[number]
        return number
