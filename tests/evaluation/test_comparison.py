import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.errors import ConfigError
from avtca.evaluation.comparison import compare, latex, markdown, open_entries, open_entry
from avtca.evaluation.intervals import mcnemar
from avtca.evaluation.predictions import Predictions


def test_two_cross_validations(made, tmp_path):
    entries = [open_entry(made / name) for name in ("both", "seen")]
    result = compare(entries)
    known = [json.loads((made / n / "result.json").read_text()) for n in ("both", "seen")]
    assert result["takes"] == 48
    (pair,) = result["pairs"]
    assert pair["accuracy"]["value"] == pytest.approx(
        known[0]["accuracy"][0] - known[1]["accuracy"][0], abs=1e-4
    )
    right = [entry.joined[0].ordered().right for entry in entries]
    assert pair["mcnemar"] == mcnemar(*right)
    text = markdown(result)
    assert f"{100 * known[0]['accuracy'][0]:.1f} [" in text and "both - seen" in text
    tex = latex(result)
    assert tex.startswith(r"\begin{tabular}{lcccc}") and tex.count(r"\\") == 3
    assert tex.count(r"\textbf{") >= 4


def test_the_mark_of_a_split_is_in_every_table(made):
    """As a run keeps it, whichever of its folders or files is named."""
    both, seen = (open_entry(made / name) for name in ("both", "seen"))
    assert both.mark == "clean" and "LEAK" not in markdown(compare([both, seen]))
    for part in ("seed0/fold1", "seed0/fold1/test.csv"):
        assert open_entry(made / "both" / part).mark == "clean"
    mark = "LEAK (allowed): 3 people on both sides"
    result = compare([replace(both, mark=mark), seen])
    assert result["marks"] == {"both": mark, "seen": "clean"}
    assert markdown(result).endswith(f"\n\nboth: {mark}\n")
    assert rf"\small both: {mark}}} \\" in latex(result)


def test_kept_answers_of_all_seeds_beside_a_cross_validation(made, tmp_path):
    """As benchmarks/results/ravdess keeps them; the same name is told apart by its folders."""
    whole = open_entry(made / "both")
    kept = tmp_path / "table" / "both"
    kept.mkdir(parents=True)
    for seed, table in enumerate(whole.joined):
        table.save(kept / f"seed{seed}.csv.gz", digits=4)
    whole.joined[0].save(kept / "seed10.csv.gz", digits=4)
    (kept / "seed_notes.csv").write_text("not answers\n")
    names = (f"{made.name}/both", "table/both")
    result = compare(open_entries([made / "both", kept]))
    assert tuple(result["systems"]) == names
    assert list(result["systems"]["table/both"]["seeds"]) == [*map(str, whole.tables), "10"]
    assert result["systems"][names[0]]["seeds"]["0"] == result["systems"][names[1]]["seeds"]["0"]
    found = open_entries([kept / "seed0.csv.gz", made / "both", made / "seen"])
    assert [one.name for one in found] == ["seed0", "both", "seen"]


def test_the_command_prints_and_writes(made, tmp_path):
    app = build_app()
    runs = [str(made / "both"), str(made / "seen")]
    done = CliRunner().invoke(app, ["compare", *runs, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "| both |" in done.output
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".md", ".tex"}


def test_other_takes_are_refused_unless_only_the_common_ones_count(made):
    whole = open_entry(made / "both")
    part = open_entry(made / "seen" / "seed0" / "fold1")
    n = 48 - len(part.joined[0])
    with pytest.raises(ConfigError, match=f"differ in {n} takes"):
        compare([whole, part])
    result = compare([whole, part], allow_partial=True)
    assert result["takes"] == 48 - n


def test_what_cannot_be_compared(made, tmp_path):
    entry = open_entry(made / "both")
    with pytest.raises(ConfigError, match="only one"):
        compare([entry])
    with pytest.raises(ConfigError, match="given twice"):
        compare([entry, entry])
    with pytest.raises(ConfigError, match="no finished run"):
        open_entry(tmp_path)
    table = entry.joined[0]
    other = Predictions(
        table.labels, table.takes, table.speakers, np.roll(table.targets, 1, axis=1), table.probs
    )
    other.save(tmp_path / "other.csv")
    with pytest.raises(ConfigError, match="do not agree on the truth"):
        compare([entry, open_entry(tmp_path / "other.csv")])
