"""What is unusual about a clip: warnings, and reasons never to be confident."""

from collections.abc import Iterable, Sequence

import numpy as np

from avtca.audio import high_pass
from avtca.audio.level import SILENCE_DBFS, band_level_db
from avtca.media import Media
from avtca.media.clock import MAX_HOLD_S
from avtca.recognize.prediction import (
    BRIEF_FACE,
    FEW_FRAMES,
    MIN_DECODED,
    MIN_FACE_S,
    NO_PERSON,
    SHARED_AUDIO,
    SHORT_TRACK,
    STILL_FACE,
    TRAINED_ON,
    Coverage,
    TimelineRow,
    main_rows,
)
from avtca.recognize.scorer import MIN_VOICE_S, SPEAKS, PersonMode
from avtca.recognize.stream import WindowStream
from avtca.speaker import Speech

MAX_HELD_SHARE = 0.1
"""Share of repeated frames above which a report warns."""
MOSTLY = 0.5
"""Share of repeated frames, or of windows with a still face, above which nothing is confident."""
MIN_SHOWN = 0.05
"""Several faces are reported from this share of the time on."""
MIN_SILENT = 0.25
"""Share of the windows with a voice from which a report warns that another person speaks."""
NO_ATTENTION = "no attention maps: no window has a face and enough of its voice"
TURNS = {
    1: "the video was turned by 90 degrees to the left",
    2: "the video was turned upside down",
    3: "the video was turned by 90 degrees to the right",
}
"""Text for quarter turns counterclockwise."""
MIN_SHORTER_S = 0.3
"""Audio that ends earlier than the video by less than this is whole, and the reverse."""
MIN_FACE_PX = 40
"""Faces below this size in pixels may be missed."""
MAX_NAMED = 3
"""Most people whose numbers a warning lists."""


def decoded_share(clip: Media, stream: WindowStream) -> float:
    """See :class:`Coverage`; gaps between frames count only where packets were damaged."""
    missing = stream.missing_steps / max(1, stream.total_steps)
    share = clip.decoded_share()
    return share * (1 - missing) if clip.damaged else share


def _early_end(stream: WindowStream) -> str | None:
    """A warning where audio or video ends long before the other."""
    if stream.ends_s is None:
        return None
    video_s, audio_s = stream.ends_s
    early, late = sorted((video_s, audio_s))
    if early >= MIN_DECODED * late or late - early < MIN_SHORTER_S:
        return None
    first, second = ("video", "audio") if video_s < audio_s else ("audio", "video")
    return f"the {first} ends at {early:.1f} s, the {second} at {late:.1f} s"


def doubts(
    rows: Iterable[TimelineRow], stream: WindowStream, *, seen_s: float, trained_on: bool
) -> tuple[str, ...]:
    """Reasons never to be confident of the main prediction or of one person.

    Args:
        rows: Its windows.
        stream: The clip, read to its end.
        seen_s: Seconds with the face; 0 where the audio alone was used.
        trained_on: Whether the model was trained on this file.
    """
    rows = list(rows)
    out = []
    if trained_on:
        out.append(TRAINED_ON)
    if has_still_face(rows):
        out.append(STILL_FACE)
    if stream.held_share > MOSTLY:
        out.append(FEW_FRAMES)
    step_s = 1 / stream.spec.video_rate
    if 0 < seen_s < min(MIN_FACE_S, stream.total_steps * step_s) - step_s / 2:
        out.append(BRIEF_FACE)
    if shares_audio(rows):
        out.append(SHARED_AUDIO)
    if _early_end(stream):
        out.append(SHORT_TRACK)
    return tuple(out)


def beside_voice(row: TimelineRow) -> bool:
    """Whether a row is of a face in a window with a voice, which may be another's."""
    return "face" in row.modalities and row.voice * (row.end_s - row.start_s) >= MIN_VOICE_S - 1e-6


def has_still_face(rows: Iterable[TimelineRow]) -> bool:
    """Whether the face of most windows with a face and a voice never moves."""
    both = [row for row in main_rows(rows) if beside_voice(row)]
    return bool(both) and sum(row.still for row in both) >= MOSTLY * len(both)


def shares_audio(rows: Iterable[TimelineRow]) -> bool:
    """Whether most windows with a voice have other people in view and no known speaker."""
    voiced = [row for row in main_rows(rows) if row.scores and beside_voice(row)]
    shared = sum(row.speaking is None and bool(row.others) for row in voiced)
    return bool(voiced) and shared >= MOSTLY * len(voiced)


def warnings(
    clip: Media,
    rows: Sequence[TimelineRow],
    coverage: Coverage,
    stream: WindowStream,
    *,
    person: PersonMode = "main",
    speech: Speech | None = None,
) -> list[str]:
    """What is unusual about the frames, the faces and the audio of a clip, in sentences."""
    out = []
    if stream.frameless_steps:
        out.append(f"too few frames: some are shown for longer than {MAX_HOLD_S:g} s")
    elif stream.held_share > MAX_HELD_SHARE:
        out.append(f"few frames: {stream.held_share:.0%} of the video repeats the frame before")
    if early := _early_end(stream):
        out.append(early)
    if not clip.has_video:
        out.append("no video: recognised from the audio alone")
    elif coverage.face == 0:
        out.append("no face found: recognised from the audio alone")
    elif coverage.face < 0.5:
        out.append(f"the face that was read is in view for only {coverage.face:.0%} of the clip")
    if stream.quarter_turns:
        out.append(f"the faces are not upright: {TURNS[stream.quarter_turns]}")
    out += _about_people(rows, stream, person, speech)
    if not clip.has_audio:
        out.append("no audio: recognised from the face alone")
    elif coverage.voice == 0:
        out.append("no voice found: recognised from the face alone")
    elif (rate := clip.sample_rate) and rate < stream.spec.sample_rate:
        out.append(
            f"the audio has {rate} Hz, the model was trained with {stream.spec.sample_rate}: the "
            "voice is read less reliably"
        )
    return out


def nothing_found(clip: Media, stream: WindowStream) -> str:
    """Why there is neither a face nor a voice in a clip, which is read to its end."""
    return f"{_no_face(clip, stream)}, and {_no_voice(clip, stream.spec.sample_rate)}"


def _no_face(clip: Media, stream: WindowStream) -> str:
    n = stream.n_faces.total()
    frames = f"{n} frame{'s' * (n != 1)}"
    if not clip.has_video:
        return "no video"
    if not n:
        return "no frame of the video could be read"
    if seen := n - stream.n_faces[0]:
        return f"a face in only {seen} of {frames}"
    return f"no face of at least {MIN_FACE_PX} pixels in {frames}"


def _no_voice(clip: Media, rate: int) -> str:
    if not clip.has_audio:
        return "no audio"
    seconds, loudest = 0.0, -np.inf
    for block in clip.audio(rate):
        level = band_level_db(high_pass(block, rate), rate)
        seconds, loudest = seconds + len(block) / rate, max(loudest, float(level.max()))
    if seconds < MIN_VOICE_S:
        return f"the audio is too short ({seconds:.2f} s)"
    if loudest < SILENCE_DBFS:
        return "the audio is silent (above 60 Hz)"
    return f"no voice in the audio, whose loudest part is at {loudest:.0f} dBFS"


def _about_people(
    rows: Sequence[TimelineRow], stream: WindowStream, person: PersonMode, speech: Speech | None
) -> list[str]:
    out = []
    main = main_rows(rows)
    frames = max(1, stream.n_faces.total())
    shown = {
        n: sum(count for faces, count in stream.n_faces.items() if faces >= n) / frames
        for n in stream.n_faces
    }
    most = max((n for n, share in shown.items() if share >= MIN_SHOWN), default=0)
    several = sum(count for faces, count in stream.n_faces.items() if faces > 1) / frames
    people = sorted({row.person for row in main} - {NO_PERSON})
    if most > 1 and people:
        whose = "the person who speaks" if person == "speaker" else "the largest steady one"
        if person == "speaker" and any(row.speaking is None and row.person >= 0 for row in main):
            whose += ", or the largest steady one where this is undecided"
        out.append(
            f"up to {most} faces in view, several for {several:.0%} of the video: the scores are "
            f"of {whose} ({_numbers(people)})"
        )
    both = [row for row in main if beside_voice(row)]
    if person != "speaker" and speech is not None:
        out += _about_others(both, speech)
    still = sum(row.still for row in both)
    if still:
        out.append(
            f"a face that never moves in {still / len(both):.0%} of the windows with a voice: it "
            "may be a photograph beside another's voice"
        )
    return out


def _about_others(rows: Sequence[TimelineRow], speech: Speech) -> list[str]:
    """A warning where another person in view speaks in many of these windows."""
    silent, speakers = set(), set()
    for row in rows:
        heard = speech.people(row.start_s, row.end_s)
        others = {number for number, share in heard.items() if share >= SPEAKS} - {row.person}
        if others and heard.get(row.person, 0.0) < SPEAKS:
            silent.add((row.start_s, row.person))
            speakers |= others
    if not silent or len(silent) < MIN_SILENT * len(rows):
        return []
    read = _numbers(sorted({person for _, person in silent}))
    return [
        f"the voice is of another face than the largest, which is read ({read}), in "
        f"{len(silent) / len(rows):.0%} of the windows with a voice: --person speaker reads "
        f"the person who speaks ({_numbers(sorted(speakers))})"
    ]


def _numbers(people: Sequence[int]) -> str:
    if len(people) == 1:
        return f"person {people[0]}"
    return (
        "people " + ", ".join(map(str, people))
        if len(people) <= MAX_NAMED
        else (f"{len(people)} people in turn")
    )
