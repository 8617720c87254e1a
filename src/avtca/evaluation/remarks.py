"""What a reader must know of the samples of an evaluation, as text."""

from collections import Counter
from pathlib import Path

from avtca.corpora import PreparedCorpus
from avtca.data.dataset import EmotionDataset
from avtca.labels import to_seven


def held_out_place(path: Path) -> str:
    """Where the figures for held-out speakers are: those of a fine-tuning, or of a run."""
    folder = path if path.is_dir() else path.parent
    places = {"held_out.csv": "evaluation.html", "test.csv": "test.csv", "result.json": "seed0"}
    for marker, needed in places.items():
        if (folder / marker).is_file() and (folder / needed).exists():
            place = folder / (needed if needed != "seed0" else marker)
            return f"see the results for held-out speakers in {place}, "
    return ""


def unpredicted_labels(corpus: PreparedCorpus, dataset: EmotionDataset) -> list[str]:
    """A note on the samples that are left out because no network output stands for their label."""
    gone = corpus.manifest[~corpus.manifest["sample_id"].isin(dataset.sample_ids)]
    labels = set(dataset.spec.labels)
    counts = Counter(str(label) for label in gone["label"] if label)
    named = {name: n for name, n in counts.items() if not {name, to_seven(name)} & labels}
    if not named:
        return []
    listed = ", ".join(f"{name} {n}" for name, n in sorted(named.items()))
    return [
        f"left out of {len(corpus)} clips: {sum(named.values())} with labels that the model does "
        f"not predict ({listed})"
    ]
