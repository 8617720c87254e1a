#!/usr/bin/env bash
# Purpose: make the packaged model from data. Cost: about five hours on one core. Resumable: run it
# again and it goes on where it was. With FACE=src/avtca/weights the packaged face network stays, which
# saves an hour and a half.
#   experiments/default_model.sh [SHARED] [WORK]
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${1:-../shared}
work=${2:-work/default_model}
face=${FACE:-$work/face}
python=.venv/bin/python
.venv/bin/avtca prepare ravdess "$shared/corpora/ravdess" --out "$work/ravdess" \
    --spec experiments/default_model/clipspec.json
[ -f "$face/face.json" ] || [ -f "$face/face.onnx" ] ||
    $python experiments/default_model/faces.py "$shared/corpora/ferplus/ferplus.npz" "$face"
$python experiments/default_model/voice.py "$shared/corpora" "$work/speech"
$python experiments/default_model/voice.py "$shared/corpora" "$work/speech" --for emodb
[ -f "$work/speech/voice_figures.json" ] ||
    $python experiments/default_model/voice_figures.py "$work/ravdess" "$work/speech"
[ -f "$work/fusion/figures.json" ] ||
    $python experiments/default_model/fusion.py "$work/ravdess" "$work/speech/voice" "$work/fusion"
$python experiments/default_model/package.py "$face" "$work/fusion" \
    "$work/speech/voice_figures.json" "$shared" src/avtca/weights
$python experiments/fill_pages.py
