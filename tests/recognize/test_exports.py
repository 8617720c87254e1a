"""Exports, read back by the packages that people read them with."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_reports import make_person, make_report, make_row

from avtca.cli.formats import Format
from avtca.media.find import MEDIA_SUFFIXES
from avtca.recognize.exports import EXPORTS, make_segments
from avtca.recognize.exports.file_time import in_file_time
from avtca.recognize.exports.segments import RULE
from avtca.recognize.report import NO_PERSON, Report
from avtca.recognize.writers import OutputFolder

BOTH = ("face", "voice")
SEGMENTS = [
    ("person 0", 0.0, 4.0, "happy", "90%"),
    ("person 0", 4.0, 7.2, "sad", "70% (below threshold)"),
    ("person 2", 1.0, 2.5, "sad", "80%"),
    ("audio", 7.2, 9.75, "happy", "60% (no threshold for audio only)"),
]


@pytest.fixture
def report(tmp_path):
    clip = tmp_path / "Müller & <Söhne> 1.mp4"
    clip.touch()
    rows = [
        make_row(0, 4, 0.9, 0, BOTH),
        make_row(1, 2.5, 0.2, 2, BOTH),
        make_row(4, 7.2, 0.3, 0, BOTH),
        make_row(7.2, 9.75, 0.6, NO_PERSON, ("voice",)),
    ]
    made = replace(make_report(rows, str(clip)), duration_s=10.0, thresholds={"both": 0.75})
    assert values(made) == SEGMENTS
    return made


@pytest.fixture
def empty():
    return make_report([])


def values(report):
    return [
        (one.track, one.start_s, one.end_s, one.label, one.certainty)
        for one in make_segments(report)
    ]


def test_the_command_has_every_format():
    assert {name for name in Format if name.is_export} == set(EXPORTS)
    assert not {Path(f"x{one.suffix.lower()}").suffix for one in EXPORTS.values()} & MEDIA_SUFFIXES


def test_eaf(report, tmp_path):
    pympi = pytest.importorskip("pympi")
    report.to_eaf(tmp_path / "x.eaf")
    eaf = pympi.Eaf(tmp_path / "x.eaf")
    tracks = ("person 0", "person 2", "audio")
    assert list(eaf.get_tier_names()) == [
        f"{one}{more}" for one in tracks for more in ("", " confidence")
    ]
    read = []
    for track in tracks:
        certainties = [
            row[2] for row in eaf.get_ref_annotation_data_for_tier(f"{track} confidence")
        ]
        rows = sorted(eaf.get_annotation_data_for_tier(track))
        for (start, end, label), certainty in zip(rows, certainties, strict=True):
            read.append((track, start / 1000, end / 1000, label, certainty))
        assert eaf.get_parameters_for_tier(track)["PARTICIPANT"] == track
        assert eaf.get_parameters_for_tier(f"{track} confidence")["PARENT_REF"] == track
    assert read == SEGMENTS
    vocabulary = eaf.get_cv_entries("emotions")
    assert [entry[0][0][0] for entry in vocabulary.values()] == ["happy", "sad"]
    assert eaf.linguistic_types["emotion"]["CONTROLLED_VOCABULARY_REF"] == "emotions"
    (media,) = eaf.get_linked_files()
    assert media["MEDIA_URL"] == f"file://{Path(report.file).resolve()}"
    assert media["RELATIVE_MEDIA_URL"] == "./Müller & <Söhne> 1.mp4"
    assert media["MIME_TYPE"] == "video/mp4"
    assert dict(eaf.properties)["avtca:segments"] == RULE


def test_an_eaf_links_the_recording_from_its_own_folder(report, tmp_path, monkeypatch):
    def linked(text):
        (media,) = ElementTree.fromstring(text.encode()).iter("MEDIA_DESCRIPTOR")
        return media.get("RELATIVE_MEDIA_URL")

    name = "Müller & <Söhne> 1.mp4"
    (tmp_path / "out" / "deep").mkdir(parents=True)
    folder = OutputFolder(tmp_path / "out", {})
    folder.export(report, Path(report.file), "eaf")
    (written,) = (tmp_path / "out").glob("*.eaf")
    assert linked(written.read_text(encoding="utf-8")) == f"../{name}"
    assert linked(report.to_eaf(tmp_path / "out" / "deep" / "x.eaf")) == f"../../{name}"
    assert linked(report.to_eaf(tmp_path / "x.eaf")) == f"./{name}"
    monkeypatch.chdir(tmp_path / "out")
    assert linked(report.to_eaf()) == f"../{name}"
    assert linked(replace(report, file=f"../{name}").to_eaf("y.eaf")) == f"../{name}"
    monkeypatch.chdir(tmp_path.parent)
    assert linked(report.to_eaf()) == f"./{tmp_path.name}/{name}"


def test_each_annotation_of_an_eaf_has_its_word_of_the_vocabulary(report):
    root = ElementTree.fromstring(report.to_eaf().encode())
    words = {entry.get("CVE_ID"): entry.findtext("CVE_VALUE") for entry in root.iter("CV_ENTRY_ML")}
    found = [(words[one.get("CVE_REF")], one[0].text) for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert found == [(label, label) for _, _, _, label, _ in SEGMENTS]
    ids = [one.get("ANNOTATION_ID") for one in root.iter() if one.get("ANNOTATION_ID")]
    assert sorted(ids) == sorted({f"a{i}" for i in range(1, 2 * len(SEGMENTS) + 1)})


def test_an_eaf_without_a_file_or_segments_is_valid(report, empty, tmp_path):
    pympi = pytest.importorskip("pympi")
    replace(report, file="arrays").to_eaf(tmp_path / "x.eaf")
    assert pympi.Eaf(tmp_path / "x.eaf").get_linked_files() == []
    empty.to_eaf(tmp_path / "x.eaf")
    eaf = pympi.Eaf(tmp_path / "x.eaf")
    assert list(eaf.get_tier_names()) == ["audio", "audio confidence"]
    assert eaf.get_annotation_data_for_tier("audio") == []


@pytest.mark.parametrize("duration_s", [10.0, 9.75])
def test_textgrid(report, tmp_path, duration_s):
    textgrid = pytest.importorskip("praatio.textgrid")
    replace(report, duration_s=duration_s).to_textgrid(tmp_path / "x.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "x.TextGrid"), includeEmptyIntervals=True)
    read = []
    for track in ("person 0", "person 2", "audio"):
        tiers = [grid.getTier(name).entries for name in (track, f"{track} confidence")]
        for entries in tiers:
            assert entries[0].start == 0 and entries[-1].end == duration_s
            ends = [one.end for one in entries[:-1]]
            assert ends == [one.start for one in entries[1:]]
        for one, certainty in zip(*tiers, strict=True):
            if one.label:
                read.append((track, one.start, one.end, one.label, certainty.label))
    assert read == SEGMENTS
    (rule,) = grid.getTier("rule").entries
    assert rule.label.startswith(RULE)


def test_quotes_and_an_empty_textgrid(report, empty, tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    replace(report, model='my "net"').to_textgrid(tmp_path / "x.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "x.TextGrid"), includeEmptyIntervals=False)
    assert 'my "net"' in grid.getTier("rule").entries[0].label.replace('""', '"')
    replace(empty, duration_s=0.0).to_textgrid(tmp_path / "x.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "x.TextGrid"), includeEmptyIntervals=True)
    assert grid.tierNames == ("audio", "audio confidence", "rule")
    assert [tuple(one) for one in grid.getTier("audio").entries] == [(0, 0.001, "")]


def in_time():
    return sorted(SEGMENTS, key=lambda one: one[1:3])


def test_vtt(report, empty):
    webvtt = pytest.importorskip("webvtt")
    odd = replace(report, model="a --> b")
    assert odd.to_vtt().startswith("WEBVTT\n\nNOTE avtca segments: ")
    assert RULE in odd.to_vtt()
    cues = list(webvtt.from_string(odd.to_vtt()))
    assert [(cue.voice, cue.start, cue.end, cue.text) for cue in cues] == [
        (track, f"00:00:{start:06.3f}", f"00:00:{end:06.3f}", f"{track}: {label} {certainty}")
        for track, start, end, label, certainty in in_time()
    ]
    assert list(webvtt.from_string(empty.to_vtt())) == []


def test_srt(report, empty):
    srt = pytest.importorskip("srt")
    late = make_row(3725.04, 3728, 0.9, 1)
    report = replace(report, timeline=(*report.timeline, late), duration_s=3728.0)
    assert "01:02:05,040 --> 01:02:08,000" in report.to_srt()
    *cues, rule = srt.parse(report.to_srt())
    read = [(cue.start.total_seconds(), cue.end.total_seconds(), cue.content) for cue in cues]
    assert read[:-1] == [
        (start, end, f"{track}: {label} {certainty}")
        for track, start, end, label, certainty in in_time()
    ]
    assert rule.start.total_seconds() == 3728 and rule.content.startswith(RULE)
    (rule,) = srt.parse(empty.to_srt())
    assert rule.content.startswith(RULE)


def test_rttm(report, empty):
    other = replace(report, file="other.wav")
    lines = EXPORTS["rttm"].make(report, empty, other).splitlines()
    fields = [line.split(" ") for line in lines]
    assert {len(one) for one in fields} == {10}  # as the readers of RTTM demand
    assert [one[1] for one in fields] == ["Müller_&_<Söhne>_1"] * 4 + ["other"] * 4
    read = [
        (one[5].replace("_", " "), float(one[3]), float(one[3]) + float(one[4]), one[7])
        for one in fields[:4]
    ]
    assert read == [
        (track, start, pytest.approx(end), label) for track, start, end, label, _ in SEGMENTS
    ]
    assert [one[6].split(",")[0] for one in fields[:4]] == [
        "confident",
        "not_confident",
        "confident",
        "no_threshold",
    ]
    assert {one[6].partition(",")[2] for one in fields} == {"windows_mean,hysteresis=0.1,min_s=1"}
    assert [float(one[8]) for one in fields[:4]] == [0.9, 0.7, 0.8, 0.6]
    assert {(one[0], one[2], one[9]) for one in fields} == {("SPEAKER", "1", "<NA>")}
    assert empty.to_rttm() == ""


def test_tsv(report, empty, tmp_path):
    pandas = pytest.importorskip("pandas")
    report.to_tsv(tmp_path / "x.tsv")
    table = pandas.read_csv(tmp_path / "x.tsv", sep="\t")
    columns = ["track", "start_s", "end_s", "label", "certainty"]
    assert [tuple(row) for row in table[columns].to_numpy()] == SEGMENTS
    assert set(table["file"]) == {report.file} and set(table["rule"]) == {RULE}
    assert table["person"].fillna(-1).tolist() == [0, 0, 2, -1]
    assert table["happy"].tolist() == [0.9, 0.3, 0.2, 0.6]
    assert table["sad"].tolist() == [0.1, 0.7, 0.8, 0.4]
    assert table["confidence"].tolist() == [0.9, 0.7, 0.8, 0.6]
    assert table["sure"].isna().tolist() == [False, False, False, True]
    assert table["sure"].tolist()[:3] == [True, False, True]
    rows = list(csv.DictReader(io.StringIO(empty.to_tsv()), delimiter="\t"))
    assert rows == []
    both = EXPORTS["tsv"].make(report, empty, replace(report, file="=x.wav"))
    rows = list(csv.DictReader(io.StringIO(both), delimiter="\t"))
    assert [row["file"] for row in rows] == [report.file] * 4 + ["'=x.wav"] * 4


def test_parquet(report, empty, tmp_path):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    path.write_bytes(EXPORTS["parquet"].make(report, empty))
    table = pandas.read_parquet(path)
    columns = ["track", "start_s", "end_s", "label", "certainty"]
    assert [tuple(row) for row in table[columns].to_numpy()] == SEGMENTS
    assert table["sad"].tolist() == [0.1, 0.7, 0.8, 0.4]
    assert parquet.read_table(path).to_pydict()["sure"] == [True, False, True, None]
    assert parquet.read_table(path).to_pydict()["person"] == [0, 0, 2, None]
    assert parquet.read_schema(path).metadata[b"avtca"].decode() == RULE
    schema = parquet.read_schema(path)
    path.write_bytes(EXPORTS["parquet"].make(empty))
    assert parquet.read_table(path).num_rows == 0
    assert parquet.read_schema(path).equals(schema)


def test_bids(report, empty):
    pandas = pytest.importorskip("pandas")
    files = EXPORTS["bids"].files(report, Path())
    table = pandas.read_csv(io.StringIO(files["_events.tsv"]), sep="\t", na_values="n/a")
    assert table.columns[:3].tolist() == ["onset", "duration", "trial_type"]
    table["end"] = (table["onset"] + table["duration"]).round(3)
    columns = ["track", "onset", "end", "trial_type", "certainty"]
    assert [tuple(row) for row in table[columns].to_numpy()] == in_time()
    assert table["sure"].isna().tolist() == [False, False, False, True]
    sidecar = json.loads(files["_events.json"])
    assert set(table.columns) - {"end"} <= set(sidecar)
    assert set(sidecar["trial_type"]["Levels"]) == set(report.labels)
    assert RULE in sidecar["trial_type"]["Description"]
    assert (sidecar["onset"]["Units"], sidecar["File"]) == ("s", report.file)
    assert sidecar["Segments"]["hysteresis"] == 0.1
    assert sidecar["Segments"]["min_length_s"] == 1
    assert len(EXPORTS["bids"].files(empty, Path())["_events.tsv"].splitlines()) == 1


FEX_COLUMNS = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
FEX_COLUMNS += ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
"""What py-feat 2.1 expects of a Fex with faces and emotions."""


def test_fex(empty):
    pandas = pytest.importorskip("pandas")
    rows = [
        make_row(0, 0.4, 0.9, 1, BOTH, (10, 20, 40, 60)),
        make_row(0.2, 0.6, 0.5, 1, BOTH, (20, 30, 50, 80)),
        make_row(0.6, 0.8, None, NO_PERSON, ()),
        make_row(0.8, 1.2, 0.6, NO_PERSON, ("voice",)),
    ]
    report = replace(make_report(rows), duration_s=1.0)
    table = pandas.read_csv(io.StringIO(EXPORTS["fex"].make(report)))
    assert set(FEX_COLUMNS) <= set(table.columns)
    assert table["frame"].tolist() == [0, 1, 2, 3, 4, 5, 8, 9]
    assert table["time_s"].tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 0.9]
    assert table["happiness"].tolist() == [0.9, 0.9, 0.7, 0.7, 0.5, 0.5, 0.6, 0.6]
    assert table["sadness"].tolist() == [0.1, 0.1, 0.3, 0.3, 0.5, 0.5, 0.4, 0.4]
    assert table["anger"].isna().all() and table["FaceScore"].isna().all()
    boxes = table[FEX_COLUMNS[:4]].to_numpy()
    assert boxes[[0, 2, 4]].tolist() == [[10, 20, 30, 40], [15, 25, 30, 45], [20, 30, 30, 50]]
    assert table["FaceRectX"].isna().tolist() == [False] * 6 + [True] * 2
    assert table["Identity"].tolist() == ["Person_1"] * 6 + ["audio"] * 2
    assert all("10 per second" in rule for rule in table["rule"])
    calm = replace(report, labels=("calm", "sad"), scores={"calm": 0.7, "sad": 0.3}, timeline=())
    assert ",neutral,calm,input," in EXPORTS["fex"].make(calm)
    assert len(EXPORTS["fex"].make(empty).splitlines()) == 1


def state_events(observation):
    """Start and stop of each state, paired as BORIS does: every second row of one ends it."""
    started, found = {}, []
    for time_s, subject, behaviour, _, comment, _ in observation["events"]:
        if (subject, behaviour) in started:
            start, certainty = started.pop((subject, behaviour))
            found.append((subject, start, time_s, behaviour, certainty))
        else:
            started[subject, behaviour] = (time_s, comment)
    assert not started
    return found


def test_boris(report, empty):
    project = json.loads(EXPORTS["boris"].make(report))
    (observation,) = project["observations"].values()
    assert sorted(state_events(observation)) == sorted(SEGMENTS)
    assert observation["file"]["1"] == [str(Path(report.file).resolve())]
    times = [event[0] for event in observation["events"]]
    assert times == sorted(times)
    assert [one["code"] for one in project["behaviors_conf"].values()] == ["happy", "sad"]
    assert {one["type"] for one in project["behaviors_conf"].values()} == {"State event"}
    subjects = [one["name"] for one in project["subjects_conf"].values()]
    assert subjects == ["person 0", "person 2", "audio"]
    assert RULE in project["project_description"] and RULE in observation["description"]
    (observation,) = json.loads(EXPORTS["boris"].make(empty))["observations"].values()
    assert (observation["events"], observation["file"]["1"]) == ([], [])


def test_boris_stores_what_it_would_analyse(report, sample_clips):
    clip = sample_clips / "obama_speech.mp4"
    project = json.loads(EXPORTS["boris"].make(replace(report, file=str(clip))))
    name, info = str(clip.resolve()), project["observations"]["obama_speech"]["media_info"]
    assert info["length"] == {name: 10.0}
    assert (info["hasVideo"], info["hasAudio"]) == ({name: True}, {name: True})
    assert info["fps"] == {name: pytest.approx(11.936, abs=0.001)}


def test_audformat(report, empty, tmp_path):
    audformat = pytest.importorskip("audformat")
    late = make_row(90061.25, 90063, 0.9, 1)
    long = replace(report, file="long.wav", timeline=(late,), duration_s=90063.0)
    for name, text in EXPORTS["audformat"].make(report, empty, long).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    database = audformat.Database.load(tmp_path)
    table = database["segments"].get().reset_index()
    assert table["file"].tolist() == [str(Path(report.file).resolve())] * 4 + ["long.wav"]
    for name in ("start", "end"):
        table[name] = table[name].dt.total_seconds()
    columns = ["track", "start", "end", "emotion", "certainty"]
    read = [tuple(row) for row in table[columns].to_numpy()]
    last = ("person 1", 90061.25, 90063, "happy", "90% (no threshold for video only)")
    assert read == [*SEGMENTS, last]
    assert table["confidence"].tolist() == [0.9, 0.7, 0.8, 0.6, 0.9]
    assert table["sure"].isna().tolist() == [False, False, False, True, True]
    assert table["sure"].tolist()[:3] == [True, False, True]
    assert database.schemes["emotion"].labels == ["happy", "sad"]
    assert database.raters["avtca"].type == "machine"
    assert RULE in database.description and database["segments"].description == RULE


def test_a_part_is_on_the_clock_of_its_file():
    """From 10.5 s on; the file is linked by its own name."""
    part = replace(
        make_report(
            [make_row(0, 2, 0.9), make_row(2, 4, 0.1)],
            people=[replace(make_person(0, 0.9), last_s=4.0)],
        ),
        file="talk.mp4#t=10.5,14.5",
        part=(10.5, 14.5),
    )
    whole = in_file_time(part)
    assert (whole.file, whole.duration_s, whole.part) == ("talk.mp4", 14.5, None)
    assert [(row.start_s, row.end_s) for row in whole.timeline] == [(10.5, 12.5), (12.5, 14.5)]
    (person,) = whole.people
    assert (person.first_s, person.last_s, person.at_s) == (10.5, 14.5, 11.0)
    lines = [line.split() for line in part.to_rttm().splitlines()]
    assert [(line[1], line[3], line[4]) for line in lines] == [
        ("talk", "10.500", "2.000"),
        ("talk", "12.500", "2.000"),
    ]
    assert Report.from_dict(part.to_dict()).to_rttm() == part.to_rttm()
    assert in_file_time(whole) is whole
