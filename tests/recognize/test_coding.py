"""Coded ranges: files read back, hostile files refused, agreement against scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from avtca.errors import CorpusError
from avtca.media.eaf import parse_eaf
from avtca.recognize.coding import (
    EXCLUDE,
    CodedTier,
    Interval,
    agreement,
    make_coding,
    read_coding,
)
from avtca.recognize.exports.coding import CODING_EXPORTS

ANNA = CodedTier(
    "Anna & <1>",
    (
        Interval(0.04, 1.5, "happy"),
        Interval(1.5, 2.001, ""),
        Interval(2.5, 3.0, EXCLUDE),
        Interval(3.25, 7.0, '=say "sad"'),
    ),
    "A. Müller",
    "P01",
    "coded blind; results shown 2026-11-28 after 3 ranges",
)
BERT = CodedTier("Bert", (Interval(0.0, 2.0, "Happiness"),))
LABELS = ("happy", '=say "sad"')


def coding(*tiers, media="talk ü.mp4", duration_s=8.0):
    return make_coding("test", media, duration_s, tiers or (ANNA, BERT), LABELS)


def again(made, form):
    suffix, write = CODING_EXPORTS[form]
    return read_coding(f"x{suffix}", write(made).encode())


@pytest.mark.parametrize("form", CODING_EXPORTS)
def test_files_are_read_back(form):
    made = coding()
    read = again(made, form)
    in_all = {"eaf": lambda one: True, "csv": lambda one: one.label not in ("", EXCLUDE)}
    in_all["json"] = in_all["eaf"]
    kept = in_all.get(form, lambda one: one.label)
    wanted = {tier.name: list(filter(kept, tier.intervals)) for tier in made.tiers}
    assert {tier.name: list(tier.intervals) for tier in read.tiers} == wanted
    about = [(tier.coder, tier.participant, tier.notes) for tier in read.tiers]
    if form in ("eaf", "csv", "json"):
        assert about == [(tier.coder, tier.participant, tier.notes) for tier in made.tiers]
        assert read.media == "talk ü.mp4"
    if form == "json":
        assert read == made
    assert again(read, form) == read


def test_an_elan_file_is_the_same_after_pympi(tmp_path):
    pympi = pytest.importorskip("pympi")
    (tmp_path / "x.eaf").write_text(CODING_EXPORTS["eaf"][1](coding()), encoding="utf-8")
    eaf = pympi.Eaf(tmp_path / "x.eaf")
    assert sorted(eaf.get_annotation_data_for_tier("Anna & <1>")) == [
        (40, 1500, "happy"),
        (1500, 2001, ""),
        (3250, 7000, '=say "sad"'),
    ]
    assert eaf.get_annotation_data_for_tier("Anna & <1> exclude") == [(2500, 3000, EXCLUDE)]
    assert eaf.get_parameters_for_tier("Anna & <1>")["PARTICIPANT"] == "P01"
    assert eaf.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./talk ü.mp4"
    eaf.to_file(tmp_path / "y.eaf")
    read = read_coding("y.eaf", (tmp_path / "y.eaf").read_bytes())
    assert read.tiers == coding().tiers


def test_a_tier_without_times_of_its_own_is_named(tmp_path):
    pympi = pytest.importorskip("pympi")
    eaf = pympi.Eaf()
    eaf.add_linguistic_type("below", "Symbolic_Association", timealignable=False)
    eaf.add_tier("emotion")
    eaf.add_tier("words", "below", "emotion")
    eaf.add_annotation("emotion", 100, 900, "sad")
    eaf.add_ref_annotation("words", "emotion", 500, "no")
    eaf.to_file(tmp_path / "x.eaf")
    read = read_coding("x.eaf", (tmp_path / "x.eaf").read_bytes())
    assert [tier for tier in read.tiers if tier.intervals] == [
        CodedTier("emotion", (Interval(0.1, 0.9, "sad"),))
    ]
    assert read.left_out == ("words",)


def test_sheets_of_other_programs():
    read = read_coding("x.csv", b"Start;End;Label\n0:01;1,5;sad\n2;0:03.25;happy\n")
    assert read.tiers == (
        CodedTier("coding", (Interval(1, 1.5, "sad"), Interval(2, 3.25, "happy"))),
    )
    tsv = "file\ttrack\tstart_s\tend_s\tlabel\nC:\\a.mp4\tperson 1\t0\t2\tsad\n"
    read = read_coding("x.tsv", tsv.encode("utf-16"))
    assert read.tiers == (CodedTier("person 1", (Interval(0, 2, "sad"),)),)
    assert read.media == "a.mp4"


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><ANNOTATION_DOCUMENT>&b;'
REFS = "".join(
    f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a{i}" ANNOTATION_REF="a{i + 1}"/></ANNOTATION>'
    for i in range(5_000)
)


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("x.eaf", BOMB + "</ANNOTATION_DOCUMENT>", "it is no eaf file, or is damaged"),
        ("x.eaf", "<a>" * 50_000, "it is no eaf file, or is damaged"),
        (
            "x.eaf",
            f'<ANNOTATION_DOCUMENT><TIER TIER_ID="t">{REFS}</TIER></ANNOTATION_DOCUMENT>',
            "it is no eaf file, or is damaged",
        ),
        (
            "x.eaf",
            '<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="'
            + "9" * 400
            + '"/></TIME_ORDER></ANNOTATION_DOCUMENT>',
            "it is no eaf file, or is damaged",
        ),
        ("x.eaf", "<ANNOTATION_DOCUMENT/>", "no tier has annotations with times"),
        ("x.eaf", "", "it is no eaf file, or is damaged"),
        ("x.textgrid", '"TextGrid" <exists> 9999999999', "it is no textgrid file, or is damaged"),
        ("x.textgrid", '"' * 100_001, "it is no textgrid file, or is damaged"),
        ("x.json", "[" * 100_000, "it is no json file, or is damaged"),
        ("x.json", '{"media": 1}', "it is no json file, or is damaged"),
        ("x.csv", "start,end\n1,2\n", "it has no column label, only: start, end"),
        ("x.csv", "start,end,label\n1,,a\n", "row 2 has no start or no end"),
        ("x.csv", "start,end,label\nx,1,a\n", "'x' is no time"),
        ("x.csv", "start,end,label\n1,1,a\n", "the range of tier coding from 1 to 1 s has no"),
        ("x.csv", "start,end,label\n1,3,a\n2,4,b\n", "two ranges of tier coding overlap at 2 s"),
        ("x.csv", "path,start,end,label\na,1,3,a\nb,4,5,b\n", "it is for 2 recordings"),
        ("x.csv", "PK\3\4", "it is an Excel file"),
        ("x.csv", "\0\1", "it is neither text nor an Excel file"),
        ("../a\nb/x.doc", "", "its format is unknown"),
        ("x.vtt", "WEBVTT\n\n00:05.000 --> 00:03.000\nsad\n", "the range of tier coding from 5 to"),
    ],
)
def test_files_that_cannot_be_used(name, data, problem):
    with pytest.raises(CorpusError) as caught:
        read_coding(name, data.encode())
    assert caught.value.action == f"read x.{name.rpartition('.')[2]}"
    assert caught.value.problem.startswith(problem)


def test_an_entity_is_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret")
    outside = f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{tmp_path}/secret">]>'
    with pytest.raises(ValueError, match="document type"):
        parse_eaf(f"{outside}<ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>")


def test_names_and_times_are_checked():
    with pytest.raises(CorpusError, match="two tiers are called Bert"):
        coding(BERT, BERT)
    for end_s in (float("nan"), float("inf"), 1e300, 0.0):
        with pytest.raises(CorpusError, match="has no length"):
            coding(CodedTier("a", (Interval(0, end_s, "x"),)))
    with pytest.raises(CorpusError, match="its length is nan s"):
        coding(duration_s=float("nan"))
    made = coding(CodedTier(" a\n\tb ", (Interval(2, 3, "\0"), Interval(0, 1.0004, "x  y"))))
    assert made.tiers[0] == CodedTier("a b", (Interval(0, 1, "x y"), Interval(2, 3, "\\x00")))
    assert coding(media="C:\\x\\../a.mp4").media == "a.mp4"


def drawn(rng, labels):
    """Ranges with gaps, some without a label, some left out."""
    edges = np.sort(rng.choice(np.arange(0, 20_000), 25, replace=False)) / 1000
    names = rng.choice([*labels, "", EXCLUDE], 24)
    ranges = [Interval(*map(float, edges[i : i + 2]), str(names[i])) for i in range(24)]
    return CodedTier("x", tuple(one for one in ranges if rng.random() < 0.9))


def by_ms(tier):
    out = np.full(20_000, "", object)
    for one in tier.intervals:
        out[round(one.start_s * 1000) : round(one.end_s * 1000)] = one.label
    return out


@pytest.mark.parametrize("seed", range(5))
def test_agreement_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = ["angry", "happy", "sad"]
    first, second = drawn(rng, labels), drawn(rng, labels)
    found = agreement(first, second, [(3.0, 4.5)])
    a, b = by_ms(first), by_ms(second)
    a[3000:4500] = ""
    kept = np.isin(a, labels) & np.isin(b, labels)
    a, b = a[kept].astype(str), b[kept].astype(str)
    assert found.compared_s == pytest.approx(len(a) / 1000)
    assert found.agreed_s == pytest.approx((a == b).sum() / 1000)
    assert found.kappa == pytest.approx(cohen_kappa_score(a, b))
    for label, values in found.per_label.items():
        wanted = [(a == label).sum(), (b == label).sum(), ((a == label) & (b == label)).sum()]
        seconds = [values[name] for name in ("first_s", "second_s", "both_s")]
        assert seconds == pytest.approx(np.array(wanted) / 1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kappa = cohen_kappa_score(a == label, b == label)
        assert values["kappa"] == (None if np.isnan(kappa) else pytest.approx(kappa))


def test_agreement_by_hand():
    # 10 s compared: 4 s both happy, 3 s both sad, 3 s happy against sad; chance 0.7*0.4 + 0.3*0.6.
    first = CodedTier("a", (Interval(0, 7, "happy"), Interval(7, 10, "sad")))
    second = CodedTier("b", (Interval(0, 4, "Happiness"), Interval(4, 12, "SAD")))
    found = agreement(first, second)
    assert found.kappa == pytest.approx((0.7 - 0.46) / (1 - 0.46))
    assert (found.agreed_s, found.compared_s) == (7, 10)
    assert agreement(first, second, [(4, 7)]).kappa == pytest.approx(1)
    none = agreement(first, CodedTier("b", ()))
    assert (none.kappa, none.agreed_s, none.compared_s) == (None, 0, 0)
    zero = {"kappa": None, "first_s": 0, "second_s": 0, "both_s": 0}
    assert none.per_label == {"happy": zero, "sad": zero}
    same = CodedTier("a", (Interval(0, 1, "sad"),))
    assert agreement(same, same).kappa is None and agreement(same, same).agreed_s == 1
