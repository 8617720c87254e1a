"""Pages of single clips beside an evaluation: what avtca predict finds in each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avtca import cli
from avtca.cli.progress import ProgressBar
from avtca.errors import AvtcaError
from avtca.files import write_atomic

if TYPE_CHECKING:
    from avtca.corpora.index import SampleSource
    from avtca.evaluation.sample_table import SampleRow

FOLDER = "cards"
MAX_CARDS = 200
"""Most cards that are made, for the most confident disagreements."""


def write_cards(
    model: Path, rows: Sequence["SampleRow"], sources: Mapping[str, "SampleSource"], out: Path
) -> dict[str, str]:
    """Recognise the clips of an evaluation and write a page for each.

    Args:
        model: Folder of the exported model.
        rows: The samples, the most important first.
        sources: Files of the samples; a sample without one gets no card.
        out: Folder of the evaluation; cards of an earlier one are deleted.

    Returns:
        Links from the evaluation's page, by sample.
    """
    from avtca.plots.html import PageEntry, recognition_html
    from avtca.recognize import load

    folder = out / FOLDER
    for old in folder.glob("[0-9]*.html"):
        old.unlink()
    chosen = [row for row in rows if row.sample_id in sources][:MAX_CARDS]
    if not chosen:
        return {}
    recognizer, links = load(model), {}
    folder.mkdir(parents=True, exist_ok=True)
    with ProgressBar() as bar:
        for number, row in enumerate(chosen, 1):
            source = sources[row.sample_id]
            path = source.video or source.audio
            try:
                end_s = None if row.ends_early else source.end_s
                report = recognizer.predict(str(path), start_s=source.start_s or 0.0, end_s=end_s)
            except AvtcaError as error:
                bar.print(f"no card for {row.name}: {error.problem}")
            else:
                entry = PageEntry(report, row.label)
                name = f"{number:03d}.html"
                lead = f"evaluated as {row.recognised}, {row.confidence or 0:.0%}"
                page = recognition_html([entry], title=row.name, lead=lead)
                write_atomic(folder / name, page)
                links[row.sample_id] = f"{FOLDER}/{name}"
            bar("make cards", number, len(chosen))
    if more := len(rows) - len(chosen):
        cli.err.print(f"note: {more} of {len(rows)} disagreements have no card")
    return links
