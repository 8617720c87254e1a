"""`avtca evaluate`: the performance of a model on speakers it has not seen."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli
from avtca.cli.figures import Figures
from avtca.cli.progress import ProgressBar
from avtca.cli.train import line

if TYPE_CHECKING:
    from avtca.evaluation.report import Estimate, EvaluationReport

MAX_FAILURES = 20
"""Clips that could not be used and are listed; the others are counted."""
TestData = Annotated[
    Path,
    typer.Argument(
        help="A prepared corpus; for default or an exported model also a CSV "
        "(path,label,speaker ...), folders LABEL/SPEAKER/, or EAF files of ELAN."
    ),
]
Folds = Annotated[
    str | None, typer.Option(help="Folds to test on [default: those of the training]")
]
Fold = Annotated[int | None, typer.Option(help="Which of --folds, from 0.")]
Seed = Annotated[
    int | None, typer.Option(help="Which seed of a cross-validation [default: the first]")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
AllowLeak = Annotated[
    bool,
    typer.Option(
        "--allow-leak",
        help="Evaluate even if test speakers were in the training data; the report is flagged.",
    ),
]

Tier = Annotated[
    str | None,
    typer.Option(help="Tier of EAF files with the labels, or its type [default: the only tier]"),
]


def evaluate(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            parser=cli.model_path,
            metavar="MODEL",
            help="default (the packaged model), an exported model's folder, a checkpoint, a run's "
            "folder, or one of avtca cv.",
        ),
    ],
    data: TestData,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report [default: beside a checkpoint; else here]"),
    ] = None,
    folds: Folds = None,
    fold: Fold = None,
    seed: Seed = None,
    device: Device = "auto",
    allow_leak: AllowLeak = False,
    tier: Tier = None,
    figures: Figures = None,
) -> None:
    """Evaluate a model; writes a page, JSON and CSV.

    Metrics with speaker intervals, Cohen's kappa, each label, calibration, prediction sets,
    abstention, missing modalities, groups of samples, and human raters where the corpus has their
    votes. Of clips given as files, each disagreement gets a card with its timeline.
    """
    from avtca.cli.cards import write_cards
    from avtca.cli.train import show_caveats
    from avtca.model import require_torch

    require_torch("avtca evaluate")
    from avtca.evaluation.evaluate import evaluate_model
    from avtca.evaluation.open_model import open_model
    from avtca.evaluation.sample_table import disagreements, sample_rows, table_columns
    from avtca.plots.html import evaluation_html

    inside = checkpoint if checkpoint.is_dir() else checkpoint.parent
    folder = out or (Path() if (inside / "avtca.json").is_file() else inside) / "evaluation"
    with ProgressBar() as bar:
        model = open_model(
            checkpoint,
            data,
            folder / "clips",
            folds=folds,
            fold=fold,
            seed=seed,
            allow_leak=allow_leak,
            tier=tier,
            device=device,
            workers=os.cpu_count() or 1,
            progress=bar,
        )
    for failure in model.failures[:MAX_FAILURES]:
        cli.err.print(f"error: {failure}")
    if more := len(model.failures[MAX_FAILURES:]):
        cli.err.print(f"and {more} more, see failures.csv in {folder / 'clips'}")
    show_caveats(model.split.caveat)
    report = evaluate_model(model)
    if gone := report.left_out:
        cli.err.print(f"left out: {', '.join(gone.what)}: {gone.why}")
    predictions = model.predict()
    rows = sample_rows(model, predictions)
    differing = disagreements(rows)
    cli.output_folder(folder)
    with cli.writing(folder):
        cards = write_cards(checkpoint, differing, model.sources, folder)
        predictions.save(folder / "evaluation.csv", columns=table_columns(rows))
    page = evaluation_html(report, differing, cards)
    text = json.dumps(report.to_dict(), indent=1)
    cli.write_results(folder, {"evaluation.json": text, "evaluation.html": page})
    if figures is not None:
        from avtca.plots.evaluation_figures import evaluation_figures

        figures.write(evaluation_figures(report), folder / "figures")
    show(report)
    cli.echo(f"report: {folder / 'evaluation.html'}")
    if model.split.failed:
        raise typer.Exit(2)


def show(report: "EvaluationReport") -> None:
    """Print the metrics, the agreement, and the metrics of each modality."""
    cli.echo(line(report.metrics))
    if absent := report.metrics.absent:
        n, k = len(report.labels) - len(absent), len(report.labels)
        cli.echo(f"labels without samples: {', '.join(absent)}; means are over {n} of {k} labels")
    if found := report.agreement:
        cli.echo(f"agreement: kappa {_two(found.kappa)}, weighted kappa {_two(found.weighted)}")
    if base := report.metrics.baselines:
        cli.echo(
            f"baselines: chance {100 * base.chance:.1f}, "
            f"always {base.majority_label} {100 * base.majority:.1f}"
        )
    for name, metrics in report.modalities.items():
        cli.echo(f"{name} ({metrics.samples} samples): {line(metrics)}")


def _two(estimate: "Estimate") -> str:
    """A kappa and its interval."""
    value, low, high = ("no value" if x is None else f"{x:.2f}" for x in estimate)
    return value if estimate.low is None else f"{value} [{low}, {high}]"
