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
        Path | None, typer.Option(help="Folder for comparison.json, .md and .tex.")
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare on the samples that all runs have.")
    ] = False,
) -> None:
    """Compare runs with paired tests over speakers and samples; prints Markdown.

    Differences have an interval and a p-value from a bootstrap in which both systems have the same
    speakers, and the p-value of McNemar's exact test over samples.
    """
    from avtca.evaluation.comparison import compare_systems, latex, load_systems, markdown

    report = compare_systems(load_systems(run), allow_partial=common)
    text = markdown(report)
    for each in text.splitlines():
        cli.echo(each)
    if out is not None:
        files = {"comparison.json": json.dumps(report.to_dict(), indent=1)}
        files |= {"comparison.md": text, "comparison.tex": latex(report)}
        cli.write_results(out, files)
