#!/usr/bin/env bash
# Purpose: make the packaged model from data. Cost: an hour on two cores, most of it speech tokens and
# nested fits. Resumable: run it again and it continues. With FACE=FOLDER another face network is used;
# faces.py and face_gpu.py train one.
#   experiments/default_model.sh [SHARED] [WORK]
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${1:-../shared}
work=${2:-work/default_model}
face=${FACE:-experiments/default_model/pretrained/face_wide}
python=.venv/bin/python
mkdir -p "$work/prepared" "$work/speech" "$work/heads"
[ -f src/avtca/weights/speech.onnx ] || $python experiments/default_model/speech.py
[ -f src/avtca/weights/vad.onnx ] || $python experiments/default_model/vad.py src/avtca/weights/vad.onnx
$python experiments/default_model/speech_windows.py "$shared/corpora" "$work/prepared" "$work/speech"
[ -f "$work/heads/heads.npz" ] ||
    $python experiments/default_model/heads.py "$shared/corpora" "$work/prepared" "$work/speech" "$work/heads"
$python experiments/default_model/package.py "$face" "$work/heads" "$shared" src/avtca/weights
$python experiments/fill_pages.py
