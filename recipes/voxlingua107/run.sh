#!/bin/sh
# The whole recipe: run.sh VOXLINGUA107 OUT [MODEL [PHONES]]: an encoder to start from, and a recogniser of phones for the comparison.
# HOURS=2 takes fewer of each language than ten, LANGUAGES="et fi sw" some of them. What is done is not done again.
set -eu
usage="run.sh VOXLINGUA107 OUT [MODEL [PHONES]]"
recipe=$(cd "$(dirname "$0")" && pwd)
source=${1:?usage: $usage}
out=${2:?usage: $usage}
model=${3:-facebook/wav2vec2-xls-r-300m}
# shellcheck disable=SC2086  # names
python "$recipe/prepare.py" "$source" "$out/data" --hours "${HOURS:-10}" ${LANGUAGES:+--languages $LANGUAGES}
speechxl classify train "$model" --task lid --train "$out/data/lid.tsv" --out "$out/model" --precision auto --resume
speechxl classify evaluate "$out/model" "$out/data/lid.tsv" --split test --predictions "$out/test.tsv"
sh "$recipe/../compare.sh" "$recipe" "$out/compare" "$model" "" "${4:-}" --train "$out/data/compare.tsv"
