#!/bin/sh
# The whole recipe: run.sh CORPORA OUT [MODEL]; MODEL is a pretrained one to start from, by default none. Training goes on where
# it stood.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [MODEL]}
out=${2:?usage: run.sh CORPORA OUT [MODEL]}
model=${3:-"--preset tiny"}

python "$recipe/prepare.py" "$corpora" "$out/data"
# shellcheck disable=SC2086  # a flag and its value
speechxl finetune $model --config "$recipe/finetune.yaml" --train "$out/data/voxangeles.tsv" --units phoneme \
    --out "$out/model" --resume
for split in words languages; do
    speechxl evaluate "$out/model" "$out/data/voxangeles.tsv" --split "$split" --transcripts "$out/$split.tsv"
    speechxl align "$out/model" "$out/data/voxangeles.tsv" --split "$split" \
        --reference "$corpora/voxangeles/alignment.tsv" --out "$out/$split" --overwrite
    echo "with equal lengths:"
    python "$recipe/equal.py" "$out/data/voxangeles.tsv" "$corpora/voxangeles/alignment.tsv" "$split"
done
