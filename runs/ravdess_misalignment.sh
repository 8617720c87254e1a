#!/bin/sh
# Purpose: sound shifted against the face, -1 to +1 s, and every other damage, for the networks of
# runs/ravdess.py beside the simple baselines: does attention between the streams buy anything?
# Command: sh runs/ravdess_misalignment.sh WORK OUT
# Cost: about ten minutes a network on one core.
set -eu
work=$1
out=$2
of() { echo "$work/runs/luna_5fold/$1/of_seed0"; }
avtca robustness "$(of mean_posterior)" "$(of concatenation)" "$(of late_transformer)" \
  "$(of figure)" "$(of best)" "$work/prepared/expression7" --out "$out"
