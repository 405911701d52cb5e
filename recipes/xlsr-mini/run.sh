#!/bin/sh
# The whole recipe: run.sh CORPORA OUT, or one run of it: run.sh CORPORA OUT multilingual-griko-2.
# What is done already is not done again. JOBS runs (2) go beside each other with one core each.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [RUN]}
out=${2:?usage: run.sh CORPORA OUT [RUN]}
run=${3:-all}

beside() { # runs, one a line on standard input
    OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$recipe/run.sh" "$corpora" "$out"
}

runs() { # START...: each language and seed from these starts
    for start in "$@"; do
        for seed in 1 2; do printf '%s\n' "$start-mboshi-$seed" "$start-griko-$seed" "$start-quechua-$seed"; done
    done
}

case $run in
all)
    python "$recipe/prepare.py" "$corpora" "$out/data"
    { printf '%s\n' multilingual monolingual-mboshi monolingual-griko monolingual-quechua; runs scratch; } | beside
    runs monolingual multilingual | beside
    python "$recipe/../table.py" "$out" scratch monolingual multilingual
    exit
    ;;
multilingual)
    speechxl pretrain --config "$recipe/pretrain.yaml" --train "$out"/data/speech/*.tsv --out "$out/$run" --resume
    exit
    ;;
*-*-*) ;;
*)
    corpus=${run#monolingual-}
    speechxl pretrain --config "$recipe/pretrain.yaml" --train "$out/data/speech/$corpus.tsv" --out "$out/$run" --resume
    exit
    ;;
esac

start=${run%%-*} seed=${run##*-}
corpus=${run#*-} corpus=${corpus%-*}
manifest=$out/data/$corpus.tsv
case $start in
scratch)
    speechxl finetune --preset tiny --config "$recipe/finetune.yaml" --train "$manifest" \
        --out "$out/$run" --seed "$seed" --resume
    ;;
*)
    model=$out/$start
    if [ "$start" = monolingual ]; then model=$model-$corpus; fi
    speechxl finetune "$model" --config "$recipe/finetune.yaml" --train "$manifest" \
        --out "$out/$run" --seed "$seed" --resume
    ;;
esac
if ! [ "$out/$run.tsv" -nt "$out/$run/model.safetensors" ]; then
    speechxl evaluate "$out/$run" "$manifest" --split dev --transcripts "$out/$run.tsv"
fi
