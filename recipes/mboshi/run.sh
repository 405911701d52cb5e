#!/bin/sh
# The whole recipe: run.sh CORPORA [OUT]. README.md says how long each part takes; what is done already is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=$1
out=${2:-mboshi-runs}

python "$recipe/prepare.py" "$corpora" "$out/data"
speechxl pretrain --config "$recipe/pretrain.yaml" --train "$out/data/speech.tsv" --out "$out/multilingual" --resume
speechxl adapt "$out/multilingual" --config "$recipe/adapt.yaml" --train "$out/data/mboshi.tsv" --out "$out/continued" --resume

for seed in 1 2; do
    speechxl finetune --preset tiny --config "$recipe/finetune.yaml" --train "$out/data/mboshi.tsv" \
        --out "$out/scratch-$seed" --seed "$seed" --resume
    for start in multilingual continued; do
        speechxl finetune "$out/$start" --config "$recipe/finetune.yaml" --train "$out/data/mboshi.tsv" \
            --out "$out/$start-$seed" --seed "$seed" --resume
    done
    for start in scratch multilingual continued; do
        speechxl evaluate "$out/$start-$seed" "$out/data/mboshi.tsv" --split dev --json > "$out/$start-$seed.json"
    done
done
