"""Reports as files of annotation programs, and as tables of segments."""

from collections.abc import Callable
from typing import NamedTuple

from avtca.recognize.exports.eaf import eaf_text
from avtca.recognize.exports.rttm import rttm_text
from avtca.recognize.exports.segments import Segment, make_segments
from avtca.recognize.exports.subtitles import srt_text, vtt_text
from avtca.recognize.exports.table import tsv_text
from avtca.recognize.exports.textgrid import textgrid_text

__all__ = ["EXPORTS", "Export", "Segment", "make_segments"]


class Export(NamedTuple):
    """A format of segments."""

    suffix: str
    """Suffix of the files."""
    text: Callable[..., str]
    """Text of a report, or of several where the format can hold them."""
    several: bool = False
    """Whether one file can hold several reports."""


EXPORTS = {
    "eaf": Export("eaf", eaf_text),
    "textgrid": Export("TextGrid", textgrid_text),
    "vtt": Export("vtt", vtt_text),
    "srt": Export("srt", srt_text),
    "rttm": Export("rttm", rttm_text, several=True),
    "tsv": Export("tsv", tsv_text, several=True),
}
"""Formats by the name of ``--format``."""
