"""Recognise every clip of a folder and write the timelines as CSV.

Cost in CPU seconds of one core: 3.4 for 8.8 s with two faces, 2.6 for 3.4 s with one face in 720p,
7.9 for 6.4 s of HEVC, and 817 for an hour with two faces
(benchmarks/results/recognizer_memory.json).

Usage: python examples/predict_folder.py FOLDER OUT
"""

import sys
from pathlib import Path

import avtca
from avtca.media import find_media

if len(sys.argv) != 3:
    sys.exit("usage: python examples/predict_folder.py FOLDER OUT")
folder, out = map(Path, sys.argv[1:])
recognizer = avtca.load()
failed = 0
for found in find_media([folder]):
    try:
        if found.error is not None:
            raise found.error
        report = recognizer.predict(found.path)
    except avtca.AvtcaError as error:
        print(error, file=sys.stderr)
        failed += 1
        continue
    name = found.path.relative_to(folder) if folder.is_dir() else Path(found.path.name)
    timeline = out / f"{name}.csv"  # distinct for a/x.mp4 and b/x.mp4
    timeline.parent.mkdir(parents=True, exist_ok=True)
    report.to_csv(timeline)
    print(f"{name}: {report.top} {report.certainty}")
sys.exit(2 if failed else 0)
