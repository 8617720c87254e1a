"""What a caller can observe while a clip is read."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.faces import TrackedFace
from avtca.media import Frame, Media


class StreamObserver(Protocol):
    """Receives what :meth:`~avtca.recognize.recognizer.Recognizer.predict` reads, as it is read.

    An exception that a method raises ends the reading.
    """

    def opened(self, clip: Media) -> None:
        """The clip was opened; nothing was read but its headers and first frames."""

    def started(self, quarter_turns: int) -> None:
        """Reading starts, or starts again where the faces turn out not to be upright.

        Args:
            quarter_turns: Quarter turns counterclockwise by which the frames are turned.
        """

    def frame(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """A frame with its faces; frames that are repeated (``held_s``) included."""

    def audio(self, block: NDArray[np.float32]) -> None:
        """The next block of audio, mono, at the sample rate of the network."""
