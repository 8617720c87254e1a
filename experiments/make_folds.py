"""Write the frozen fold files: ``python experiments/make_folds.py OUT [SOURCES]``.

``SOURCES`` is a folder with ``ravdess/luna_folds.csv``, ``cremad/VideoDemographics.csv`` and
``mosei/cmu_mosei_std_folds.py`` (the file of the CMU-MultimodalSDK); folds whose source is missing
are left out.
"""

import ast
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from avtca.corpora.splits import (
    RANDOM_WARNING,
    CrossValidationSplit,
    Fold,
    cyclic_folds,
    random_folds,
)

ACTORS = [f"{actor:02d}" for actor in range(1, 25)]
"""RAVDESS's actors; odd numbers are men."""
EMODB_MEN, EMODB_WOMEN = ["03", "10", "11", "12", "15"], ["08", "09", "13", "14", "16"]
RAVDESS = "Livingstone and Russo 2018, doi:10.1371/journal.pone.0196391"


def ravdess_samples() -> list[str]:
    """The 1,440 speech samples: neutral has one intensity, the other seven have two."""
    return [
        f"01-01-{e:02d}-{i:02d}-{s:02d}-{r:02d}-{actor}"
        for actor in ACTORS
        for e in range(1, 9)
        for i in (1, 2)
        if not (e == 1 and i == 2)
        for s in (1, 2)
        for r in (1, 2)
    ]


def speaker_fold(speakers: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Fold:
    """A fold that trains on all other speakers."""
    rest = frozenset(speakers) - set(validation) - set(test)
    return Fold(rest, frozenset(validation), frozenset(test))


def ravdess_6fold() -> CrossValidationSplit:
    """Six folds of four consecutive actors, two women and two men."""
    groups = [ACTORS[i : i + 4] for i in range(0, 24, 4)]
    rule = "fold k tests actors 4k+1..4k+4; the next fold's actors are the validation speakers"
    return CrossValidationSplit(
        "ravdess_6fold", "ravdess", "speaker", tuple(cyclic_folds(groups)), rule, RAVDESS
    )


def ravdess_leave_one_actor_out() -> CrossValidationSplit:
    """24 folds of one actor."""
    splits = tuple(
        speaker_fold(ACTORS, [ACTORS[(i + j) % 24] for j in range(1, 5)], [ACTORS[i]])
        for i in range(24)
    )
    rule = "each actor is tested once; the next four actors in cyclic order are validation speakers"
    return CrossValidationSplit(
        "ravdess_leave_one_actor_out", "ravdess", "speaker", splits, rule, RAVDESS
    )


def ravdess_released() -> CrossValidationSplit:
    """The split in the released code of AVT-CA."""
    split = speaker_fold(ACTORS, ACTORS[4:8], ACTORS[:4])
    return CrossValidationSplit(
        "ravdess_released",
        "ravdess",
        "speaker",
        (split,),
        "test actors 1-4, validation 5-8, train 9-24",
        "code of arXiv 2407.18552",
    )


def ravdess_chumachenko() -> CrossValidationSplit:
    """The split of AVT-CA's parent work."""
    split = speaker_fold(ACTORS, ["11", "13", "18", "22"], ["05", "10", "16", "19"])
    return CrossValidationSplit(
        "ravdess_chumachenko",
        "ravdess",
        "speaker",
        (split,),
        "test actors 5, 10, 16, 19; validation 11, 13, 18, 22",
        "Chumachenko, Iosifidis, Gabbouj 2022, arXiv 2201.11095",
    )


def ravdess_luna_5fold(table: Path) -> CrossValidationSplit:
    """Luna-Jimenez's test folds, by actor; validation speakers by our rule, as none are published.

    Raises ``ValueError`` where an actor is in two test folds.
    """
    fold_of: dict[str, int] = {}
    for line in table.read_text().splitlines()[1:]:
        sample, fold = line.split(",")
        if fold_of.setdefault(sample[-2:], int(fold)) != int(fold):
            raise ValueError(f"actor {sample[-2:]} is in two folds of {table}")
    groups = [sorted(a for a in fold_of if fold_of[a] == k) for k in sorted(set(fold_of.values()))]
    splits = []
    for k, test in enumerate(groups):
        following = groups[(k + 1) % len(groups)]
        women = [a for a in following if int(a) % 2 == 0][:2]
        men = [a for a in following if int(a) % 2][:2]
        splits.append(speaker_fold(ACTORS, women + men, test))
    return CrossValidationSplit(
        "ravdess_luna_5fold",
        "ravdess",
        "speaker",
        tuple(splits),
        "published test folds; validation speakers (not published): the first two women and the "
        "first two men, by number, of the next fold",
        "Luna-Jimenez et al. 2021, doi:10.3390/s21227665; 2022, doi:10.3390/app12010327",
    )


def cremad_5fold(table: Path) -> CrossValidationSplit:
    """91 actors in five folds, stratified by sex, race and ethnicity."""
    rows = [
        [cell.strip('"') for cell in line.split(",")]
        for line in table.read_text().splitlines()[1:]
        if line.strip()
    ]
    order = sorted(rows, key=lambda row: (row[2], row[3], row[4], int(row[0])))
    groups = [[row[0] for row in order[k::5]] for k in range(5)]
    everybody = [row[0] for row in rows]
    splits = tuple(speaker_fold(everybody, groups[(k + 1) % 5][::2], groups[k]) for k in range(5))
    return CrossValidationSplit(
        "cremad_5fold",
        "cremad",
        "speaker",
        splits,
        "actors sorted by sex, race, ethnicity and number, assigned in turn to five test folds; "
        "validation speakers: every second actor of the next fold, in that order",
        "Cao et al. 2014, doi:10.1109/TAFFC.2014.2336244 (demographics)",
    )


def emodb_leave_one_speaker_out() -> CrossValidationSplit:
    """Ten folds of one speaker."""
    order = [name for pair in zip(EMODB_MEN, EMODB_WOMEN, strict=True) for name in pair]
    splits = tuple(
        speaker_fold(order, [order[(i + 1) % 10], order[(i + 2) % 10]], [order[i]])
        for i in range(10)
    )
    return CrossValidationSplit(
        "emodb_leave_one_speaker_out",
        "emodb",
        "speaker",
        splits,
        "each speaker is tested once, in the order 03 08 10 09 11 13 12 14 15 16; the next two, "
        "a woman and a man, are validation speakers",
        "Burkhardt et al. 2005, Interspeech",
    )


def mosei_official(source: Path) -> CrossValidationSplit:
    """The three lists of video ids of the CMU-MultimodalSDK, and one more training video.

    ``-NFrJFQijFE`` is labelled and in the training part of processed data in wide use, and the
    SDK's file of today does not have it (docs/corpora.md).
    """
    lists = {
        node.targets[0].id: [str(name) for name in ast.literal_eval(node.value)]
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    lists["standard_train_fold"] = [*{*lists["standard_train_fold"], "-NFrJFQijFE"}]
    split = Fold(
        *(frozenset(lists[f"standard_{side}_fold"]) for side in ("train", "valid", "test"))
    )
    return CrossValidationSplit(
        "mosei_official",
        "mosei",
        "speaker",
        (split,),
        "the lists of the CMU-MultimodalSDK, by video: the corpus names no speakers, and one "
        "person may be in several videos",
        "Zadeh et al. 2018, ACL, P18-1208; github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK, "
        "cmu_mosei_std_folds.py",
    )


def paper_random_80_20() -> CrossValidationSplit:
    """The paper's protocol: a random split over clips."""
    made = random_folds(ravdess_samples(), name="paper_random_80_20", corpus="ravdess")
    return CrossValidationSplit(
        made.name,
        made.corpus,
        made.unit,
        made.folds,
        made.rule + "; the validation samples come from the paper's 80 %",
        "the kind of split of arXiv 2407.18552, whose own lists are not published",
        RANDOM_WARNING,
    )


FROM_RULE: list[Callable[[], CrossValidationSplit]] = [
    ravdess_6fold,
    ravdess_leave_one_actor_out,
    ravdess_released,
    ravdess_chumachenko,
    emodb_leave_one_speaker_out,
    paper_random_80_20,
]
FROM_FILE: list[tuple[Callable[[Path], CrossValidationSplit], str]] = [
    (ravdess_luna_5fold, "ravdess/luna_folds.csv"),
    (cremad_5fold, "cremad/VideoDemographics.csv"),
    (mosei_official, "mosei/cmu_mosei_std_folds.py"),
]


def make_all(sources: Path | None) -> list[CrossValidationSplit]:
    """All fold sets whose source exists."""
    made = [make() for make in FROM_RULE]
    for make, name in FROM_FILE:
        if sources is not None and (sources / name).is_file():
            made.append(make(sources / name))
    return made


if __name__ == "__main__":
    out = Path(sys.argv[1])
    for folds in make_all(Path(sys.argv[2]) if len(sys.argv) > 2 else None):
        (out / f"{folds.name}.json").write_text(folds.to_json(), encoding="utf-8")
        print(folds.name, folds.hash, len(folds.folds))
