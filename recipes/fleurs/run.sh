#!/bin/sh
# The whole recipe: run.sh LANGUAGE_FOLDER OUT [MODEL], such as run.sh fleurs/data/sw_ke swahili.
# MINUTES=60 trains on a part.
set -eu
usage="run.sh LANGUAGE_FOLDER OUT [MODEL]"
recipe=$(cd "$(dirname "$0")" && pwd)
source=${1:?usage: $usage}
out=${2:?usage: $usage}
model=${3:-facebook/wav2vec2-xls-r-300m}

if ! [ -e "$out/data/all.tsv" ]; then speechxl prepare fleurs "$source" "$out/data/all.tsv"; fi
python "$recipe/prepare.py" "$out/data/all.tsv" "$out/data/part.tsv" "${MINUTES:-600}"
speechxl finetune "$model" --config "$recipe/finetune.yaml" --train "$out/data/part.tsv" --out "$out/model" --resume
speechxl evaluate "$out/model" "$out/data/part.tsv" --split test --transcripts "$out/test.tsv"
