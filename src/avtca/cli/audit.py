"""`avtca audit`: leakage between the subsets of a split."""

from pathlib import Path
from typing import Annotated

import typer

from avtca import cli


def audit(
    manifest: Annotated[
        Path, typer.Argument(help="Prepared corpus, .parquet, .csv or ferplus.npz.")
    ],
    split: Annotated[
        str, typer.Argument(help="Name of folds, a folds .json, speakers:K, or column:NAME.")
    ],
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Exit with status 0 all the same.")
    ] = False,
    near: Annotated[bool, typer.Option(help="Look for near-identical media too.")] = True,
    out: Annotated[Path | None, typer.Option(help="Write the whole report there as JSON.")] = None,
) -> None:
    """Check a split for leaks.

    Leaks are shared speakers, twin samples and copied media in two subsets of a fold. The exit
    status is 2 for a leak, unless --allow-leak is given.
    """
    from avtca.corpora.leakage import audit as run
    from avtca.corpora.leakage import open_manifest
    from avtca.corpora.splits import resolve_folds
    from avtca.files import write_json

    table = open_manifest(manifest)
    report = run(table, resolve_folds(split, table), allow_leak=allow_leak, near=near)
    for line in report.lines():
        cli.echo(line)
    if out is not None:
        with cli.writing(out):
            write_json(out, report.to_dict())
        cli.err.print(f"report: {out}")
    report.require_clean()
