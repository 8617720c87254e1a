"""Scores of windows, in batches."""

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

MIN_VOICE_S = 0.15
"""Windows with less voice, in seconds, count as without voice."""
MIN_PERSON_SHARE = 0.15
"""A person must be seen in at least this share of a window's steps to be recognised in it."""
BATCH = 16
"""Windows in a batch of the network."""


class WindowScorer:
    """Turns windows into timeline rows.

    Args:
        backend: The network.
        everyone: Make a row for each person, not only for the largest steady face.
        attend: Keep the attention maps of windows with a face and a voice.
    """

    def __init__(self, backend: Backend, *, everyone: bool, attend: bool = False) -> None:
        self.backend, self.everyone, self.attend = backend, everyone, attend
        self.rows: list[TimelineRow] = []
        self.attention: list[WindowAttention] = []
        self.face_steps = 0
        """Steps of the clip with a face."""
        self.voice_ticks = 0
        """Ticks of the clip with a voice, :data:`VOICE_RATE` a second."""
        self._steps_counted = 0
        self._ticks_counted = 0
        self._pending: list[tuple[TimelineRow, preprocess.Window]] = []
        self._features: dict[tuple[int, int], NDArray[np.generic]] = {}

    def add(self, window: WindowMedia) -> None:
        """Add the next window; its rows follow with the batch."""
        spec, rate = self.backend.spec, self.backend.spec.video_rate
        filtered = high_pass(window.wave, spec.sample_rate)
        voiced = voice_activity(filtered, spec.sample_rate, filtered=True)
        first_tick = round(window.start_step / rate * VOICE_RATE)
        self.voice_ticks += int(voiced[max(0, self._ticks_counted - first_tick) :].sum())
        self._ticks_counted = max(self._ticks_counted, first_tick + len(voiced))
        has_voice = float(voiced.sum()) / VOICE_RATE >= MIN_VOICE_S
        audio = preprocess.audio_window(
            filtered if spec.high_pass else window.wave,
            spec,
            valid=None if has_voice else 0,
            filtered=True,
        )
        people = self._people(window)
        seen = {face.step for _, faces in people for face in faces}
        self.face_steps += sum(step >= self._steps_counted for step in seen)
        self._steps_counted = window.start_step + window.n_steps
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
            )
            self._pending.append((row, (*video, *audio)))
        first = window.start_step
        self._features = {key: v for key, v in self._features.items() if key[1] >= first}
        if len(self._pending) >= BATCH:
            self._run()

    def finish(self) -> list[TimelineRow]:
        """Run the last batch and return all rows, in order."""
        self._run()
        return self.rows

    def score(self, window: WindowMedia) -> list[TimelineRow]:
        """The rows of the next window at once; they are not kept."""
        self.add(window)
        rows, self.rows = self.finish(), []
        return rows

    def _people(self, window: WindowMedia) -> list[tuple[int, list[TrackedCrop]]]:
        seen = {
            person: faces
            for person, faces in window.faces.items()
            if len(faces) >= max(1, MIN_PERSON_SHARE * window.n_steps)
        }
        ranked = rank_people({n: [face.area for face in faces] for n, faces in seen.items()})
        chosen = ranked if self.everyone else ranked[:1]
        return [(person, seen[person]) for person in chosen] or [(NO_PERSON, [])]

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
        used = [i for i, (row, _) in enumerate(self._pending) if row.modalities]
        scores: dict[int, dict[str, float]] = {}
        if used:
            batch = preprocess.stack([self._pending[i][1] for i in used])
            probs = softmax(self.backend.logits(batch), self.backend.temperature)
            labels = self.backend.spec.labels
            for i, row in zip(used, probs, strict=True):
                scores[i] = {name: float(p) for name, p in zip(labels, row, strict=True)}
            if self.attend:
                maps = self.backend.attention(batch)
                rows = [self._pending[i][0] for i in used]
                self.attention += window_attention(maps, rows, self.backend.spec.window_s)
        for i, (row, _) in enumerate(self._pending):
            self.rows.append(TimelineRow(**{**vars(row), "scores": scores.get(i, {})}))
        self._pending.clear()
