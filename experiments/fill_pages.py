"""Purpose: the tables of README.md, MODEL_CARD.md and docs/evaluation.md, from experiments/results.

Cost: a second.

    python experiments/fill_pages.py

Replaces the rows below each table's head. A test holds that the pages say what the results say.
"""

import json
from pathlib import Path
from typing import Any

from robustness_pages import (
    DAMAGE_HEAD,
    HEARD_HEAD,
    SHIFT_HEAD,
    damage_rows,
    heard_rows,
    shift_rows,
)

from avtca.evaluation.comparison import cell
from avtca.finetune.model_card import percent

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
ROWS = {
    "audio_only": "audio alone",
    "video_only": "face alone",
    "mean_posterior": "mean of the two posteriors",
    "mean_posterior_long": "the same, 48 epochs",
    "concatenation": "pooled features side by side",
    "concatenation_long": "the same, 48 epochs",
    "it4": "Table V's IT-4",
    "ct4": "Table V's CT-4",
    "figure": "the paper's figure (IT-4 + CT-4)",
    "figure_long": "the same, 48 epochs",
    "released": "the authors' released code",
    "intermediate_transformer": "the parent work's best fusion",
    "late_transformer": "the parent's late transformer",
    "intermediate_attention": "the parent's intermediate attention",
    "best_attention": "`best` with the figure's self and cross attention and a joint head",
    "best": "ours, 48 epochs, pretrained voice, an expert each for statistics of voice and face",
    "best_averaged": "three seeds of it as one system",
    "best_noise": "`best` trained with other microphones and backgrounds",
    "best+action_units": "the same as `best` with action units",
    "best+action_units_averaged": "three seeds of it as one system",
}
REFERENCES = {
    "regression_face": "logistic regression on the face sequence's statistics",
    "regression_audio": "the same on the audio's",
    "regression_face_audio": "the same on both",
    "regression_all": "the same with action units",
    "wav2vec2": "published: fine-tuned XLSR, 300 M parameters, audio",
    "fusion": "published: the same + action units",
}
BESIDE = ("6fold", "paper_random_80_20")
"""Protocols whose figure stands beside that of Luna-Jimenez's folds."""


def beside(found: dict[str, Any] | None) -> str:
    """Percent right under another protocol, where it was run."""
    return f"{100 * found['accuracy'][0]:.1f}{earlier(found)}" if found else ""


def earlier(found: dict[str, Any]) -> str:
    """The mark of figures of an earlier recipe."""
    return " †" if "recipe" in found else ""


def networks(results: dict[str, Any]) -> str:
    """Rows of the RAVDESS table."""
    lines = []
    for name, words in ROWS.items():
        found = results[name]["luna_5fold"]
        seeds = "3 as one" if name.endswith("averaged") else len(found["seeds"])
        elsewhere = " | ".join(beside(results[name].get(protocol)) for protocol in BESIDE)
        figure = cell(found["accuracy"]) + earlier(found)
        lines.append(f"| `{name}`, {words} | {figure} | {seeds} | {elsewhere} |")
    others = results["_beside"]["references"]
    for name, words in REFERENCES.items():
        lines.append(f"| *{words}* | {cell(others[name]['accuracy'])} | | | |")
    return "\n".join(lines) + "\n"


def packaged(results: dict[str, Any]) -> str:
    """Rows of what the packaged model scores."""
    pair, actor = results["ravdess_pair"], results["actor01"]
    rough = pair["degraded_audio"]
    both, alone = "face sequences + audio", "audio alone, networks of its own"
    ways = " / ".join(f"{100 * actor[way]:.1f}" for way in ("both", "face", "voice"))
    samples = "RAVDESS, 1,440 samples, 7 labels, Luna-Jimenez's five folds of actors"
    whole = f"Actor 01, {actor['samples']} samples, real pictures through the whole recognizer, 7 labels"
    stills = f"FERPlus test, {results['ferplus_test_pictures']:,} pictures, 8 labels, majority"
    six = results["cremad_six"]
    rows = (
        (samples, both, percent(pair["both"]["accuracy"])),
        ("", "face sequences alone", percent(pair["face"]["accuracy"])),
        ("", "audio alone", percent(pair["voice"]["accuracy"])),
        (
            "the same samples, audio through rooms, noise, band limits and codecs",
            both,
            percent(rough["both"]),
        ),
        ("", "audio alone", percent(rough["voice"])),
        (
            "RAVDESS, the same folds, 8 emotions",
            alone,
            percent(results["ravdess_audio"]["accuracy"]),
        ),
        (
            "EMO-DB, 7 emotions, each of 10 speakers left out in turn",
            alone,
            percent(results["emodb_loso"]["accuracy"]),
        ),
        (whole, "both / face / voice", f"{ways} %"),
        (stills, "face network alone", f"{100 * results['ferplus_test']:.1f} %"),
        ("Six CREMA-D clips (those of the demo)", "both", f"{six} of 6"),
        ("Calibration error (15 bins) on RAVDESS's folds", "both", f"{100 * results['ece']:.1f} %"),
    )
    return "".join(f"| {first} | {second} | {third} |\n" for first, second, third in rows)


TABLES = (
    ("README.md", "| held out | with | figure |\n|---|---|---|\n", packaged, "default_model.json"),
    (
        "MODEL_CARD.md",
        "| held out | with | figure |\n|---|---|---|\n",
        packaged,
        "default_model.json",
    ),
    (
        "README.md",
        "| network | accuracy | seeds | six folds | random split |\n|---|---|---|---|---|\n",
        networks,
        "ravdess.json",
    ),
    ("docs/evaluation.md", SHIFT_HEAD, shift_rows, "robustness/robustness.json"),
    ("docs/evaluation.md", DAMAGE_HEAD, damage_rows, "robustness/robustness.json"),
    ("docs/evaluation.md", HEARD_HEAD, heard_rows, "robustness/robustness.json"),
)
"""Page, head of the table, what makes its rows, of which results."""


def filled(page: str) -> str:
    """A page with its tables made anew."""
    text = (ROOT / page).read_text()
    for name, head, rows, results in TABLES:
        if name == page:
            before, found, rest = text.partition(head)
            if not found:
                raise SystemExit(f"{page} has no table with this head; put it in:\n\n{head}")
            after = rest.partition("\n\n")[2]
            made = rows(json.loads((RESULTS / results).read_text()))
            text = f"{before}{head}{made}\n{after}"
    return text


def main() -> None:
    made = {page: filled(page) for page, *_ in TABLES}
    for page, text in made.items():
        (ROOT / page).write_text(text)


if __name__ == "__main__":
    main()
