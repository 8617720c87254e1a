"""The check that no test speaker had a part in the training of a model."""

from collections.abc import Iterable

from avtca.data.caveats import Caveat, CaveatKind
from avtca.errors import LeakError
from avtca.model import Card
from avtca.model.lineage import has_unnamed_speakers, trained_on


def check_leakage(
    training_speakers: Iterable[str],
    test_speakers: Iterable[str],
    *,
    action: str,
    fix: str,
    allow_leak: bool = False,
    model: str = "the network",
) -> tuple[Caveat, ...]:
    """Check that test speakers and training speakers are disjoint.

    Args:
        training_speakers: Speakers with a part in the weights, see
            :func:`avtca.model.lineage.trained_on`.
        test_speakers: Speakers that are to be tested.
        action: What was to be done, for the error.
        fix: What the user can do, for the error.
        allow_leak: Return a caveat in place of raising.
        model: What was trained on them, for messages.

    Returns:
        The caveat of an allowed leak, or nothing.

    Raises:
        LeakError: If a test speaker had a part in the weights, unless ``allow_leak``.
    """
    both = sorted({*training_speakers} & {*test_speakers})
    if not both:
        return ()
    found = f"{len(both)} test speakers were in the training data of {model}"
    if not allow_leak:
        raise LeakError(action, f"{found}, the first is {both[0]!r}", fix)
    return (Caveat(CaveatKind.LEAK, f"LEAK (allowed): {found}"),)


def unchecked_caveats(card: Card, corpus: str, *, model: str = "the network") -> tuple[Caveat, ...]:
    """The caveat that a leak cannot be ruled out, where the training data name no speakers.

    Args:
        card: Card of the network.
        corpus: Name of the tested corpus.
        model: What was trained, for the message.
    """
    if not has_unnamed_speakers(card, corpus):
        return ()
    text = f"the training data of {model} name no speakers: leakage could not be checked"
    return (Caveat(CaveatKind.UNCHECKED, text),)


def leakage_caveats(
    card: Card,
    corpus: str,
    test_speakers: Iterable[str],
    *,
    action: str,
    fix: str,
    allow_leak: bool,
    model: str,
) -> tuple[Caveat, ...]:
    """Both of the above for a network that is tested on speakers of a corpus.

    Args, Returns, Raises: As :func:`check_leakage` and :func:`unchecked_caveats`.
    """
    speakers = {*test_speakers}
    known = trained_on(card, corpus, speakers)
    leaks = check_leakage(
        known, speakers, action=action, fix=fix, allow_leak=allow_leak, model=model
    )
    return (*leaks, *unchecked_caveats(card, corpus, model=model))
