#!/bin/sh
# Purpose: sound shifted against the face, -1 to +1 s, and each of the two taken away, for the
# networks of runs/ravdess.py beside the simple baselines: does attention between the streams buy
# anything? Without --condition, `avtca robustness` does every other damage too.
# Command: sh runs/ravdess_misalignment.sh WORK OUT
# Cost: about half a minute a network on one core.
set -eu
work=$1
out=$2
of() { echo "$work/runs/luna_5fold/$1/of_seed0"; }
avtca robustness "$(of mean_posterior_long)" "$(of concatenation_long)" "$(of figure_long)" \
  "$(of best_attention)" "$(of best)" "$work/prepared/expression7" \
  --condition shift --condition modality --out "$out"
