"""Who speaks: fit the weights, and measure right, wrong and undecided on people left out.

    python benchmarks/speaker.py                  measure; writes the JSON, the table, the picture
    python benchmarks/speaker.py --fit            also write src/avtca/weights/speaker.json
    python benchmarks/speaker.py --speaker-model light_asd.onnx     measure that, and both together
    python benchmarks/speaker.py --fused          scores of real films side by side
    python benchmarks/speaker.py --photographs    real films of a speaker and a photograph
    python benchmarks/speaker.py --nested         settings chosen without the people in view
    python benchmarks/speaker.py --cost --speaker-model light_asd.onnx     CPU time of both

Films of two and more people side by side are made of the clips in ``../shared``: the mouths are
recorded once from each clip, by the code that reads files, and kept in ``--folder``; a film has the
mouths of some clips and the sound of one, of none of them, or shifted. Weights are fitted without
the two people in view. Films of 8 s and more are clips of one person in a row.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from speaker_clips import AUDIO_RATE, ROOT, SHARED, Clip, Float, load_clips
from speaker_combined import Combined
from speaker_films import KINDS, Score, Tally, long_films, short_films
from speaker_fit import fit
from speaker_fused import cost, fused, photographs
from speaker_nested import nested

from avtca.files import write_atomic, write_json
from avtca.media import open_media
from avtca.speaker import SpeakerModel
from avtca.speaker.evidence import SpeakerWeights

RESULTS = ROOT / "benchmarks" / "results" / "speaker.json"
WEIGHTS = ROOT / "src" / "avtca" / "weights" / "speaker.json"
PAGE, PICTURE = ROOT / "docs" / "speaker.md", ROOT / "docs" / "img" / "speaker.png"
COLOURS = "#2a78b8", "#c9d2da", "#b8562a"


Shares = dict[str, dict[str, float]]


def table(results: Shares, other: Shares) -> str:
    """Markdown table; in brackets the shares with a speaker model, where they were measured."""
    lines = ["| film | films | right | wrong | undecided |", "|---|---|---|---|---|"]
    for name, row in results.items():
        cells = [f"{100 * row[kind]:.0f} %" for kind in KINDS]
        if name in other:
            theirs = [f"{100 * other[name][kind]:.0f} %" for kind in KINDS]
            cells = [f"{ours} ({its})" for ours, its in zip(cells, theirs, strict=True)]
        lines.append(f"| {name} | {row['films']:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(results: Shares) -> None:
    """Bars of right, undecided and wrong."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(results)[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.3 * len(names) + 0.9), layout="constrained")
    at = np.zeros(len(names))
    for kind, colour in zip(("right", "undecided", "wrong"), COLOURS, strict=True):
        width = np.array([100 * results[name][kind] for name in names])
        axes.barh(names, width, left=at, color=colour, label=kind)
        at += width
    axes.set_xlabel("share of the films in %")
    axes.set_xlim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(PICTURE, dpi=110)


def crowd() -> Float:
    """Music and a crowd."""
    media = open_media(str(SHARED / "samples" / "short_hamilton_clip.mp4"))
    return np.concatenate(list(media.audio(AUDIO_RATE)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/avtca_speaker"))
    parser.add_argument("--fit", action="store_true", help="write the packaged weights")
    parser.add_argument("--fused", action="store_true", help="measure the scores of films")
    parser.add_argument("--photographs", action="store_true", help="measure films of a photograph")
    parser.add_argument("--nested", action="store_true", help="choose settings on other people")
    parser.add_argument("--cost", action="store_true", help="measure the CPU time")
    parser.add_argument("--speaker-model", type=Path, help="measure Light-ASD too")
    args = parser.parse_args()
    model = None if args.speaker_model is None else SpeakerModel(args.speaker_model)
    clips = load_clips(args.folder, model)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, measure in (
        ("fused", lambda: fused(clips, args.folder)),
        ("photographs", lambda: photographs(args.folder)),
        ("nested", lambda: nested(clips, crowd())),
        ("cost", lambda: cost(args.speaker_model, args.folder)),
    ):
        if getattr(args, name):
            kept[name] = measure()
            write_json(RESULTS, kept)
            print(json.dumps(kept[name], indent=2))
            return
    if args.fit:
        weights = fit(clips)
        plain = {
            "filters": weights.filters.round(5).tolist(),
            "score": weights.score.round(4).tolist(),
        }
        write_atomic(WEIGHTS, json.dumps(plain) + "\n")
    fits: dict[tuple[str, ...], SpeakerWeights] = {}

    def fitted(rest: Sequence[Clip]) -> SpeakerWeights:
        names = tuple(clip.name for clip in rest)
        if names not in fits:
            fits[names] = fit(rest)
        return fits[names]

    scores: dict[str, Score] = {"films": fitted}
    if model is not None:
        scores["light_asd"] = lambda _: model
        scores["combined"] = lambda rest: Combined(fitted(rest), model)
    for name, score in scores.items():
        tally = Tally()
        short_films(clips, crowd(), tally, score)
        long_films(clips, tally, score)
        kept[name] = tally.shares()
    write_json(RESULTS, kept)
    picture(kept["films"])
    made = table(kept["films"], kept.get("light_asd", {}))
    if PAGE.exists():
        text = re.sub(
            r"(<!-- films -->\n).*(\n<!-- /films -->)",
            lambda found: f"{found[1]}{made}{found[2]}",
            PAGE.read_text(),
            flags=re.DOTALL,
        )
        write_atomic(PAGE, text)
    print(made)


if __name__ == "__main__":
    main()
