"""The model card of a fine-tuned network, from the figures of its result."""

from collections.abc import Mapping, Sequence
from typing import Any

FORBIDDEN = """\
## Forbidden use

- Inferring emotions of people **at work or in education**: banned in the EU (AI Act, Art. 5(1)(f)).
- Any decision about a person: hiring, credit, insurance, policing, borders, asylum, health,
  custody, advertising to individuals.
- Watching people who have not agreed to it. Lie detection. Diagnosis.

The scores say what an expression *resembles*, as in the clips it learned from. They do not say
what a person feels, thinks or intends.
"""
"""In substance that of the packaged model's card, which every adapted model inherits."""
LEAKS = """\
> **LEAK.** People are not kept apart: every figure below is of people the network was trained on.
> It says nothing about anybody else. Name the speakers of the clips and fine-tune again.
"""
FEW = 10
"""People below which an interval is said to be rough."""


def model_card(name: str, result: Mapping[str, Any], terms: str) -> str:
    """Markdown: data, protocol, figures before and after, limits, forbidden uses, terms."""
    return "\n".join(
        [
            f"# Model card: {name}\n",
            *([LEAKS] if result["speakers"] is None else []),
            f"An AVT-CA network adapted to own clips by `avtca finetune`. Start: {result['start']}."
            " Use: `avtca predict --model FOLDER clip.mp4`.\n",
            _data(result),
            _figures(result),
            _labels(result["after"]),
            _limits(result),
            FORBIDDEN,
            f"## Terms\n\nInherited from the start weights: **{terms}**. Those of the clips it was "
            "adapted to come on top. The names of the speakers, as the clips' owner gave them, "
            "stand in the JSON files of this folder.\n",
        ]
    )


def _data(result: Mapping[str, Any]) -> str:
    labels, final, people = result["labels"], result["final"], result["speakers"]
    after = result["after"]
    counts = zip(after["labels"], after["per_class"]["support"], strict=True)

    def size(side: Mapping[str, int]) -> str:
        n = side["speakers"]
        of = f" of {n} speaker{'' if n == 1 else 's'}" if people else ""
        return f"{side['clips']} clips{of}"

    whole = size({"clips": result["clips"], "speakers": people or 0})
    out = [f"- {whole}: {', '.join(f'{label} {n:.0f}' for label, n in counts)}"]
    for key, text in (
        ("kept", "outputs kept from the start"),
        ("new", "new outputs"),
        ("gone", "outputs of the start that no clip has, not in this model"),
    ):
        if labels[key]:
            out.append(f"- {text}: {', '.join(labels[key])}")
    out += [f"- {note}" for note in result["notes"]]
    out.append(
        f"- the network in this folder: {size(final['trained_on'])}, epoch {final['epoch']} of "
        f"{final['epochs']}, learning rate {final['learning_rate']:g}; held out for validation "
        f"and for the temperature ({final['temperature']:.2f}): {size(final['validation'])}"
    )
    return "\n".join(["## Trained on\n", *out, ""])


def _figures(result: Mapping[str, Any]) -> str:
    outputs = len(result["labels"]["kept"]) + len(result["labels"]["gone"])
    rows = {
        "before": f"before, among all {outputs} labels of the start",
        "before_limited": "before, among the clips' labels alone",
        "after_known": "after, on the same clips",
        "after": "after",
    }
    out = [
        "## What it scores\n",
        f"{result['protocol'].capitalize()}. Split audit: {result['caveat']}. Intervals are 95 %, "
        "from a bootstrap over speakers.\n",
        "| | clips | accuracy | UAR |",
        "|---|---:|---:|---:|",
    ]
    for key, text in rows.items():
        if found := result.get(key):
            figures = " | ".join(percent(found[metric]) for metric in ("accuracy", "uar"))
            out.append(f"| {text} | {found['samples']} | {figures} |")
    if change := result.get("change"):
        ends = [[change[m][k] for k in ("value", "low", "high")] for m in ("accuracy", "uar")]
        out.append(f"| change, same clips and labels | | {' | '.join(map(points, ends))} |")
    if result["before"] is None:
        out.append("\nThe start names none of these labels: there is no figure before.")
    out.append(
        '\n"Before" is flattering where the start learned from some of these clips or people. '
        "The figures are those of the cross-validation's networks; the one in this folder saw "
        "more clips, and has no figure of its own on people it never saw.\n"
    )
    return "\n".join(out)


def _labels(after: Mapping[str, Any]) -> str:
    rows = zip(
        after["labels"],
        *(after["per_class"][column] for column in ("support", "recall", "precision")),
        strict=True,
    )
    out = ["| label | clips | recall | precision |", "|---|---:|---:|---:|"]
    out += [f"| {label} | {n:.0f} | {100 * r:.0f} % | {100 * p:.0f} % |" for label, n, r, p in rows]
    return "\n".join(out) + "\n"


def _limits(result: Mapping[str, Any]) -> str:
    out = ["## Limits\n"]
    if (people := result["speakers"]) is not None and people < FEW:
        out.append(f"- {people} speakers are few: read the intervals as rough.")
    if lonely := result["lonely"]:
        out.append(
            f"- Of one speaker only: {', '.join(lonely)}. When they are tested the label was never "
            "trained on, so that its figure is of no use."
        )
    out += [
        "- It is measured on clips like its own: the same room, camera, language and task. "
        "Elsewhere it will be wrong more often, and its confidence was set on few clips.",
        "- All limits of the start hold: see its card. Figures by sex, age, language and skin were "
        "not measured.\n",
    ]
    return "\n".join(out)


def percent(interval: Sequence[float | None]) -> str:
    """``61.5 % [52.0, 70.1]``, or without an interval where there is but one person."""
    value, *ends = (None if x is None else f"{100 * x:.1f}" for x in interval)
    return f"{value} %" + (f" [{', '.join(str(x) for x in ends)}]" if None not in ends else "")


def points(interval: Sequence[float | None]) -> str:
    """``+12.3 [3.4, 20.1]`` in percentage points."""
    text = percent(interval).replace(" %", "")
    return text if text.startswith("-") else f"+{text}"
