"""Purpose: read every clip of a folder and keep the timelines as CSV. Cost: about real time / 10.

python examples/predict_folder.py FOLDER OUT
"""

import sys
from pathlib import Path

import avtca
from avtca.media import find_media

folder, out = map(Path, sys.argv[1:3])
out.mkdir(parents=True, exist_ok=True)
recognizer = avtca.load()
for entry in find_media([folder]):
    try:
        if entry.error is not None:
            raise entry.error
        report = recognizer.predict(entry.path)
    except avtca.AvtcaError as error:
        print(error, file=sys.stderr)
        continue
    report.to_csv(out / f"{entry.path.stem}.csv")
    print(f"{entry.path.name}: {report.top} {report.confidence:.0%}")
