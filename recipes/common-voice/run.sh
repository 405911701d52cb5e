#!/bin/sh
# The whole recipe: run.sh RELEASE LOCALE OUT [MODEL], such as run.sh cv-corpus-21.0-2025-03-14 ky ky-hour.
# LISTS="train.txt dev.txt test.txt" takes the clips named there, PHONES=phones.tsv recognises phones (README.md).
set -eu
usage="run.sh RELEASE LOCALE OUT [MODEL]"
recipe=$(cd "$(dirname "$0")" && pwd)
release=${1:?usage: $usage}
locale=${2:?usage: $usage}
out=${3:?usage: $usage}
model=${4:-facebook/wav2vec2-xls-r-300m}
units=char
if [ -n "${PHONES:-}" ]; then units=phoneme; fi

if ! [ -e "$out/data/all.tsv" ]; then
    speechxl prepare common_voice "$release/$locale" "$out/data/all.tsv" --all_clips
fi
# shellcheck disable=SC2086  # three names
python "$recipe/prepare.py" "$out/data/all.tsv" "$out/data/hour.tsv" ${LISTS:+--lists $LISTS} ${PHONES:+--phones "$PHONES"}
speechxl finetune "$model" --config "$recipe/../../configs/finetune.yaml" --config "$recipe/finetune.yaml" \
    --train "$out/data/hour.tsv" --units "$units" --out "$out/model" --resume
speechxl evaluate "$out/model" "$out/data/hour.tsv" --split test --transcripts "$out/test.tsv"
