"""Tables of docs/attention.md from the results of experiments/attention; fill_pages.py writes them.

Cost: none; imported.
"""

from typing import Any

from avtca.evaluation.report import format_percent

WORDS = {
    "audio_only": "audio alone",
    "concatenation": "pooled vectors, concatenated",
    "mean_posterior": "mean of two posteriors",
    "it4": "IT-4: intermediate transformer",
    "ct4": "CT-4: self and cross attention",
    "figure": "the paper's figure: IT-4 + CT-4",
    "released": "the authors' released architecture",
    "experts": "ours: experts, without attention",
    "experts_attention": "ours: experts, with attention",
    "statistics": "ours: logistic regressions on statistics (packaged)",
}
"""Network -> its description, in the order of the tables."""
ATTEND = ("it4", "ct4", "figure", "released", "experts_attention")
"""Networks with attention between the streams."""
DELAYS = ("-1.0", "-0.5", "0.5", "1.0")
CONTROLS = ("audio_only", "mean_posterior")
STEPS = {
    "transformer.video": "intermediate transformer: face attends to voice",
    "transformer.audio": "intermediate transformer: voice attends to face",
    "cross_attention.video": "cross attention: face attends to voice",
    "cross_attention.audio": "cross attention: voice attends to face",
}
NETWORKS_HEAD = "| network on speech tokens | accuracy in % | each seed |\n|---|---|---|\n"
DIFFERENCES_HEAD = "| difference | points | within the margin | p (Holm) |\n|---|---|---|---|\n"
SHIFTS_HEAD = (
    "| points lost | audio 1 s early | 0.5 s early | 0.5 s late | 1 s late |\n"
    "|---|---|---|---|---|\n"
)
FAITHFUL_HEAD = (
    "| a quarter of the attended stream is masked | most attended | the same pattern elsewhere "
    "| difference |\n|---|---|---|---|\n"
)


def points(values: list[float]) -> str:
    """As "-1.2 [-3.0, +0.5]"."""
    value, low, high = (100 * x for x in values)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def network_rows(results: dict[str, Any]) -> str:
    """Accuracy of each network, and of each of its seeds."""
    lines = []
    for name, entry in results["networks"].items():
        seeds = ", ".join(f"{100 * x:.1f}" for x in entry["seeds"])
        shown = seeds if len(entry["seeds"]) > 1 else "no seeds"
        figure = format_percent(entry["accuracy"])
        lines.append(f"| `{name}`: {WORDS[name]} | {figure} | {shown} |\n")
    return "".join(lines)


def difference_rows(results: dict[str, Any]) -> str:
    """Paired differences."""
    lines = []
    for row in results["differences"]:
        first, second = row["networks"]
        verdict = "yes" if row["equivalent"] else "not shown"
        lines.append(
            f"| `{first}` - `{second}` | {points(row['difference'])} | {verdict} "
            f"| {row['p_holm']:.2g} |\n"
        )
    return "".join(lines)


def shift_rows(results: dict[str, Any]) -> str:
    """Points lost where the audio is early or late, and how many more than the controls lose."""
    lines = []
    for name, by_delay in results["shifts"].items():
        rows = {f"`{name}`": "loss"}
        if name in ATTEND:
            rows |= {f"`{name}`, more than `{one}`": f"more than {one}" for one in CONTROLS}
        for words, key in rows.items():
            cells = " | ".join(points(by_delay[delay][key]) for delay in DELAYS)
            lines.append(f"| {words} | {cells} |\n")
    return "".join(lines)


def faithful_rows(results: dict[str, Any]) -> str:
    """How much the answer changes where the most attended moments are masked; a control."""
    lines = []
    for name, words in STEPS.items():
        found = results["faithfulness"][name]
        most, control = (format_percent(found[key]) for key in ("most", "control"))
        lines.append(f"| {words} | {most} | {control} | {points(found['difference'])} |\n")
    return "".join(lines)
