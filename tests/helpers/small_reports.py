"""Small recognition reports for tests of pages, figures and writers."""

from avtca.recognize.report import Coverage, Person, Report, TimelineRow

LABELS = ("happy", "sad")


def make_row(start, end, happy, person=0, used=("face",), box=None):
    scores = {} if happy is None else {"happy": happy, "sad": 1 - happy}
    return TimelineRow(start, end, scores, used, 0.5, 0.25, person, box)


def make_person(number, happy, seen_s=1.0, thumbnail=None):
    return Person(
        number=number,
        scores={"happy": happy, "sad": 1 - happy},
        timeline=(make_row(0, 2, happy, number),),
        coverage=Coverage(1.0, seen_s / 4, 0.25),
        thresholds={},
        seen_s=seen_s,
        first_s=0.0,
        last_s=2.0,
        box=(1.2, 2.0, 30.0, 40.9),
        at_s=0.5,
        thumbnail=thumbnail,
    )


def make_report(rows, file="clip.mp4", thumbnails=(), people=()):
    return Report(
        file=file,
        duration_s=4.0,
        labels=LABELS,
        scores={"happy": 0.7, "sad": 0.3},
        timeline=tuple(rows),
        coverage=Coverage(1.0, 0.5, 0.25),
        warnings=("a <note>",),
        model="test",
        thumbnails=thumbnails,
        people=tuple(people),
    )
