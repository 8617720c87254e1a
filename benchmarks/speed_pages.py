"""Tables and picture of benchmarks/speed.py, from its JSON.

python benchmarks/speed_pages.py        writes them again
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from avtca.files import write_atomic

STAGES = {
    "frames": "#5b6c7d",
    "faces": "#2a78b8",
    "mouths": "#7a4fa3",
    "audio": "#b8a02a",
    "networks": "#b8562a",
}
"""Stages and their colours."""
FPS = 30
"""Frames a second of the films."""


def write_pages(results: dict[str, Any], root: Path) -> None:
    """Write the tables between their markers, and the picture."""
    films = results.get("films", {})
    order = ("height", "faces")
    rows = sorted(films.values(), key=lambda row: [row[name] for name in order])
    draw(rows, root / "docs" / "img" / "speed.png")
    texts = {"speed": film_table(rows), "speed-other": other_table(results)}
    texts["speed-before"] = before_table(results)
    _fill(root / "docs" / "performance.md", texts)
    _fill(root / "README.md", {"speed": readme_line(results)})


def film_table(rows: list[dict[str, Any]]) -> str:
    """A row for each file."""
    head = ["video", "faces", "seconds", "CPU s a minute", "times real time: one core", "two cores"]
    head += [*STAGES, "FFmpeg's decoding", "MB"]
    lines = [head]
    for row in rows:
        minute = 60 / row["seconds"]
        cells = [f"{row['height']}p", str(row["faces"]), f"{row['seconds']:.0f}"]
        cells += [f"{row['cpu_s'] * minute:.1f}"]
        cells += [f"{row['seconds'] / row[key]:.1f}" for key in ("one_core_wall_s", "wall_s")]
        cells += [f"{row['stages'].get(name, 0.0) * minute:.1f}" for name in STAGES]
        cells += [f"{row['decode_alone_s'] * minute:.1f}", str(row["peak_mb"])]
        lines.append(cells)
    return _table(lines)


def other_table(results: dict[str, Any]) -> str:
    """Everything that is measured once."""
    lines = [["measured", "result"]]
    if hour := results.get("hour"):
        lines.append(
            [
                f"an hour at {hour['height']}p, {hour['fps']} frames a second, one face",
                f"{hour['cpu_s'] / 60:.1f} CPU s a minute, {hour['peak_mb']} MB at most "
                f"({hour['minute_mb']} MB for a minute of it)",
            ]
        )
    if cold := results.get("cold"):
        n = len(cold["cpu_s"])
        lines.append(
            [
                f"`avtca predict` of a clip of {cold['clip_s']} s, from its start",
                f"{cold['cpu_s'][0]:.2f} CPU s, {cold['wall_s'][0]:.2f} s "
                f"(least of {n}; most {cold['cpu_s'][-1]:.2f})",
            ]
        )
    if jobs := results.get("jobs"):
        one, two = (jobs["wall_s"].get(n, jobs["wall_s"].get(str(n))) for n in (1, 2))
        text = f"{one:.1f} s with `--jobs 1`, {two:.1f} s with 2: {jobs['faster']:.2f} times faster"
        lines.append([f"{jobs['files']} files of a minute at 360p, one face", text])
    fer, films = results.get("fer"), results.get("films", {})
    if fer and fer["film"] in films:
        film = films[fer["film"]]
        theirs, ours = fer["frames"] / fer["cpu_s"], film["seconds"] * FPS / film["cpu_s"]
        lines.append(
            [
                "frames of 480p with two faces, for each CPU s",
                f"{ours:.0f} (of which ten in 30 are used); `{fer['version']}`, which uses every "
                f"frame: {theirs:.1f}",
            ]
        )
    return _table(lines)


def before_table(results: dict[str, Any]) -> str:
    """CPU seconds of earlier versions."""
    films = results.get("films", {})
    rows = [row for row in results.get("before", []) if row["film"] in films]
    if not rows:
        return ""
    earlier = results["earlier"]
    names = {commit: f"{commit}: {text}" for commit, text in earlier.items()} | {"now": "now"}
    lines = [["CPU s a minute", *names.values()]]
    for row in rows:
        film = films[row["film"]]
        faces = f"{film['faces']} face{'s' * (film['faces'] > 1)}"
        cpu = [f"{row['cpu_s'][commit] * 60 / row['seconds']:.1f}" for commit in names]
        lines.append([f"{film['height']}p, {faces}", *cpu])
    return _table(lines)


def readme_line(results: dict[str, Any]) -> str:
    """One sentence."""
    film = results.get("films", {}).get("720")
    if not film:
        return ""
    return (
        f"A minute of 720p video takes {film['cpu_s'] * 60 / film['seconds']:.0f} CPU seconds and "
        f"{film['peak_mb']} MB, without a GPU ([docs/performance.md](docs/performance.md))."
    )


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Stacked bars: CPU seconds a minute by stage, and a tick for FFmpeg's decoding."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    names = [f"{r['height']}p, {r['faces']} face{'s' * (r['faces'] > 1)}" for r in rows]
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1.4), layout="constrained")
    left = np.zeros(len(rows))
    for stage, colour in STAGES.items():
        values = np.array([row["stages"].get(stage, 0.0) * 60 / row["seconds"] for row in rows])
        axes.barh(names, values, left=left, color=colour, label=stage, height=0.7)
        left += values
    alone = [row["decode_alone_s"] * 60 / row["seconds"] for row in rows]
    axes.plot(alone, range(len(rows)), "|", color="black", ms=17, label="FFmpeg's decoding alone")
    axes.invert_yaxis()
    axes.set_xlabel("CPU seconds for a minute of video")
    axes.spines[["top", "right"]].set_visible(False)
    columns = (len(STAGES) + 2) // 2
    axes.legend(ncols=columns, loc="lower center", bbox_to_anchor=(0.42, 1), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _table(lines: list[list[str]]) -> str:
    rows = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([rows[0], "|---" * len(lines[0]) + "|", *rows[1:]])


def _fill(page: Path, texts: dict[str, str]) -> None:
    """Write texts between the markers of a page."""
    text = page.read_text(encoding="utf-8")
    for name, content in texts.items():
        marked = rf"(?<=<!-- {name} -->\n)(.*?)(?=<!-- /{name} -->)"
        body = content + "\n" if content else ""
        text = re.sub(marked, lambda _, body=body: body, text, flags=re.S)
    write_atomic(page, text)


if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[1]
    write_pages(json.loads((folder / "benchmarks/results/speed.json").read_text()), folder)
