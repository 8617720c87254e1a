"""Videos coded in ELAN as samples: tiers, times, participants, and files that cannot be used."""

from pathlib import Path

import pytest

from avtca.clipspec import ClipSpec
from avtca.corpora.folder import index_folder
from avtca.errors import CorpusError
from avtca.media.eaf import parse_eaf

SPEC = ClipSpec(crop_px=48)


def document(tiers, media='RELATIVE_MEDIA_URL="./media/talk%20one.mp4"', more=""):
    """An EAF file; tiers are (name, attributes, [(start ms, end ms, value)])."""
    slots, body, number = [], [], 0
    for name, attributes, rows in tiers:
        inside = []
        for start, end, value in rows:
            number += 2
            slots += [
                f'<TIME_SLOT TIME_SLOT_ID="t{number}" TIME_VALUE="{start}"/>',
                f'<TIME_SLOT TIME_SLOT_ID="u{number}" TIME_VALUE="{end}"/>',
            ]
            inside.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" '
                f'TIME_SLOT_REF1="t{number}" TIME_SLOT_REF2="u{number}">'
                f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>"
                "</ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        body.append(f'<TIER TIER_ID="{name}" {attributes}>{"".join(inside)}</TIER>')
    link = f"<MEDIA_DESCRIPTOR {media}/>" if media else ""
    return (
        f"<ANNOTATION_DOCUMENT><HEADER>{link}</HEADER><TIME_ORDER>{''.join(slots)}</TIME_ORDER>"
        f"{''.join(body)}{more}</ANNOTATION_DOCUMENT>"
    )


TIERS = [
    ("emotion@ann", 'LINGUISTIC_TYPE_REF="feeling"', [(0, 1500, "Happiness"), (2000, 3250, "sad")]),
    ("emotion@x", 'PARTICIPANT="bob"', [(0, 1500, "anger"), (4000, 5000, "")]),
    ("words", "", [(0, 900, "hello")]),
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "talk one.mp4").write_bytes(b"")
    (tmp_path / "one.eaf").write_text(document(TIERS))
    return tmp_path


def listed(index):
    return [
        (one.sample_id, one.speaker, one.label, one.start_s, one.end_s) for one in index.sources
    ]


def test_annotations_of_a_tier_are_samples(study: Path) -> None:
    index = index_folder(study / "one.eaf", SPEC, "Emotion")
    assert listed(index) == [
        ("media/talk one@0-1.5 ann", "ann", "happy", 0, 1.5),
        ("media/talk one@2-3.25 ann", "ann", "sad", 2, 3.25),
        ("media/talk one@0-1.5 bob", "bob", "angry", 0, 1.5),
    ]
    assert {one.video for one in index.sources} == {study / "media" / "talk one.mp4"}
    assert index.sources[0].fields["path"] == "media/talk one.mp4" and index.root == study
    assert index.notes == ("1 annotations without a value are left out",)
    assert index.labels == ("angry", "happy", "sad") and index.problems == ()
    assert listed(index_folder(study, SPEC, "emotion")) == listed(index)
    one = index_folder(study, SPEC, "emotion@x")  # the whole name
    assert [row[1] for row in listed(one)] == ["bob"]
    assert len(index_folder(study, SPEC, "feeling").sources) == 2  # the type of the first


def test_parents_give_their_times_and_are_divided() -> None:
    more = "".join(
        f'<TIER TIER_ID="{name}" PARENT_REF="words">{"".join(rows)}</TIER>'
        for name, rows in {
            "emotion": [
                f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r{i}" ANNOTATION_REF="a2">'
                f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
                for i, value in enumerate(("sad", "happy"))
            ]
        }.items()
    )
    found = parse_eaf(document([("words", "", [(1000, 3000, "hello")])], more=more))
    tier = next(one for one in found.tiers if one.name == "emotion")
    spans = [(one.start_s, one.end_s, one.text, one.aligned) for one in tier.annotations]
    assert spans == [(1, 2, "sad", False), (2, 3, "happy", False)]


def test_media_are_found_by_link_by_name_and_with_their_origin(study: Path) -> None:
    windows = 'MEDIA_URL="file:///D:/lab/talk%20one.mp4" TIME_ORIGIN="500"'
    (study / "media" / "two.eaf").write_text(document(TIERS[2:], windows))
    index = index_folder(study / "media" / "two.eaf", SPEC)
    assert listed(index) == [("talk one@0.5-1.4", "", "hello", 0.5, 1.4)]
    assert "1 samples without a speaker" in index.notes[0]
    (study / "media" / "talk one.eaf").write_text(document(TIERS[2:], ""))
    assert len(index_folder(study / "media" / "talk one.eaf", SPEC).sources) == 1


@pytest.mark.parametrize(
    ("content", "tier", "message"),
    [
        ("<ANNOTATION_DOCUMENT>", None, "it is no EAF file, or is damaged; save it again in"),
        ("<html></html>", None, "it is no EAF file, or is damaged"),
        (
            document(TIERS),
            "mood",
            "it has no tier mood, only: emotion@ann, emotion@x, words",
        ),
        (document(TIERS), None, "it has 3 tiers with annotations: emotion@ann, emotion@x, words"),
        (document([]), None, "it has 0 tiers with annotations; choose one with --tier"),
        (
            document(TIERS, 'MEDIA_URL="file:///x/b.mp4"'),
            "words",
            "its media file b.mp4 is not there",
        ),
        (document(TIERS, ""), "words", "it links no media file; link one in ELAN"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(study: Path, content, tier, message) -> None:
    (study / "bad.eaf").write_text(content)
    with pytest.raises(CorpusError) as error:
        index_folder(study / "bad.eaf", SPEC, tier)
    assert str(error.value).startswith(f"read {study / 'bad.eaf'}: {message}")
    assert "\n" not in str(error.value)


def test_other_files_and_annotations_are_still_used(study: Path) -> None:
    rows = [(0, 1000, "sad"), (0, 1000, "happy"), (3000, 3000, "sad"), (2000, 2500, "fear")]
    (study / "three.eaf").write_text(document([("emotion", "", rows)]))
    (study / "torn.eaf").write_text("<ANNOTATION_DOCUMENT>")
    index = index_folder(study, SPEC, "emotion")
    assert len(index.sources) == 5 and {"sad", "fear"} < set(index.labels)
    assert [line.partition(": ")[2] for line in index.problems] == [
        "it is no EAF file, or is damaged; save it again in ELAN",
        "the annotation at 0 s of tier emotion is there twice; keep one label",
        "the annotation at 3 s of tier emotion has no length; correct it in ELAN",
    ]


def test_a_tier_of_something_else(study: Path) -> None:
    (study / "clips.csv").write_text("path,label\na.mp4,sad\n")
    with pytest.raises(CorpusError, match="it is no EAF file, so that it has no tier x; leave"):
        index_folder(study / "clips.csv", SPEC, "x")
    assert index_folder(study, SPEC).labels == ("sad",), "a CSV at the top goes first"
