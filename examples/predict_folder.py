"""Purpose: read every clip of a folder and keep the timelines as CSV.

Cost, CPU seconds of one core: 3.4 for 8.8 s of two faces, 2.6 for 3.4 s of one in 720p, 7.9 for
6.4 s of HEVC; 817 for an hour of two faces (benchmarks/results/recognizer_memory.json).

python examples/predict_folder.py FOLDER OUT
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
for entry in find_media([folder]):
    try:
        if entry.error is not None:
            raise entry.error
        report = recognizer.predict(entry.path)
    except avtca.AvtcaError as error:
        print(error, file=sys.stderr)
        failed += 1
        continue
    name = entry.path.relative_to(folder) if folder.is_dir() else Path(entry.path.name)
    timeline = out / f"{name}.csv"  # a/x.mp4 and b/x.wav stay apart
    timeline.parent.mkdir(parents=True, exist_ok=True)
    report.to_csv(timeline)
    print(f"{name}: {report.top} {report.certainty}")
sys.exit(2 if failed else 0)
