#!/bin/sh
# The whole recipe: run.sh CORPORA OUT MODEL, where MODEL is a pretrained one. Or one run of it: run.sh CORPORA OUT MODEL
# phonemes-quechua-2. What is done is not done again. JOBS runs (2) go beside each other with one core each; SEEDS are "1 2".
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT MODEL [RUN]}
out=${2:?usage: run.sh CORPORA OUT MODEL [RUN]}
model=${3:?usage: run.sh CORPORA OUT MODEL [RUN]}
run=${4:-all}

beside() { # runs, one a line on standard input
    OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$0" "$corpora" "$out" "$model"
}

if [ "$run" = all ]; then
    python "$recipe/../joint/prepare.py" "$corpora" "$out"
    for corpus in arabic bengali english-digits german polish swahili turkish; do
        if [ -e "$out/joint/$corpus.tsv" ] && ! [ -e "$out/read/$corpus/manifest.tsv" ]; then
            speechxl prepare phonemes "$out/joint/$corpus.tsv" "$out/read/$corpus"
        fi
    done
    python "$recipe/prepare.py" "$out/spoken"
    printf '%s\n' characters phonemes | beside
    for seed in ${SEEDS:-1 2}; do
        for start in pretrained characters phonemes; do
            printf '%s\n' "$start-mboshi-$seed" "$start-griko-$seed" "$start-quechua-$seed"
        done
    done | beside
    python "$recipe/../table.py" "$out" pretrained characters phonemes
    exit
fi

case $run in
characters | phonemes)
    if [ "$run" = characters ]; then units=char; else units=phoneme; fi
    speechxl finetune "$model" --config "$recipe/../../configs/finetune-laptop.yaml" --config "$recipe/finetune.yaml" \
        --train "$out"/read/*/manifest.tsv "$out/spoken/manifest.tsv" --units $units --out "$out/$run" --resume
    ;;
*)
    start=${run%%-*} seed=${run##*-}
    corpus=${run#*-} corpus=${corpus%-*}
    manifest=$corpora/$corpus/manifest.tsv
    if [ "$start" = pretrained ]; then from=$model; else from=$out/$start; fi
    speechxl finetune "$from" --config "$recipe/../../configs/finetune-laptop.yaml" --config "$recipe/finetune.yaml" \
        --train "$manifest" --out "$out/$run" --seed "$seed" --resume
    if ! [ "$out/$run.tsv" -nt "$out/$run/model.safetensors" ]; then
        speechxl evaluate "$out/$run" "$manifest" --split dev --transcripts "$out/$run.tsv"
    fi
    ;;
esac
