"""Who speaks: mouths that move with the voice."""

from avtca.speaker.levels import SpeechLevels
from avtca.speaker.mfcc import MfccSeries
from avtca.speaker.model import FaceRecorder, SpeakerModel
from avtca.speaker.mouths import FRAME_RATE, MOUTH_RATE, MouthRecorder, MouthSeries
from avtca.speaker.speech import Speech, Turn, find_speakers

__all__ = [
    "FRAME_RATE",
    "MOUTH_RATE",
    "FaceRecorder",
    "MfccSeries",
    "MouthRecorder",
    "MouthSeries",
    "SpeakerModel",
    "Speech",
    "SpeechLevels",
    "Turn",
    "find_speakers",
]
