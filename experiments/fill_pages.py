"""Purpose: write the tables of the pages (README, model card, docs) from experiments/results.

Cost: a second.

    python experiments/fill_pages.py

Replaces the rows below the head of each table. A test compares the pages with the results.
"""

import json
import re
from pathlib import Path
from typing import Any

import attention_pages
import package_files
from names import shown
from robustness_pages import (
    DAMAGE_HEAD,
    NOISE_HEAD,
    SHIFT_HEAD,
    damage_rows,
    noise_rows,
    shift_rows,
)

from avtca.evaluation.report import format_percent
from avtca.finetune.model_card import percent

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
NETWORKS = {
    "audio_only": "audio alone",
    "video_only": "face alone",
    "mean_posterior": "mean of the two posteriors",
    "mean_posterior_long": "48 epochs",
    "concatenation": "concatenation of pooled features",
    "concatenation_long": "48 epochs",
    "it4": "IT-4 of the paper's Table V",
    "ct4": "CT-4 of the paper's Table V",
    "figure": "the paper's network as drawn (IT-4 + CT-4), on our features",
    "figure_long": "48 epochs",
    "released": "the architecture of the authors' released code, on our features",
    "intermediate_transformer": "the parent work's intermediate transformer, on our features",
    "late_transformer": "the parent work's late transformer, on our features",
    "intermediate_attention": "the parent work's intermediate attention, on our features",
    "best_attention": "`experts` with the paper's self and cross attention and a joint head",
    "best": "ours: statistics heads for audio and face, pretrained audio branch, 48 epochs",
    "best_averaged": "ensemble of three seeds",
    "best_noise": "`experts` trained with channel variation and background noise",
    "best+action_units": "`experts` with action units",
    "best+action_units_averaged": "ensemble of three seeds",
}
"""Published name of a system -> its description."""
REFERENCES = {
    "regression_face": "logistic regression on statistics of the face sequence",
    "regression_audio": "logistic regression on statistics of the audio",
    "regression_face_audio": "logistic regression on both",
    "regression_all": "logistic regression on both and action units",
    "wav2vec2": "Luna-Jimenez 2022: fine-tuned XLSR, 300 M parameters, audio alone",
    "fusion": "Luna-Jimenez 2022: the same XLSR and action units",
}
GROUPS = {
    "female": "women",
    "male": "men",
    "strong": "strong acting",
    "normal": "normal acting",
}
STATED = (
    (
        "Chumachenko 2022 (the parent work), one split of 16 / 4 / 4 actors",
        "81.6 (one split)",
        "",
        "",
    ),
    ("Chumachenko 2022 (the parent work), six folds by actor", "", "79.2", ""),
    ("HiCMAE (self-supervised pretraining), six folds by actor", "", "87.99", ""),
    ("AVF-MAE++ (self-supervised pretraining), six folds by actor", "", "87.57", ""),
    ("the AVT-CA paper, random 80/20 over clips", "", "", "96.11"),
)
"""Figures as other papers state them, on inputs and folds of their own: system and protocol, then
the columns five folds, six folds and random split."""
OTHER_PROTOCOLS = ("6fold", "paper_random_80_20")
"""Protocols in the last two columns, after Luna-Jimenez's folds."""


def accuracy_only(found: dict[str, Any] | None) -> str:
    """Accuracy in % under another protocol; empty if that was not run."""
    return f"{100 * found['accuracy'][0]:.1f}{earlier(found)}" if found else ""


def earlier(found: dict[str, Any]) -> str:
    """A dagger for figures of an earlier training configuration."""
    return " †" if "recipe" in found else ""


def network_rows(results: dict[str, Any]) -> str:
    """The comparison of networks on RAVDESS."""
    lines = []
    for name, words in NETWORKS.items():
        found = results[name]["luna_5fold"]
        seeds = "3, averaged" if name.endswith("averaged") else len(found["seeds"])
        others = " | ".join(accuracy_only(results[name].get(key)) for key in OTHER_PROTOCOLS)
        figure = format_percent(found["accuracy"]) + earlier(found)
        lines.append(f"| `{shown(name)}`: {words} | {figure} | {seeds} | {others} |")
    references = results["_beside"]["references"]
    for name, words in REFERENCES.items():
        lines.append(f"| *{words}* | {format_percent(references[name]['accuracy'])} | | | |")
    for words, five_folds, six_folds, random in STATED:
        lines.append(f"| *stated: {words}* | {five_folds} | | {six_folds} | {random} |")
    return "\n".join(lines) + "\n"


def packaged_rows(results: dict[str, Any]) -> str:
    """The figures of the packaged model."""
    actor = results["actor01"]
    both, audio = "face sequences + audio", "audio"
    folds = "RAVDESS, 1,440 samples, 7 labels, folds of Luna-Jimenez et al."
    end_to_end = (
        f"Actor 01, {actor['samples']} videos through the whole recognizer, 7 labels "
        "(face alignment fitted on his other videos)"
    )
    images = f"FERPlus test, {results['ferplus_test_pictures']:,} images, 8 labels, majority vote"
    modes = " / ".join(f"{100 * actor[mode]:.1f}" for mode in ("both", "face", "voice"))
    protocols = (
        (folds, both, "ravdess_both"),
        ("", "face sequences", "ravdess_face"),
        ("", audio, "ravdess_voice"),
        ("the same, audio with rooms, noise, band limits, codecs", both, "ravdess_both_degraded"),
        ("", audio, "ravdess_voice_degraded"),
        ("RAVDESS, same folds, 8 labels", audio, "ravdess_audio_8"),
        ("", both, "ravdess_audio_face_8"),
        ("", f"{both} + action units (not packaged)", "ravdess_audio_face_units_8"),
        ("EMO-DB, German, 7 labels, leave one speaker out", audio, "leave_one_out_emodb"),
        ("EMO-DB, trained on RAVDESS and nEMO", audio, "left_out_emodb"),
        ("RAVDESS, English, 7 labels, trained on EMO-DB and nEMO", audio, "left_out_ravdess"),
        ("nEMO, Polish, trained on RAVDESS and EMO-DB", audio, "left_out_nemo"),
    )
    found = results["protocols"]
    return table(
        *((data, read, percent(found[name]["accuracy"])) for data, read, name in protocols),
        (end_to_end, "both / face / audio", f"{modes} %"),
        (images, "face network", f"{100 * results['ferplus_test']:.1f} %"),
        (
            "CREMA-D, the six clips of the demo (watched during development)",
            "both",
            f"{results['cremad_six']} of 6",
        ),
    )


def paper_rows(results: dict[str, Any]) -> str:
    """The figures of the packaged network of the paper."""
    found, actor = results["protocols"], results["actor01"]
    both, face, audio = "face sequences + audio", "face sequences", "audio"
    folds = "RAVDESS, 1,440 samples, 7 labels, folds of Luna-Jimenez et al."
    protocols = (
        (folds, both, "both"),
        ("", face, "face"),
        ("", audio, "voice"),
        ("the same, audio with rooms, noise, band limits, codecs", both, "both_degraded"),
        ("", audio, "voice_degraded"),
    )
    modes = " / ".join(f"{100 * actor[mode]:.1f}" for mode in ("both", "face", "voice"))
    return table(
        *((data, read, percent(found[name]["accuracy"])) for data, read, name in protocols),
        (
            f"Actor 01, {actor['samples']} videos through the whole recognizer",
            "both / face / audio",
            f"{modes} %",
        ),
        (
            "CREMA-D, the six clips of the demo (watched during development)",
            "both",
            f"{results['cremad_six']} of 6",
        ),
    )


def group_rows(results: dict[str, Any]) -> str:
    """Accuracy of the packaged recipe by group and label."""
    per_label = results["protocols"]["ravdess_both"]["per_label"]
    named = [(words, results["groups"][name]) for name, words in GROUPS.items()]
    named += sorted(per_label.items(), key=lambda item: -item[1])
    return table(*((words, f"{100 * value:.1f} %") for words, value in named))


SELECTED = ("ravdess_both", "ravdess_face", "ravdess_voice")
AWAY = ("left_out_ravdess", "left_out_emodb", "left_out_nemo")


def selection_rows(results: dict[str, Any]) -> str:
    """Calibration, conformal sets and threshold of the packaged recipe, by input."""
    return table(*selection(results, SELECTED))


def away_rows(results: dict[str, Any]) -> str:
    """The same for audio alone on corpora that were left out."""
    return table(*selection(results, AWAY))


def selection(results: dict[str, Any], names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A row for each figure, a column for each protocol."""
    found = [results["protocols"][name] for name in names]

    def shares(part: str, key: str) -> list[str]:
        values = [one[part][key] for one in found]
        return ["none above it" if x is None else percent(as_interval(x)) for x in values]

    sizes = [f"{as_interval(one['conformal_90']['labels_in_a_set'])[0]:.2f}" for one in found]
    return [
        ("calibration error (ECE, 15 bins)", *(f"{100 * one['ece']:.1f} %" for one in found)),
        ("conformal sets of 90 %: label in the set", *shares("conformal_90", "coverage")),
        ("conformal sets of 90 %: labels in a set", *sizes),
        ("threshold for 95 %: samples above it", *shares("sure", "answered")),
        ("threshold for 95 %: correct among them", *shares("sure", "accuracy_of_answers")),
    ]


def as_interval(value: float | list[float]) -> list[Any]:
    """A figure with the ends of its interval, ``None`` where it has none."""
    return value if isinstance(value, list) else [value, None, None]


def short_rows(results: dict[str, Any]) -> str:
    """The few figures of the packaged model in the README."""
    found, actor = results["protocols"], results["actor01"]

    def accuracy(name: str) -> str:
        return percent(found[name]["accuracy"])

    return table(
        ("RAVDESS, 24 actors, 7 labels", "face + audio", accuracy("ravdess_both")),
        ("", "face", accuracy("ravdess_face")),
        ("", "audio", accuracy("ravdess_voice")),
        ("the same with degraded audio", "face + audio", accuracy("ravdess_both_degraded")),
        ("EMO-DB (German), not trained on", "audio", accuracy("left_out_emodb")),
        ("RAVDESS (English), not trained on", "audio", accuracy("left_out_ravdess")),
        ("nEMO (Polish), not trained on", "audio", accuracy("left_out_nemo")),
        (
            f"{actor['samples']} videos of actor 01 (face alignment fitted on his other videos)",
            "face + audio",
            f"{100 * actor['both']:.1f} %",
        ),
        (
            "six CREMA-D clips (another corpus, watched during development)",
            "face + audio",
            f"{results['cremad_six']} of 6",
        ),
    )


def table(*rows: tuple[str, ...]) -> str:
    """Rows as Markdown."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


PAPER_HEAD = "| test data of avt-ca | input | accuracy |\n|---|---|---|\n"
PACKAGED_HEAD = "| test data | input | accuracy |\n|---|---|---|\n"
NETWORKS_HEAD = "| network | accuracy | seeds | six folds | random split |\n|---|---|---|---|---|\n"
GROUPS_HEAD = "| group or label | accuracy |\n|---|---|\n"
SELECTION_HEAD = (
    "| fitted on four folds, measured on the fifth | both | face | audio |\n|---|---|---|---|\n"
)
AWAY_HEAD = "| audio of a corpus left out | RAVDESS | EMO-DB | nEMO |\n|---|---|---|---|\n"
TABLES = (
    ("README.md", PACKAGED_HEAD, short_rows, "default_model.json"),
    ("MODEL_CARD.md", package_files.FILES_HEAD, package_files.file_rows, "default_model.json"),
    ("MODEL_CARD.md", package_files.HASHES_HEAD, package_files.hash_rows, "default_model.json"),
    ("MODEL_CARD.md", PACKAGED_HEAD, packaged_rows, "default_model.json"),
    ("MODEL_CARD.md", PAPER_HEAD, paper_rows, "avt_ca.json"),
    ("MODEL_CARD.md", GROUPS_HEAD, group_rows, "default_model.json"),
    ("MODEL_CARD.md", SELECTION_HEAD, selection_rows, "default_model.json"),
    ("MODEL_CARD.md", AWAY_HEAD, away_rows, "default_model.json"),
    ("docs/results.md", PACKAGED_HEAD, packaged_rows, "default_model.json"),
    ("docs/results.md", NETWORKS_HEAD, network_rows, "ravdess.json"),
    ("docs/evaluation.md", SHIFT_HEAD, shift_rows, "robustness/robustness.json"),
    ("docs/evaluation.md", DAMAGE_HEAD, damage_rows, "robustness/robustness.json"),
    ("docs/evaluation.md", NOISE_HEAD, noise_rows, "robustness/robustness.json"),
    *(
        ("docs/attention.md", head, rows, f"{results}.json")
        for head, rows, results in (
            (attention_pages.NETWORKS_HEAD, attention_pages.network_rows, "attention"),
            (attention_pages.DIFFERENCES_HEAD, attention_pages.difference_rows, "attention"),
            (attention_pages.SHIFTS_HEAD, attention_pages.shift_rows, "attention"),
            (attention_pages.FAITHFUL_HEAD, attention_pages.faithful_rows, "avt_ca"),
        )
    ),
)
"""Page, head of the table, function that makes its rows, results file."""


def filled(page: str) -> str:
    """The text of a page with its tables filled."""
    text = (ROOT / page).read_text()
    for name, head, rows, results in TABLES:
        if name == page:
            before, found, rest = text.partition(head)
            if not found:
                raise SystemExit(f"{page} has no table with this head; put it in:\n\n{head}")
            after = re.sub(r"\A(\|.*\n)+", "", rest)
            text = before + head + rows(json.loads((RESULTS / results).read_text())) + after
    return text


def main() -> None:
    made = {page: filled(page) for page, *_ in TABLES}
    for page, text in made.items():
        (ROOT / page).write_text(text)


if __name__ == "__main__":
    main()
