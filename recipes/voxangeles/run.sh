#!/bin/sh
# The whole recipe: run.sh CORPORA OUT. Training goes on where it stood.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT}
out=${2:?usage: run.sh CORPORA OUT}

python "$recipe/prepare.py" "$corpora" "$out/data"
speechxl finetune --preset tiny --config "$recipe/finetune.yaml" --train "$out/data/voxangeles.tsv" --units phoneme \
    --out "$out/model" --resume
for split in words languages; do
    speechxl evaluate "$out/model" "$out/data/voxangeles.tsv" --split "$split" --transcripts "$out/$split.tsv"
    speechxl align "$out/model" "$out/data/voxangeles.tsv" --split "$split" \
        --reference "$corpora/voxangeles/alignment.tsv" --out "$out/$split" --overwrite
    echo "with equal lengths:"
    python "$recipe/equal.py" "$out/data/voxangeles.tsv" "$corpora/voxangeles/alignment.tsv" "$split"
done
