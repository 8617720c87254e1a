"""Recognition of thousands of damaged files: how many are answered, refused, or go wrong.

    python benchmarks/fuzz.py --n 1000

Every fault is listed with its file, which ``--keep FOLDER`` saves. tests/fuzz runs the first 200.
"""

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from limited import Outcome, recognise
from mutants import Mutant, make_clips, mutants, recording


def main() -> None:
    """Make the files, recognise them, and print a table of the mutations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared", type=Path, default=Path("../shared"), help="folder of the real clips"
    )
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that go wrong")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        files = list(mutants(make_clips(recording(args.shared, folder), folder), args.n, args.seed))
        rows: dict[str, list[tuple[Outcome, bool]]] = defaultdict(list)
        for mutant, outcome in zip(files, recognise(written(files, folder)), strict=True):
            fault = mutant.fault(outcome)
            rows[mutant.what.partition(" of ")[0]].append((outcome, bool(fault)))
            if fault:
                print(f"{mutant.name} ({mutant.what}): {fault}", flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / mutant.name).write_bytes(mutant.data)
    print(table(rows))


def written(files: list[Mutant], folder: Path):
    """The path of each file, which is there until the next one."""
    for mutant in files:
        path = folder / mutant.name
        path.write_bytes(mutant.data)
        yield path
        path.unlink()


def table(rows: dict[str, list[tuple[Outcome, bool]]]) -> str:
    """Numbers of outcomes, the slowest and the largest, by mutation and in total."""
    lines = [
        f"{'mutation':16} {'answered':>9} {'refused':>8} {'faults':>7} {'slowest':>8} {'MB':>6}"
    ]
    everything = [pair for each in rows.values() for pair in each]
    for name, pairs in [*sorted(rows.items()), ("total", everything)]:
        n = Counter(outcome.kind for outcome, fault in pairs if not fault)
        faults = sum(fault for _, fault in pairs)
        slowest = max(outcome.seconds for outcome, _ in pairs)
        largest = max(outcome.peak_mb for outcome, _ in pairs)
        lines.append(
            f"{name:16} {n['answered']:9} {n['clean error']:8} {faults:7} "
            f"{slowest:6.1f} s {largest:6.0f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
