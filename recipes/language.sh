#!/bin/sh
# What the recipes of single languages share: from scratch, and from MODEL where one is named, each with two seeds, without and
# with a language model of the training texts. What is done is not done again. JOBS runs (2) go beside each other with one core each.
set -eu
corpus=${1:?usage: language.sh CORPUS CORPORA OUT [MODEL] [RUN]}
corpora=${2:?usage: run.sh CORPORA OUT [MODEL]}
out=${3:?usage: run.sh CORPORA OUT [MODEL]}
model=${4:-}
run=${5:-all}
recipes=$(cd "$(dirname "$0")" && pwd)
manifest=$corpora/$corpus/manifest.tsv
starts="scratch ${model:+pretrained}"

if [ "$run" = all ]; then
    mkdir -p "$out"
    if ! [ -e "$out/texts.arpa" ]; then speechxl lm "$manifest" --out "$out/texts.arpa"; fi
    for start in $starts; do printf '%s\n' "$start-$corpus-1" "$start-$corpus-2"; done |
        OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$0" "$corpus" "$corpora" "$out" "$model"
    # shellcheck disable=SC2086  # one or two names
    python "$recipes/table.py" "$out" $starts $(printf '%s.lm ' $starts)
    exit
fi

start=${run%%-*} seed=${run##*-}
if [ "$start" = scratch ]; then from="--preset tiny"; else from=$model; fi
# shellcheck disable=SC2086  # a flag and its value
speechxl finetune $from --config "$recipes/../configs/finetune-laptop.yaml" --config "$recipes/$corpus/finetune.yaml" \
    --train "$manifest" --out "$out/$run" --seed "$seed" --resume
with_lm=$start.lm-$corpus-$seed
if ! [ "$out/$run.tsv" -nt "$out/$run/model.safetensors" ]; then
    speechxl evaluate "$out/$run" "$manifest" --split dev --transcripts "$out/$run.tsv"
fi
if ! [ "$out/$with_lm.tsv" -nt "$out/$run/model.safetensors" ]; then
    speechxl evaluate "$out/$run" "$manifest" --split dev --lm "$out/texts.arpa" --transcripts "$out/$with_lm.tsv"
fi
