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
    "rest": "#b5b5b5",
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
    texts |= {"speed-before": before_table(results), "speed-networks": network_table(results)}
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
    films = results.get("films", {})
    rows = {
        "hour": _hour,
        "cold": _cold,
        "jobs": _jobs,
        "training": _training,
    }
    lines = [["measured", "result"]]
    for name, row in rows.items():
        if found := results.get(name):
            lines.append(row(found))
    fer = results.get("fer")
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


def _hour(hour: dict[str, Any]) -> list[str]:
    return [
        f"an hour at {hour['height']}p, {hour['fps']} frames a second, one face",
        f"{hour['cpu_s'] / 60:.1f} CPU s a minute, {hour['peak_mb']} MB at most "
        f"({hour['minute_mb']} MB for a minute of it)",
    ]


def _cold(cold: dict[str, Any]) -> list[str]:
    n, libraries = len(cold["cpu_s"]), cold.get("libraries_cpu_s")
    return [
        f"`avtca predict` of a clip of {cold['clip_s']} s, from its start",
        f"{cold['cpu_s'][0]:.2f} CPU s, {cold['wall_s'][0]:.2f} s "
        f"(least of {n}; median {cold['cpu_s'][n // 2]:.2f} CPU s)"
        + (f"; {libraries:.2f} CPU s import libraries of others" if libraries else ""),
    ]


def _jobs(jobs: dict[str, Any]) -> list[str]:
    (wall_1, wall_2), (cpu_1, cpu_2) = (
        [jobs[key].get(n, jobs[key].get(str(n))) for n in (1, 2)] for key in ("wall_s", "cpu_s")
    )
    alone = jobs.get("one_core_wall_s")
    text = (
        f"`--jobs 1`: {wall_1:.1f} s on {cpu_1 / wall_1:.1f} cores; `--jobs 2`: {wall_2:.1f} s on "
        f"{cpu_2 / wall_2:.1f}, {wall_1 / wall_2:.2f} times faster"
    )
    if alone:
        text += f"; `--jobs 1` on one core: {alone:.1f} s, {alone / wall_2:.2f} times as long"
    return [f"{jobs['files']} files of a minute at 360p, one face, two cores", text]


def _training(found: dict[str, Any]) -> list[str]:
    return [
        "training samples for each CPU s, paper's network",
        f"{found['from_clips_per_s']:.2g} from clips, each prepared once and read once; "
        f"{found['crops_per_s']:.2g} from their cache of crops at 224 px; "
        f"{found['features_per_s']} from a cache of features and windows "
        f"({found['features_first_per_s']} in the epoch that computes the windows)",
    ]


def network_table(results: dict[str, Any]) -> str:
    """The networks beside a matrix product, and their part of a film."""
    limits = results.get("limits")
    if not limits:
        return ""
    units = {
        "face network": "face, ten a second",
        "speech encoder": "second of audio, twice",
        "voice activity": "second of audio, at two speeds, twice",
        "lips": "mouth, 17.5 a second",
    }
    product = limits["matrix product"]
    fastest = product["million"] / product["ms"]
    film = results.get("films", {}).get("480", {})
    parts, minute = film.get("networks", {}), 60 / film.get("seconds", 60)
    head = ["network", "for each", "million multiply-adds", "CPU ms", "billion a second"]
    lines = [[*head, "share of a matrix product", "CPU s a minute of 480p, one face"]]
    for name, unit in units.items():
        one = limits[name]
        rate = one["million"] / one["ms"]
        used = f"{parts[name] * minute:.2f}" if name in parts else ""
        cells = [name, unit, f"{one['million']:.0f}", f"{one['ms']:.2f}", f"{rate:.0f}"]
        lines.append([*cells, f"{rate / fastest:.0%}".replace("%", " %"), used])
    lines.append(["matrix product", "1024 x 1024, float32", f"{product['million']:.0f}"])
    lines[-1] += [f"{product['ms']:.1f}", f"{fastest:.0f}", "", ""]
    others = [name for name in parts if name not in units]
    for name in others:
        lines.append([name, *[""] * 5, f"{parts[name] * minute:.2f}"])
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
