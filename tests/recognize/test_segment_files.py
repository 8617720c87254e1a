"""Segments of one recording from the formats of transcription and annotation programs."""

import wave
from pathlib import Path

import pytest
from small_reports import make_report, make_row

from avtca.errors import ConfigError, CorpusError
from avtca.recognize.segment_files import given_segments, read_segments

MEDIA = Path("talk.mp4")

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500
Hello,
<i>you</i> &amp; me.

2
00:00:03,000 --> 00:00:03,000


3
01:02:03,250 --> 01:02:04,000 X1:10 X2:20
{\\an8}Bye.
"""
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE 1 --> 2 is no cue

intro
00:01.000 --> 00:02.500 align:start
<v.loud Anna B>Hello, <b>you</b>.</v>

00:03.000 --> 00:04.000
No speaker.
"""
RTTM = """;; made by hand
SPEAKER talk 1 1.25 0.750 <NA> <NA> anna <NA> <NA>
SPEAKER talk 1 2.5 1 <NA> <NA> bert <NA> <NA>
"""
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = ""
        intervals [2]:
            xmin = 1.5
            xmax = 2.25
            text = "she said ""3 words"" twice"
        intervals [3]:
            xmin = 2.25
            xmax = 5
            text = "end"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 5
        points: size = 1
        points [1]:
            number = 2
            mark = "click"
"""
SHORT_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
5
<exists>
1
"IntervalTier"
"words"
0
5
2
0
1.5
""
1.5
5
"end"
"""
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT>
 <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
  <MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/study/talk.wav" MIME_TYPE="audio/x-wav"/>
 </HEADER>
 <TIME_ORDER>
  <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
  <TIME_SLOT TIME_SLOT_ID="ts2"/>
  <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2000"/>
 </TIME_ORDER>
 <TIER TIER_ID="emotion">
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
   <ANNOTATION_VALUE>h\u00e4ppy</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
   <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
 </TIER>
 <TIER TIER_ID="notes" PARENT_REF="emotion">
  <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1">
   <ANNOTATION_VALUE>note</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
 </TIER>
</ANNOTATION_DOCUMENT>
"""


@pytest.fixture
def read(tmp_path):
    def segments(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_segments(tmp_path / name, MEDIA)

    return segments


@pytest.mark.parametrize(
    ("name", "content", "columns", "rows"),
    [
        ("a.srt", SRT, ["text"], [(1, 2.5, "Hello, you & me."), (3723.25, 3724, "Bye.")]),
        ("a.srt", SRT.replace("\n", "\r\n"), ["text"], [(1, 2.5, "Hello, you & me."), ...]),
        (
            "a.vtt",
            VTT,
            ["speaker", "text"],
            [(1, 2.5, "Anna B", "Hello, you."), (3, 4, "", "No speaker.")],
        ),
        ("a.rttm", RTTM, ["speaker"], [(1.25, 2, "anna"), (2.5, 3.5, "bert")]),
        (
            "a.TextGrid",
            GRID,
            ["tier", "text"],
            [(1.5, 2.25, "words", 'she said "3 words" twice'), (2.25, 5, "words", "end")],
        ),
        ("a.TextGrid", GRID.encode("utf-16"), ["tier", "text"], [(1.5, 2.25, ...), ...]),
        ("a.TextGrid", SHORT_GRID, ["tier", "text"], [(1.5, 5, "words", "end")]),
        (
            "a.eaf",
            EAF,
            ["tier", "text"],
            [(1, 1.5, "emotion", "h\u00e4ppy"), (1.5, 2, "emotion", "")],
        ),
    ],
)
def test_formats(read, name, content, columns, rows):
    sheet = read(name, content)
    assert sheet.columns == ("path", "start", "end", *columns)
    assert len(sheet.rows) == 2 or len(rows) == 1
    for row, wanted in zip(sheet.rows, rows, strict=False):
        if wanted is not ...:
            assert row[0] == "talk.mp4"
            known = [cell for cell in wanted if cell is not ...]
            assert list(row[1 : 1 + len(known)]) == known


def test_a_sheet_of_segments_needs_no_path(read, tmp_path):
    sheet = read("a.csv", "trial;start;end\n1;0:01;2,5\n2;3;4\n")
    assert sheet.columns == ("trial", "start", "end")
    clips = sheet.clips()
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(1, 2.5), (3, 4)]
    assert str(clips[0].error) == "read talk.mp4: no such file; check the path"


@pytest.fixture
def talk(tmp_path):
    """A recording of 8 s."""
    with wave.open(str(tmp_path / "talk.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16000 * 8))
    return tmp_path / "talk.wav"


def test_integers_of_whisper_are_milliseconds(talk, tmp_path):
    path = tmp_path / "talk.tsv"
    path.write_text('start\tend\ttext\n0\t4500\t"Hi", she said\n4500\t5000\t\n5020\t8000\tEnd.\n')
    sheet = read_segments(path, talk)
    assert sheet.columns == ("path", "start", "end", "text")
    assert sheet.rows == (
        (str(talk), 0, 4.5, '"Hi", she said'),
        (str(talk), 5.02, 8, "End."),
    )
    assert [(clip.start_s, clip.end_s) for clip in sheet.clips()] == [(0, 4.5), (5.02, 8)]
    path.write_text("start\tend\ttext\r\n0\t81\tHi.\r\n")
    assert read_segments(path, talk).rows == ((str(talk), 0, 0.081, "Hi."),)


@pytest.mark.parametrize(
    ("content", "times"),
    [
        ("start\tend\ttext\n0\t4\tHi.\n4\t8\tEnd.\n", [(0, 4), (4, 8)]),
        ("start\tend\ttext\n0\t4.5\tHi.\n7\t20\tEnd.\n", [(0, 4.5), (7, 20)]),
        ("start\tend\tnote\n0\t4500\tHi.\n", [(0, 4500)]),
        ("start\tend\ttext\tid\n0\t4500\tHi.\t1\n", [(0, 4500)]),
    ],
)
def test_times_of_other_sheets_are_seconds(talk, tmp_path, content, times):
    (tmp_path / "talk.tsv").write_text(content)
    clips = read_segments(tmp_path / "talk.tsv", talk).clips()
    assert [(clip.start_s, clip.end_s) for clip in clips] == times


def test_times_that_may_be_seconds_or_milliseconds_are_refused(talk, tmp_path):
    path = tmp_path / "talk.tsv"
    path.write_text("start\tend\ttext\n0\t4\tHi.\n7\t20\tEnd.\n")
    with pytest.raises(CorpusError) as error:
        read_segments(path, talk)
    assert str(error.value) == (
        f"read {path}: 20 may be seconds or milliseconds, and talk.wav has 8.00 s; "
        "write all times as seconds with a decimal point"
    )


def test_the_recording_is_found_from_the_current_folder(read, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "talk.mp4").touch()
    monkeypatch.chdir(tmp_path / "here")
    (clip, _) = read("a.rttm", RTTM).clips()
    assert clip.path == MEDIA and clip.part == "#t=1.25,2"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.srt", "no cues here", "it has no segments; give a file with segments"),
        ("a.srt", make_report([]).to_srt(), "it has no segments; give a file with segments"),
        ("a.srt", SRT.replace("00:00:01,000", "00:61:00"), "'00:61:00' is no time; correct"),
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "it is no eaf file, or is damaged; export it again"),
        ("a.eaf", EAF.replace('REF2="ts3"', 'REF2="ts9"'), "it is no eaf file, or is damaged"),
        ("a.eaf", EAF.replace("talk.wav", "other.wav"), "it is for other.wav, not for talk.mp4"),
        ("a.rttm", RTTM.replace("1.25", "nan"), "it is no rttm file, or is damaged"),
        ("a.rttm", "SPEAKER talk 1\n", "it is no rttm file, or is damaged"),
        (
            "a.rttm",
            RTTM.replace("talk", "x", 1).replace("talk", "y"),
            "it is for x, y, not for talk; give the file it is for",
        ),
        ("a.TextGrid", "nothing", "it is no textgrid file, or is damaged"),
        ("a.TextGrid", GRID[:400], "it is no textgrid file, or is damaged"),
        ("a.TextGrid", b"ooBinaryFile\x08TextGrid\0", "it is no text; export it again as text"),
        ("a.csv", "start,text\n1,a\n", "it has no column end, only: start, text"),
        ("a.json", "[]", "its format is unknown; give SRT, VTT, RTTM, TextGrid, EAF, CSV or Excel"),
    ],
)
def test_what_cannot_be_read_is_one_line(read, tmp_path, name, content, problem):
    with pytest.raises(CorpusError) as error:
        read(name, content)
    assert str(error.value).startswith(f"read {tmp_path / name}: {problem}")
    assert "\n" not in str(error.value)


def test_segments_belong_to_one_file(tmp_path):
    (tmp_path / "a.srt").write_text(SRT)
    (tmp_path / "talk.mp4").touch()
    talk = str(tmp_path / "talk.mp4")
    assert len(given_segments([talk], tmp_path / "a.srt").rows) == 2
    for paths in ([talk, talk], [], [str(tmp_path)], ["gone.mp4"]):
        with pytest.raises(ConfigError, match="segments belong to one file"):
            given_segments(paths, tmp_path / "a.srt")
    with pytest.raises(CorpusError, match="No such file"):
        given_segments([talk], tmp_path / "gone.srt")


@pytest.mark.parametrize("name", ["srt", "vtt", "rttm", "textgrid", "eaf"])
def test_segments_that_avtca_exports_are_read_back(name, tmp_path):
    report = make_report([make_row(0, 2, 0.9), make_row(2, 4, 0.1)], file="talk.mp4")
    path = tmp_path / f"talk.{name}"
    getattr(report, f"to_{name}")(path)
    wanted = {(one.start_s, one.end_s) for one in report.to_segments()}
    rows = read_segments(path, MEDIA).rows
    if name == "textgrid":  # a tier for the segments, one for the confidences and one for the rule
        rows = [row for row in rows if row[3] == "person 0"]
    assert [row[1:3] for row in rows] == sorted(wanted) == [(0, 2), (2, 4)]
