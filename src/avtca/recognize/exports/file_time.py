"""The report of a part of a file on the clock of the file."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from avtca.media.types import fragment
from avtca.recognize.prediction import TimelineRow

if TYPE_CHECKING:
    from avtca.recognize.report import Report


def in_file_time(report: "Report") -> "Report":
    """The report with the name of the whole file, and with times that count from its start.

    ``duration_s`` is then the end of the part. The report of a whole file is returned as it is.
    """
    if report.part is None:
        return report
    start = report.part[0]

    def later(rows: Iterable[TimelineRow]) -> tuple[TimelineRow, ...]:
        return tuple(replace(x, start_s=x.start_s + start, end_s=x.end_s + start) for x in rows)

    people = tuple(
        replace(
            person,
            timeline=later(person.timeline),
            first_s=person.first_s + start,
            last_s=person.last_s + start,
            at_s=None if person.at_s is None else person.at_s + start,
        )
        for person in report.people
    )
    return replace(
        report,
        file=report.file.removesuffix(fragment(*report.part)),
        duration_s=report.duration_s + start,
        timeline=later(report.timeline),
        people=people,
        speech=tuple(
            replace(turn, start_s=turn.start_s + start, end_s=turn.end_s + start)
            for turn in report.speech
        ),
        part=None,
    )
