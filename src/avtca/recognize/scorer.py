"""Scores of windows, in batches."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avtca import preprocess
from avtca.audio import VOICE_RATE, high_pass, voice_activity
from avtca.faces import TrackedCrop, rank_people
from avtca.recognize.attention import WindowAttention, window_attention
from avtca.recognize.prediction import NO_PERSON, TimelineRow
from avtca.recognize.stream import WindowMedia, as_box
from avtca.runtime.backends import Backend
from avtca.runtime.scores import softmax
from avtca.speaker import Speech
from avtca.speaker.speech import UNSEEN

PersonMode = Literal["main", "all", "speaker"]
"""The largest steady face of each window, each person, or the person who speaks."""
FACE, VOICE, BOTH = ("face",), ("voice",), ("face", "voice")

MIN_VOICE_S = 0.15
"""Windows with less voice, in seconds, count as without voice."""
MIN_PERSON_SHARE = 0.15
"""A person must be seen in at least this share of a window's steps to be recognised in it."""
BATCH = 16
"""Windows in a batch of the network."""
LIVE_TICKS = 1500
"""Ticks of voice activity, the last 15 s, by which a speaker is found in a recording that is still
going on."""
SPEAKS = 0.25
"""Share of the voice in a window from which a person's face is read with the voice."""
MOSTLY_UNSEEN = 0.5
"""Share of the voice in a window from which a row is added for a speaker who is not in view."""


@dataclass(eq=False)
class _Row:
    """A row whose scores follow, for each input that it may be read from.

    Attributes:
        row: The row, without scores.
        extra: It is only for a speaker who is not in view.
        scores: By modalities.
    """

    row: TimelineRow
    extra: bool = False
    scores: dict[tuple[str, ...], dict[str, float]] = field(default_factory=dict)
    attention: list[WindowAttention] = field(default_factory=list)


class WindowScorer:
    """Turns windows into timeline rows.

    Windows with a face and a voice are read from both and from each alone: who speaks is found
    when the clip was read to its end. Live windows are read from what their rows need.

    Args:
        backend: The network.
        person: "main" for a row of the largest steady face in each window, "all" for one of each
            person, "speaker" for that of the person who speaks.
        attend: Keep the attention maps of windows with a face and a voice.
    """

    def __init__(self, backend: Backend, *, person: PersonMode, attend: bool = False) -> None:
        self.backend, self.person, self.attend = backend, person, attend
        self.steps = 0
        """Steps of the clip that lie in a window."""
        self.face_steps = 0
        """Steps of the clip with a face."""
        self.voiced: list[NDArray[np.bool_]] = []
        """Voice activity of the clip in blocks, :data:`VOICE_RATE` ticks a second."""
        self._windows: list[list[_Row]] = []
        self._steps_counted = 0
        self._ticks_counted = 0
        self._pending: list[tuple[_Row, tuple[str, ...], preprocess.Window]] = []
        self._others: list[tuple[_Row, tuple[str, ...], preprocess.Window]] = []
        self._features: dict[tuple[int, int], NDArray[np.generic]] = {}

    @property
    def voice_ticks(self) -> int:
        """Ticks of the clip with a voice."""
        return int(sum(block.sum() for block in self.voiced))

    def add(self, window: WindowMedia) -> None:
        """Add the next window; its scores follow with the batch."""
        spec, rate = self.backend.spec, self.backend.spec.video_rate
        filtered = high_pass(window.wave, spec.sample_rate)
        voiced = voice_activity(filtered, spec.sample_rate, filtered=True)
        first_tick = round(window.start_step / rate * VOICE_RATE)
        if first_tick > self._ticks_counted:  # windows may leave gaps
            self.voiced.append(np.zeros(first_tick - self._ticks_counted, np.bool_))
            self._ticks_counted = first_tick
        self.voiced.append(voiced[max(0, self._ticks_counted - first_tick) :])
        self._ticks_counted = max(self._ticks_counted, first_tick + len(voiced))
        has_voice = float(voiced.sum()) / VOICE_RATE >= MIN_VOICE_S
        audio = preprocess.audio_window(
            filtered if spec.high_pass else window.wave,
            spec,
            valid=None if has_voice else 0,
            filtered=True,
        )
        people, in_view = self._people(window)
        seen = {face.step for _, faces in people for face in faces}
        self.face_steps += sum(step >= self._steps_counted for step in seen)
        first, end = max(window.start_step, self._steps_counted), window.start_step + window.n_steps
        self.steps += max(0, end - first)
        self._steps_counted = max(self._steps_counted, end)
        rows = []
        for person, faces in people:
            steps = np.array([face.step for face in faces], np.int64)
            features = self._video_features(person, faces)
            video = preprocess.video_window(steps, features, window.start_step, spec)
            start = window.start_step / rate
            row = TimelineRow(
                start_s=start,
                end_s=start + window.n_steps / rate,
                scores={},
                modalities=(*(("face",) if faces else ()), *(("voice",) if has_voice else ())),
                face=len(steps) / max(1, window.n_steps),
                voice=min(1.0, float(voiced.sum()) / VOICE_RATE / (window.n_steps / rate)),
                person=person,
                box=as_box(np.median([face.box for face in faces], axis=0)) if faces else None,
                others=tuple(one for one in in_view if one != person),
            )
            rows.append(self._wait(row, (*video, *audio)))
        if has_voice and people[0][1]:
            alone = replace(rows[0].row, modalities=VOICE, face=0.0, person=NO_PERSON, box=None)
            masked = preprocess.video_window(
                np.zeros(0, np.int64), self._video_features(NO_PERSON, []), window.start_step, spec
            )
            rows.append(self._wait(alone, (*masked, *audio), extra=True))
        self._windows.append(rows)
        first = window.start_step
        self._features = {key: v for key, v in self._features.items() if key[1] >= first}
        if len(self._pending) >= BATCH:
            self._run()

    def _wait(self, row: TimelineRow, window: preprocess.Window, *, extra: bool = False) -> _Row:
        """A row whose window waits for the next batch."""
        waiting = _Row(row, extra)
        if row.modalities:
            queue = self._others if extra else self._pending
            queue.append((waiting, row.modalities, window))
        if row.modalities == BOTH:
            silent = np.zeros_like(window[2]), np.zeros_like(window[3])
            self._others.append((waiting, FACE, (*window[:2], *silent)))
        return waiting

    def finish(self, speech: Speech | None) -> tuple[list[TimelineRow], list[WindowAttention]]:
        """Run the last batch.

        Args:
            speech: Who speaks when; ``None`` without audio.

        Returns:
            All rows, in order, and the attention maps of those that were read from both.
        """
        self._run()
        rows: list[TimelineRow] = []
        attention: list[WindowAttention] = []
        for window in self._windows:
            for one in self._chosen(window, speech):
                row = _read(one, speech)
                rows.append(row)
                attention += one.attention if row.modalities == BOTH else []
        return rows, attention

    def _chosen(self, window: list[_Row], speech: Speech | None) -> list[_Row]:
        """The rows of a window, the one that counts for the clip first."""
        people = [one for one in window if not one.extra]
        start_s, end_s = window[0].row.start_s, window[0].row.end_s

        def heard(person: int) -> float:
            share = None if speech is None else speech.heard(start_s, end_s, person)
            return 0.0 if share is None else share

        unseen = [one for one in window if one.extra and heard(UNSEEN) >= MOSTLY_UNSEEN]
        if self.person == "main":
            return people[:1] + unseen
        if self.person == "all":
            return people + unseen
        speakers = [one for one in people if heard(one.row.person) >= SPEAKS]
        if speakers:
            return [max(speakers, key=lambda one: heard(one.row.person))]
        return unseen or people[:1]

    def score(
        self,
        window: WindowMedia,
        find_speech: Callable[[NDArray[np.bool_], int], Speech | None],
    ) -> list[TimelineRow]:
        """The rows of the next window at once; they and older voice activity are not kept.

        Args:
            window: The window.
            find_speech: Finds who speaks, from the last voice activity and the tick after it;
                ``None`` where it is undecided.
        """
        first_tick = round(window.start_step / self.backend.spec.video_rate * VOICE_RATE)
        self._ticks_counted = max(self._ticks_counted, first_tick - LIVE_TICKS)  # of a long gap
        self.add(window)
        self.voiced = [np.concatenate(self.voiced)[-LIVE_TICKS:]]
        speech = find_speech(self.voiced[0], self._ticks_counted)
        chosen = self._chosen(self._windows.pop(), speech)
        self._pending = [
            (one, modalities, inputs)
            for one, modalities, inputs in self._pending + self._others
            if one in chosen and modalities == _modalities(one.row, speech)
        ]
        self._others.clear()
        self._run()
        return [_read(one, speech) for one in chosen]

    def _people(self, window: WindowMedia) -> tuple[list[tuple[int, list[TrackedCrop]]], list[int]]:
        """The people who are read, with their faces, and the numbers of all in view."""
        seen = {
            person: faces
            for person, faces in window.faces.items()
            if len(faces) >= max(1, MIN_PERSON_SHARE * window.n_steps)
        }
        ranked = rank_people({n: [face.area for face in faces] for n, faces in seen.items()})
        chosen = ranked[:1] if self.person == "main" else ranked
        return [(person, seen[person]) for person in chosen] or [(NO_PERSON, [])], ranked

    def _video_features(self, person: int, faces: list[TrackedCrop]) -> NDArray[np.generic]:
        """Features ``(n, ...)`` of a person's faces; windows that overlap share them."""
        new = [face for face in faces if (person, face.step) not in self._features]
        if new:
            made = self.backend.encode_faces(np.stack([face.crop for face in new]))
            self._features.update({(person, f.step): v for f, v in zip(new, made, strict=True)})
        if not faces:
            return np.zeros((0, *self.backend.spec.step_shape), np.float32)
        return np.stack([self._features[person, face.step] for face in faces])

    def _run(self) -> None:
        if not self._pending:
            return
        pending = self._pending + self._others
        batch = preprocess.stack([window for _, _, window in pending])
        if self.attend:
            logits, maps = self.backend.attend(batch)
        else:
            logits, maps = self.backend.logits(batch), {}
        probs = softmax(logits, self.backend.temperature)
        labels = self.backend.spec.labels
        for (waiting, modalities, _), of_row in zip(pending, probs, strict=True):
            scores = {name: float(p) for name, p in zip(labels, of_row, strict=True)}
            waiting.scores[modalities] = scores
        if maps:
            rows = [waiting.row for waiting, _, _ in self._pending]
            places = {(one.row.start_s, one.row.person): one for one, _, _ in self._pending}
            for found in window_attention(maps, rows, self.backend.spec.window_s):
                places[found.start_s, found.person].attention.append(found)
        self._pending.clear()
        self._others.clear()


def _read(one: _Row, speech: Speech | None) -> TimelineRow:
    """A row with its scores."""
    row, speaking, modalities = one.row, None, _modalities(one.row, speech)
    if speech is not None and "face" in modalities:
        speaking = speech.share(row.start_s, row.end_s, row.person)
    scores = one.scores.get(modalities, {})
    return replace(row, scores=scores, modalities=modalities, speaking=speaking)


def _modalities(row: TimelineRow, speech: Speech | None) -> tuple[str, ...]:
    """What a row is read from: the face alone where this person does not speak."""
    if speech is not None and row.modalities == BOTH:
        heard = speech.heard(row.start_s, row.end_s, row.person)
        if heard is not None and heard < SPEAKS:
            return FACE
    return row.modalities
