#!/bin/sh
# The whole recipe: run.sh CORPORA OUT [MODEL]; MODEL is a pretrained one to start from, by default none. Or one run of it:
# run.sh CORPORA OUT "" joint-all-2, run.sh CORPORA OUT MODEL alone-griko-1. What is done is not done again. JOBS runs (2) go
# beside each other with one core each.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [MODEL] [RUN]}
out=${2:?usage: run.sh CORPORA OUT [MODEL] [RUN]}
model=${3:-}
run=${4:-all}

evaluate() { # MODEL CORPUS TRANSCRIPTS
    if ! [ "$3" -nt "$1/model.safetensors" ]; then
        speechxl evaluate "$1" "$out/joint/$2.tsv" --split dev --transcripts "$3"
    fi
}

if [ "$run" = all ]; then
    python "$recipe/prepare.py" "$corpora" "$out"
    for seed in 1 2; do
        printf '%s\n' "joint-all-$seed" "alone-griko-$seed" "alone-quechua-$seed" "alone-yoruba-$seed" "alone-mboshi-$seed"
    done | OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$0" "$corpora" "$out" "$model"
    python "$recipe/../table.py" "$out" alone joint
    exit
fi

start=${run%%-*} seed=${run##*-}
corpus=${run#*-} corpus=${corpus%-*}
if [ "$corpus" = all ]; then manifests=$(echo "$out"/joint/*.tsv); else manifests=$out/joint/$corpus.tsv; fi
from=${model:-"--preset tiny"}
# shellcheck disable=SC2086  # a flag and its value, and several manifests
speechxl finetune $from --config "$recipe/../../configs/finetune-laptop.yaml" --config "$recipe/finetune.yaml" \
    --train $manifests --out "$out/$run" --seed "$seed" --resume
if [ "$start" = alone ]; then
    evaluate "$out/$run" "$corpus" "$out/$run.tsv"
else
    for manifest in $manifests; do
        name=$(basename "$manifest" .tsv)
        evaluate "$out/$run" "$name" "$out/joint-$name-$seed.tsv"
    done
fi
