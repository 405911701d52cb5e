#!/bin/sh
# The whole recipe: run.sh OUT [MODEL], where MODEL is a pretrained one. Or one run of it: run.sh OUT MODEL pretrained-2, run.sh OUT ""
# scratch-1. What is done is not done again. JOBS runs (2) go beside each other with one core each; SEEDS are "1 2".
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: run.sh OUT [MODEL] [RUN]}
model=${2:-}
run=${3:-all}
manifest=$out/data/manifest.tsv
starts="scratch ${model:+pretrained heads}"

if [ "$run" = all ]; then
    python "$recipe/prepare.py" "$out/data"
    for seed in ${SEEDS:-1 2}; do for start in $starts; do echo "$start-$seed"; done; done |
        OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$0" "$out" "$model"
    # shellcheck disable=SC2086  # one name or three
    python "$recipe/../phone_table.py" "$out" "$manifest" seen,unseen $starts
    exit
fi

start=${run%%-*} seed=${run##*-}
ways="raw exact nearest tr2tgt pinned assign soft"
case $start in
heads)
    ways="$ways compose blend"
    speechxl finetune "$model" --config "$recipe/../../configs/finetune-laptop.yaml" --config "$recipe/finetune.yaml" \
        --train "$manifest" --units phoneme --attributes true --out "$out/$run" --seed "$seed" --resume
    ;;
*)
    if [ "$start" = scratch ]; then from="--preset tiny"; else from=$model; fi
    # shellcheck disable=SC2086  # a flag and its value
    speechxl finetune $from --config "$recipe/../../configs/finetune-laptop.yaml" --config "$recipe/finetune.yaml" \
        --train "$manifest" --units phoneme --out "$out/$run" --seed "$seed" --resume
    ;;
esac
for split in seen unseen; do
    for way in $ways; do
        transcripts=$out/$start.$way-$split-$seed.tsv
        if [ "$transcripts" -nt "$out/$run/model.safetensors" ]; then
            continue
        elif [ "$way" = raw ]; then
            speechxl evaluate "$out/$run" "$manifest" --split "$split" --transcripts "$transcripts"
        else
            speechxl evaluate "$out/$run" "$manifest" --split "$split" --inventory oracle --phones.strategy "$way" \
                --transcripts "$transcripts"
        fi
    done
done
