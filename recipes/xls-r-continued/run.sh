#!/bin/sh
# The whole recipe: run.sh RAW LABELLED LANGUAGE OUT [MODEL]; RAW and LABELLED are manifests or folders of recordings.
# What is done already is not done again.
set -eu
usage="run.sh RAW LABELLED LANGUAGE OUT [MODEL]"
recipe=$(cd "$(dirname "$0")" && pwd)
raw=${1:?usage: $usage}
labelled=${2:?usage: $usage}
language=${3:?usage: $usage}
out=${4:?usage: $usage}
model=${5:-facebook/wav2vec2-xls-r-300m}

python "$recipe/prepare.py" "$raw" "$labelled" "$language" "$out/data"
speechxl adapt "$model" --config "$recipe/../../configs/adapt.yaml" --config "$recipe/adapt.yaml" \
    --train "$out/data/raw.tsv" --dev "$out/data/labelled.tsv" --out "$out/continued" --resume

for seed in 1 2; do
    for start in published continued; do
        run=$start-$language-$seed
        from=$model
        if [ "$start" = continued ]; then from=$out/continued; fi
        speechxl finetune "$from" --config "$recipe/../../configs/finetune.yaml" --train "$out/data/labelled.tsv" \
            --out "$out/$run" --seed "$seed" --resume
        if ! [ "$out/$run.tsv" -nt "$out/$run/model.safetensors" ]; then
            speechxl evaluate "$out/$run" "$out/data/measured.tsv" --transcripts "$out/$run.tsv"
        fi
    done
done
python "$recipe/../table.py" "$out" published continued
