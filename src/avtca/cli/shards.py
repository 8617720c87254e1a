"""`avtca shards`: a prepared corpus as WebDataset tars."""

from pathlib import Path
from typing import Annotated

import typer


def shards(
    corpus: Annotated[Path, typer.Argument(help="A prepared corpus.")],
    out: Annotated[Path, typer.Argument(help="Folder for the tars.")],
    size: Annotated[float, typer.Option(help="Largest size of a tar in MB.", min=0.001)] = 256.0,
    folds: Annotated[
        str | None, typer.Option(help="Folds to split by: train-, validation-, test-*.tar.")
    ] = None,
    fold: Annotated[int, typer.Option(help="Which of the folds, from 0.")] = 0,
) -> None:
    """Write a prepared corpus as tars for clusters and object stores."""
    from avtca.corpora import PreparedCorpus, load_folds, write_shards

    index = write_shards(
        PreparedCorpus.open(corpus),
        out,
        max_bytes=round(size * 1e6),
        folds=load_folds(folds) if folds else None,
        fold=fold,
    )
    for entry in index["shards"]:
        typer.echo(f"{entry['file']}: {entry['samples']} samples, {entry['bytes'] / 1e6:.1f} MB")
