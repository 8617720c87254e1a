import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.data.caveats import NORMALISED, Caveat, CaveatKind
from avtca.errors import ConfigError
from avtca.evaluation.bootstrap import holm, mcnemar
from avtca.evaluation.comparison import (
    SystemPredictions,
    compare_systems,
    csv_tables,
    latex,
    load_system,
    load_systems,
    markdown,
)
from avtca.evaluation.estimates import to_json
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.report import (
    METRIC_NAMES,
    ComparisonReport,
    Estimate,
    PairedDifference,
    PairedTests,
    Summary,
)
from avtca.evaluation.run_folders import run_folds


def test_two_cross_validations(made, tmp_path):
    entries = [load_system(made / name) for name in ("both", "seen")]
    result = compare_systems(entries)
    known = [json.loads((made / n / "result.json").read_text()) for n in ("both", "seen")]
    assert result.samples == 48
    (pair,) = result.pairs
    assert pair.accuracy.value == pytest.approx(
        known[0]["accuracy"][0] - known[1]["accuracy"][0], abs=1e-4
    )
    right = [entry.joined[0].ordered().correct for entry in entries]
    assert pair.mcnemar == mcnemar(*right)
    text = markdown(result)
    assert f"{100 * known[0]['accuracy'][0]:.1f} [" in text and "both - seen" in text
    tex = latex(result)
    figures, differences = tex.split("\n\n")
    assert figures.startswith(r"\begin{tabular}{lcccc}") and figures.count(r"\\") == 3
    assert figures.count(r"\textbf{") >= 4
    assert differences.startswith(r"\begin{tabular}{lccccc}") and differences.count(r"\\") == 3


def test_the_caveat_of_a_split_is_in_every_table(made):
    """As a run keeps it, whichever of its folders or files is named."""
    both, seen = (load_system(made / name) for name in ("both", "seen"))
    assert both.caveat == "clean" and "LEAK" not in markdown(compare_systems([both, seen]))
    for part in ("seed0/fold1", "seed0/fold1/test.csv"):
        assert load_system(made / "both" / part).caveat == "clean"
    caveat = "LEAK (allowed): 3 speakers in both subsets"
    leak = Caveat(CaveatKind.LEAK, caveat)
    result = compare_systems([replace(both, caveats=(leak,)), seen])
    assert result.caveats == {"both": caveat, "seen": "clean"}
    assert markdown(result).endswith(f"\n\nboth: {caveat}\n")
    assert latex(result).count(rf"\small both: {caveat}}} \\") == 2


@pytest.mark.slow
def test_the_caveat_of_standardised_features_is_in_every_table(made, standardised, tmp_path):
    """As a run keeps it, and beside the answers of `avtca evaluate`."""
    for path in (standardised, standardised / "seed0/fold1", standardised / "seed0/fold1/test.csv"):
        assert load_system(path).caveat == NORMALISED.text
    result = compare_systems([load_system(made / "both"), load_system(standardised)])
    assert markdown(result).endswith(f"\n\nown: {NORMALISED.text}\n")
    assert latex(result).count(NORMALISED.text) == 2
    action = ["evaluate", str(standardised), str(made / "prepared"), "--out", str(tmp_path)]
    done = CliRunner().invoke(build_app(), action)
    assert done.exit_code == 0 and NORMALISED.text in done.stderr
    assert load_system(tmp_path / "evaluation.csv").caveat == NORMALISED.text


def test_saved_predictions_have_their_caveats_in_a_file_beside_or_above(made, tmp_path):
    whole = load_system(made / "both").joined[0]
    leak = Caveat(CaveatKind.LEAK, "LEAK (allowed): 24 speakers in both subsets")
    for protocol, caveats in (
        ("random", [leak]),
        ("own", [NORMALISED]),
        ("folds", []),
        ("old", None),
    ):
        folder = tmp_path / protocol / "net"
        folder.mkdir(parents=True)
        whole.save(folder / "seed0.csv.gz")
        if caveats is not None:
            (folder.parent / "caveats.json").write_text(json.dumps(to_json(caveats)))
            for path in (folder, folder / "seed0.csv.gz"):
                assert load_system(path).caveats == tuple(caveats)
    (tmp_path / "random/beside").mkdir()
    whole.save(tmp_path / "random/beside/seed0.csv.gz")
    (tmp_path / "random/beside/caveats.json").write_text("[]")
    assert load_system(tmp_path / "random/beside").caveat == "clean"
    systems = load_systems([tmp_path / "random/net", tmp_path / "folds/net"])
    text = markdown(compare_systems(systems))
    assert text.endswith(f"\n\nrandom/net: {leak.text}\n")
    unknown = compare_systems(load_systems([tmp_path / "folds/net", tmp_path / "old/net"]))
    assert "\n\nold/net: no file beside the predictions describes their split\n" in markdown(
        unknown
    )


def test_the_table_says_how_many_comparisons_were_made_and_on_which_seeds():
    rng = np.random.default_rng(0)
    names, truth = [f"t{i}" for i in range(80)], np.eye(2)[np.arange(80) % 2]
    speakers = [f"s{i % 8}" for i in range(80)]

    def system(name, seeds, skill):
        probs = {seed: truth * skill + rng.random((80, 2)) for seed in seeds}
        tables = {s: [Predictions(("a", "b"), names, speakers, truth, p)] for s, p in probs.items()}
        return SystemPredictions(name, tables)

    systems = [system("x", (0, 1, 2), 0.1), system("y", (1, 2, 3), 0.4), system("z", (None,), 0.2)]
    report = compare_systems(systems)
    assert [pair.seeds for pair in report.pairs] == [2, 3, 3]
    right = {one.name: {s: t[0].correct.mean() for s, t in one.tables.items()} for one in systems}
    common = np.mean([right["x"][s] - right["y"][s] for s in (1, 2)])
    assert report.pairs[0].accuracy.value == pytest.approx(common, abs=1e-5)
    p = [pair.accuracy.p for pair in report.pairs]
    assert [pair.p_holm for pair in report.pairs] == pytest.approx(holm(p))
    assert "3 comparisons, on common seeds" in markdown(report)
    with pytest.raises(ConfigError, match=r"no common seed \(x has 0, 1, 2; late has 4\)"):
        compare_systems([systems[0], system("late", (4,), 0.4)])


def made_system(name, skill, folds="", n=40):
    rng = np.random.default_rng(1)
    truth = np.eye(2)[np.arange(40) % 2]
    probs = truth * skill + rng.random((40, 2))
    names, speakers = [f"t{i}" for i in range(n)], [f"s{i % 8}" for i in range(n)]
    table = Predictions(("a", "b"), names, speakers, truth[:n], probs[:n])
    return SystemPredictions(name, {0: [table]}, (), folds)


def test_csv_tables_have_the_values_of_the_report():
    report = compare_systems([made_system("=x", 0.9), made_system("y", 0.2)])
    tables = {name: [*csv.DictReader(io.StringIO(t))] for name, t in csv_tables(report).items()}
    first, second = tables["comparison.csv"]
    assert (first["system"], second["system"]) == ("'=x", "y")  # no formula
    assert (first["seeds"], first["samples"], first["speakers"]) == ("1", "40", "8")
    for name in METRIC_NAMES:
        found = [float(second[f"{name}{end}"]) for end in ("", "_low", "_high")]
        assert found == list(report.systems["y"][name])
    (pair,), (row,) = report.pairs, tables["differences.csv"]
    assert float(row["accuracy_difference"]) == pair.accuracy.value > 0
    assert (row["first"], row["second"], row["seeds"]) == ("'=x", "y", "1")
    assert [float(row[key]) for key in ("low", "high", "p_speakers", "p_holm", "p_mcnemar")] == [
        pair.accuracy.low,
        pair.accuracy.high,
        pair.accuracy.p,
        pair.p_holm,
        pair.mcnemar,
    ]


def test_other_folds_and_left_out_samples_are_said():
    six, five = made_system("six", 0.9, "6fold (a1)"), made_system("five", 0.5, "5fold (b2)")
    assert compare_systems([six, made_system("also", 0.5, "6fold (a1)")]).notes == []
    assert compare_systems([six, made_system("unknown", 0.5)]).notes == []
    report = compare_systems([six, five])
    note = "trained on different subsets of the samples: six by 6fold (a1), five by 5fold (b2)"
    assert report.notes == [note] and note in markdown(report) and note in latex(report)
    assert ComparisonReport.from_dict(report.to_dict()) == report
    fewer = compare_systems([six, made_system("few", 0.5, n=30)], allow_partial=True)
    assert fewer.notes == ["on the 30 samples that all have; up to 10 are left out"]


def test_the_folds_of_a_run_are_read_from_its_configuration(tmp_path):
    data = {"folds": "ravdess_6fold", "folds_hash": "abc"}
    (tmp_path / "config.json").write_text(json.dumps({"data": data}))
    assert run_folds(tmp_path) == "ravdess_6fold (abc)"
    assert run_folds(tmp_path / "none") == ""


def test_the_command_writes_tables_and_pictures(tmp_path):
    for name, skill in (("one", 0.9), ("other", 0.1)):
        made_system(name, skill).tables[0][0].save(tmp_path / f"{name}.csv")
    runs = [str(tmp_path / f"{name}.csv") for name in ("one", "other")]
    done = CliRunner().invoke(build_app(), ["compare", *runs, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    ends = {path.name for path in (tmp_path / "out").iterdir()}
    assert ends == {
        "differences.csv",
        *(f"comparison.{end}" for end in ("csv", "json", "md", "png", "svg", "tex")),
    }
    assert (tmp_path / "out/comparison.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "out/comparison.md").read_text().strip() == done.stdout.strip()


def test_latex_has_the_differences_of_each_pair():
    """The numbers of the Markdown table, with signs and powers of ten as LaTeX writes them."""
    metrics = dict.fromkeys(METRIC_NAMES, Estimate(0.5, 0.25, 0.75))
    counts = {"samples": 1, "labels": [], "speakers": 1, "level": 0.95}
    value = Summary(**metrics, **counts, seeds={"0": {}}, folds={}, spread={})

    def tests(first, second, accuracy, mcnemar):
        found = dict.fromkeys(METRIC_NAMES, PairedDifference(**accuracy))
        holm = None if accuracy["p"] is None else 2 * accuracy["p"]
        return PairedTests(
            first=first, second=second, **found, mcnemar=mcnemar, seeds=3, p_holm=holm
        )

    sure = {"value": -0.0123, "low": -0.03, "high": 0.01, "p": 0.25}
    alone = {"value": 0.5, "low": None, "high": None, "p": None}
    result = ComparisonReport(
        samples=1,
        speakers=1,
        caveats=dict.fromkeys(("a_b", "c&d", "e"), "clean"),
        systems=dict.fromkeys(("a_b", "c&d", "e"), value),
        pairs=[tests("a_b", "c&d", sure, 2.5e-5), tests("c&d", "e", alone, 1.0)],
    )
    assert ComparisonReport.from_dict(result.to_dict()) == result
    _, differences = latex(result).split("\n\n")
    rows = differences.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    assert rows == [
        r"a\_b $-$ c\&d & $-1.2 [-3.0, +1.0]$ & 3 & $0.250$ & $0.500$ & $2.5 \cdot 10^{-5}$ \\",
        r"c\&d $-$ e & $+50.0$ & 3 &  &  & $1.000$ \\",
        r"\multicolumn{6}{l}{\small 2 comparisons, on common seeds; p (Holm) is p (speakers) "
        "adjusted for their number. Intervals have the variance of speakers and seeds; with one "
        r"seed, of speakers only.} \\",
    ]
    assert "| a_b - c&d | -1.2 [-3.0, +1.0] | 3 | 0.250 | 0.500 | 2.5e-05 |" in markdown(result)


def test_kept_answers_of_all_seeds_beside_a_cross_validation(made, tmp_path):
    """As experiments/results/ravdess keeps them; the same name is told apart by its folders."""
    whole = load_system(made / "both")
    kept = tmp_path / "table" / "both"
    kept.mkdir(parents=True)
    for seed, table in enumerate(whole.joined):
        table.save(kept / f"seed{seed}.csv.gz", digits=4)
    whole.joined[0].save(kept / "seed10.csv.gz", digits=4)
    (kept / "seed_notes.csv").write_text("not answers\n")
    names = (f"{made.name}/both", "table/both")
    result = compare_systems(load_systems([made / "both", kept]))
    assert tuple(result.systems) == names
    assert list(result.systems["table/both"].seeds) == [*map(str, whole.tables), "10"]
    assert result.systems[names[0]]["seeds"]["0"] == result.systems[names[1]]["seeds"]["0"]
    found = load_systems([kept / "seed0.csv.gz", made / "both", made / "seen"])
    assert [one.name for one in found] == ["seed0", "both", "seen"]


def test_the_command_prints_and_writes(made, tmp_path):
    app = build_app()
    runs = [str(made / "both"), str(made / "seen")]
    done = CliRunner().invoke(app, ["compare", *runs, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "| both |" in done.output
    ends = {".csv", ".json", ".md", ".png", ".svg", ".tex"}
    assert {p.suffix for p in tmp_path.iterdir()} == ends


def test_other_samples_are_refused_unless_only_the_common_ones_count(made):
    whole = load_system(made / "both")
    part = load_system(made / "seen" / "seed0" / "fold1")
    n = 48 - len(part.joined[0])
    with pytest.raises(ConfigError, match=f"differ in {n} samples"):
        compare_systems([whole, part])
    result = compare_systems([whole, part], allow_partial=True)
    assert result.samples == 48 - n


def test_a_cross_validation_that_has_not_ended_is_refused(made, tmp_path):
    copy = tmp_path / "both"
    shutil.copytree(made / "both", copy)
    (copy / "seed0_first").mkdir()
    assert load_system(copy).joined[0].samples
    shutil.rmtree(copy / "seed0/fold2")  # which then has not begun
    with pytest.raises(ConfigError, match="seed0 is not finished; run avtca cv to its end"):
        load_system(copy)
    (copy / "result.json").unlink()
    with pytest.raises(ConfigError, match="seed0 is not finished"):
        load_system(copy)
    (copy / "seed1").mkdir()
    shutil.rmtree(copy / "seed0")
    with pytest.raises(ConfigError, match="seed1 is not finished"):
        load_system(copy)


def test_an_evaluation_inside_a_run_keeps_its_own_caveat(made, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(made / "both/seed0/fold1", copy)
    shutil.copy(copy / "test.csv", copy / "evaluation.csv")
    caveat = "LEAK (allowed): 3 speakers of the test were trained on"
    (copy / "evaluation.json").write_text(json.dumps({"split": {"caveat": caveat}}))
    assert load_system(copy / "evaluation.csv").caveat == caveat
    assert load_system(copy / "test.csv").caveat == "clean"


def test_truths_of_several_labels_must_agree_in_each():
    def entry(name, truth):
        table = Predictions(
            ("a", "b"),
            ["1", "2"],
            ["p", "q"],
            np.array(truth),
            np.full((2, 2), 0.4),
            output="sigmoid",
        )
        return SystemPredictions(name, {0: [table]})

    one = entry("one", [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ConfigError, match="do not have the same label of 1"):
        compare_systems([one, entry("other", [[1.0, 1.0], [0.0, 1.0]])])
    compare_systems([one, entry("same", [[1.0, 0.0], [0.0, 1.0]])])


def test_what_cannot_be_compared(made, tmp_path):
    entry = load_system(made / "both")
    with pytest.raises(ConfigError, match="only one"):
        compare_systems([entry])
    with pytest.raises(ConfigError, match="given twice"):
        compare_systems([entry, entry])
    with pytest.raises(ConfigError, match="no finished run"):
        load_system(tmp_path)
    table = entry.joined[0]
    other = Predictions(
        table.labels, table.samples, table.speakers, np.roll(table.targets, 1, axis=1), table.probs
    )
    other.save(tmp_path / "other.csv")
    with pytest.raises(ConfigError, match="do not have the same label"):
        compare_systems([entry, load_system(tmp_path / "other.csv")])
