"""The report of a part of a file on the clock of the file."""

from dataclasses import replace
from typing import TYPE_CHECKING

from avtca.media.types import fragment

if TYPE_CHECKING:
    from avtca.recognize.report import Report


def in_file_time(report: "Report") -> "Report":
    """The report with the name of the whole file, and with times that count from its start.

    ``duration_s`` is then the end of the part. The report of a whole file is returned as it is.
    """
    if report.part is None:
        return report
    start = report.part[0]
    rows = tuple(
        replace(row, start_s=row.start_s + start, end_s=row.end_s + start)
        for row in report.timeline
    )
    people = tuple(
        replace(person, first_s=person.first_s + start, last_s=person.last_s + start)
        for person in report.people
    )
    return replace(
        report,
        file=report.file.removesuffix(fragment(*report.part)),
        duration_s=report.duration_s + start,
        timeline=rows,
        people=people,
        part=None,
    )
