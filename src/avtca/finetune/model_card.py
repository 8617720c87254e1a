"""The model card of a fine-tuned network, from the figures of its result."""

from collections.abc import Sequence

from avtca.evaluation.report import PerClass, Summary
from avtca.finetune.report import WANTED_ACCURACY, FineTuneReport, SubsetSize

FORBIDDEN = """\
## Prohibited use

- Inferring emotions of people **at work or in education**: banned in the EU (AI Act, Art. 5(1)(f)).
- Any decision about a person: hiring, credit, insurance, policing, borders, asylum, health,
  custody, or advertising to individuals.
- Surveillance of people who have not consented. Lie detection. Diagnosis.

The scores describe what an expression *resembles*, as in the training clips. They do not tell
what a person feels, thinks or intends.
"""
"""As in the card of the packaged model."""
LEAKS = """\
> **LEAK.** Speakers are not separated: every figure below is of speakers in the training data and
> tells nothing about other people. Name the speakers of the clips and fine-tune again.
"""
INPUTS = {"both": "face and voice", "voice": "audio only", "face": "video only"}
"""Inputs of a network, by their names in thresholds."""
FEW_SPEAKERS = 10
"""With fewer speakers, intervals are called rough."""


def model_card(name: str, report: FineTuneReport, terms: str) -> str:
    """The model card in Markdown.

    Args:
        name: Name of the model.
        report: Data, protocol and metrics.
        terms: Terms of use of the initial weights.
    """
    return "\n".join(
        [
            f"# Model card: {name}\n",
            *([LEAKS] if report.speakers is None else []),
            f"A network fine-tuned by `avtca finetune` on the clips of a user. "
            f"Initial model: {report.initial_model}. Use: `avtca predict --model FOLDER "
            f"clip.mp4`.\n",
            _data(report),
            _figures(report),
            _labels(report.after),
            _thresholds(report),
            _limits(report),
            FORBIDDEN,
            f"## Terms\n\nThose of the initial weights, **{terms}**, and those of the clips. "
            "The JSON files of this folder contain the names of the speakers, as given with "
            "the clips.\n",
        ]
    )


def _data(report: FineTuneReport) -> str:
    labels, final, speakers = report.labels, report.final, report.speakers
    after = report.after
    counts = zip(after.labels, per_class(after).support, strict=True)

    def size(subset: SubsetSize) -> str:
        n = subset.speakers
        of = f" of {n} speaker{'' if n == 1 else 's'}" if speakers else ""
        return f"{subset.clips} clips{of}"

    whole = size(SubsetSize(clips=report.clips, speakers=speakers or 0))
    out = [f"- {whole}: {', '.join(f'{label} {n:.0f}' for label, n in counts)}"]
    for names, text in (
        (labels.kept, "outputs kept from the initial model"),
        (labels.new, "new outputs"),
        (labels.removed, "outputs of the initial model that no clip has, removed"),
    ):
        if names:
            out.append(f"- {text}: {', '.join(names)}")
    out += [f"- {note}" for note in report.notes]
    out.append(
        f"- the network in this folder: {size(final.trained_on)}, epoch {final.epoch} of "
        f"{final.epochs}, learning rate {final.learning_rate:g}; held out for validation "
        f"and for the temperature ({final.temperature:.2f}): {size(final.validation)}"
    )
    return "\n".join(["## Trained on\n", *out, ""])


def _figures(report: FineTuneReport) -> str:
    outputs = len(report.labels.kept) + len(report.labels.removed)
    rows = {
        "before": f"before, among all {outputs} labels of the initial model",
        "before_limited": "before, among the clips' labels alone",
        "after_known": "after, on the same clips",
        "after": "after",
    }
    out = [
        "## What it scores\n",
        f"{report.protocol.capitalize()}. Split audit: {report.caveat}. Intervals are 95 %, "
        "from a bootstrap over speakers.\n",
        "| | clips | accuracy | UAR |",
        "|---|---:|---:|---:|",
    ]
    for name, found in report.rows().items():
        figures = f"{percent(found.accuracy)} | {percent(found.uar)}"
        out.append(f"| {rows[name]} | {found.samples} | {figures} |")
    if change := report.change:
        ends = [[change[m].value, change[m].low, change[m].high] for m in ("accuracy", "uar")]
        out.append(f"| change, same clips and labels | | {' | '.join(map(points, ends))} |")
    if report.before is None:
        out.append(
            "\nThe initial model has none of these labels: there is nothing to compare with."
        )
    out.append(
        '\n"Before" is too high if the initial model was trained on some of these clips or '
        "speakers. The metrics are those of the networks of the cross-validation. The "
        "network in this folder "
        "was trained on more clips; its accuracy on unseen speakers was not measured.\n\n"
        "`held_out.csv` has the prediction for each clip by the network that was not trained on "
        "its speaker; `evaluation.html` and `evaluation.json` evaluate these predictions. The "
        "network in this folder was trained on the same clips, so that its own predictions for "
        "them are no evidence.\n"
    )
    return "\n".join(out)


def _labels(after: Summary) -> str:
    found = per_class(after)
    rows = zip(after.labels, found.support, found.recall, found.precision, strict=True)
    out = ["| label | clips | recall | precision |", "|---|---:|---:|---:|"]
    out += [f"| {label} | {n:.0f} | {_share(r)} | {_share(p)} |" for label, n, r, p in rows]
    return "\n".join(out) + "\n"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _thresholds(report: FineTuneReport) -> str:
    out = ["## Confidence\n"]
    if not report.thresholds:
        out.append('No threshold was fitted: every answer is marked "no threshold".\n')
        return "\n".join(out)
    out += [
        "Thresholds fitted on the held-out predictions, for an accuracy of "
        f"{100 * WANTED_ACCURACY:.0f} %; the accuracy above them is of the same clips. Answers "
        'for an input without a threshold are marked "no threshold".\n',
        "| input | clips | threshold | above it | accuracy above it |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in report.thresholds.items():
        at = "none" if found.threshold is None else f"{found.threshold:.3f}"
        cells = f"{at} | {100 * found.answered:.0f} % | {_share(found.accuracy)}"
        out.append(f"| {INPUTS[name]} | {found.samples} | {cells} |")
    return "\n".join(out) + "\n"


def _limits(report: FineTuneReport) -> str:
    out = ["## Limits\n"]
    if (n := report.speakers) is not None and n < FEW_SPEAKERS:
        out.append(f"- {n} speakers are few: read the intervals as rough.")
    if labels := report.single_speaker_labels:
        out.append(
            f"- Labels of one speaker only: {', '.join(labels)}. When that speaker is tested, the "
            "label is not in the training data, so that its figures are meaningless."
        )
    out += [
        "- It was measured on clips like those it was trained on: the same room, camera, language "
        "and task. Elsewhere it will be wrong more often. Its confidence was calibrated on few "
        "clips.",
        "- All limits of the initial model hold: see its card. Accuracy by sex, age, language and "
        "skin colour was not measured.\n",
    ]
    return "\n".join(out)


def per_class(summary: Summary) -> PerClass:
    """The metrics of each label."""
    assert summary.per_class is not None, "only several labels per sample have none"
    return summary.per_class


def percent(interval: Sequence[float | None]) -> str:
    """``61.5 % [52.0, 70.1]``, without the interval if there is none."""
    value, *ends = (None if x is None else f"{100 * x:.1f}" for x in interval)
    return f"{value} %" + (f" [{', '.join(str(x) for x in ends)}]" if None not in ends else "")


def points(interval: Sequence[float | None]) -> str:
    """``+12.3 [3.4, 20.1]`` in percentage points."""
    text = percent(interval).replace(" %", "")
    return text if text.startswith("-") else f"+{text}"
