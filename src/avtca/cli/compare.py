"""`avtca compare`: compare runs on the same samples."""

import json
from pathlib import Path
from typing import Annotated

import typer

from avtca import cli


def compare(
    run: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of avtca train or cv, test.csv files, or folders with one for each "
            "seed; two or more."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the tables (.md, .tex, .csv), the picture (.png, .svg) and .json."
        ),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare on the samples that all runs have.")
    ] = False,
) -> None:
    """Compare runs with paired tests; prints Markdown.

    Differences have an interval and a p-value from a bootstrap in which both systems have the same
    speakers, and the p-value of McNemar's exact test over samples.
    """
    from avtca.evaluation.comparison import (
        compare_systems,
        csv_tables,
        latex,
        load_systems,
        markdown,
    )

    report = compare_systems(load_systems(run), allow_partial=common)
    text = markdown(report)
    for each in text.splitlines():
        cli.echo(each)
    if out is not None:
        from avtca.plots.comparison_figure import comparison_figure
        from avtca.plots.drawing import figure_bytes

        files: dict[str, str | bytes] = {"comparison.json": json.dumps(report.to_dict(), indent=1)}
        files |= {"comparison.md": text, "comparison.tex": latex(report), **csv_tables(report)}
        figure = comparison_figure(report)
        files |= {f"comparison.{kind}": figure_bytes(figure, kind) for kind in ("png", "svg")}
        cli.write_results(out, files)
