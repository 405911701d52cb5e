#!/bin/sh
# The whole recipe: run.sh CORPORA OUT, or one run of it: run.sh CORPORA OUT continued-15-2 (start, minutes, seed).
# What is done already is not done again. JOBS runs (2) go beside each other with one core each.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [RUN]}
out=${2:?usage: run.sh CORPORA OUT [RUN]}
run=${3:-all}

beside() { # runs, one a line on standard input
    OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$recipe/run.sh" "$corpora" "$out"
}

runs() { # START: with each number of labelled minutes and each seed
    for minutes in 45 15 5; do printf '%s\n' "$1-$minutes-1" "$1-$minutes-2"; done
}

case $run in
all)
    python "$recipe/../xlsr-mini/prepare.py" "$corpora" "$out/data"
    python "$recipe/prepare.py" "$corpora" "$out/data"
    { echo multilingual; runs scratch; } | beside
    { echo continued; runs multilingual; } | beside
    runs continued | beside
    python "$recipe/../table.py" "$out" scratch multilingual continued
    exit
    ;;
multilingual)
    speechxl pretrain --config "$recipe/../xlsr-mini/pretrain.yaml" --train "$out"/data/speech/*.tsv --out "$out/$run" --resume
    exit
    ;;
continued)
    speechxl adapt "$out/multilingual" --config "$recipe/adapt.yaml" --train "$out/data/mboshi.tsv" \
        --out "$out/continued" --resume
    exit
    ;;
esac

start=${run%%-*} seed=${run##*-}
case $run in
*-45-*) manifest=$out/data/mboshi.tsv ;;
*-15-*) manifest=$out/data/mboshi-15.tsv ;;
*) manifest=$out/data/mboshi-5.tsv ;;
esac
if [ "$start" = scratch ]; then
    speechxl finetune --preset tiny --config "$recipe/finetune.yaml" --train "$manifest" \
        --out "$out/$run" --seed "$seed" --resume
else
    speechxl finetune "$out/$start" --config "$recipe/finetune.yaml" --train "$manifest" \
        --out "$out/$run" --seed "$seed" --resume
fi
if ! [ "$out/$run.tsv" -nt "$out/$run/model.safetensors" ]; then
    speechxl evaluate "$out/$run" "$manifest" --split dev --transcripts "$out/$run.tsv"
fi
