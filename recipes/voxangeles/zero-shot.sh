#!/bin/sh
# Languages without training speech: zero-shot.sh CORPORA OUT [MODEL], where MODEL is a pretrained one. Or one run of it:
# zero-shot.sh CORPORA OUT MODEL spoken-pretrained-2. What is done is not done again. JOBS runs (2) go beside each other with one
# core each; SEEDS are "1 2".
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: zero-shot.sh CORPORA OUT [MODEL] [RUN]}
out=${2:?usage: zero-shot.sh CORPORA OUT [MODEL] [RUN]}
model=${3:-}
run=${4:-all}
words=$out/data/voxangeles.tsv
unseen=$out/data/unseen.tsv
known="ell ewe gla hil ibo lad mal njm wuu" # of the unseen languages, those that PHOIBLE has
starts="alone-scratch spoken-scratch ${model:+alone-pretrained spoken-pretrained heads-pretrained}"

if [ "$run" = all ]; then
    python "$recipe/prepare.py" "$corpora" "$out/data"
    python "$recipe/unseen.py" "$corpora" "$out/data"
    python "$recipe/spoken.py" "$words" "$out/spoken"
    for seed in ${SEEDS:-1 2}; do for start in $starts; do echo "$start-$seed"; done; done |
        OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" xargs -n 1 -P "${JOBS:-2}" sh "$0" "$corpora" "$out" "$model"
    # shellcheck disable=SC2086  # two or five names
    python "$recipe/../phone_table.py" "$out" "$unseen" unseen,tusom,phoible $starts
    exit
fi

start=${run%-*} seed=${run##*-}
ways="raw exact nearest tr2tgt pinned assign soft"
case $start in *-scratch) from="--preset tiny" ;; *) from=$model ;; esac
# shellcheck disable=SC2086  # a flag and its value
case $start in
alone-*)
    speechxl finetune $from --config "$recipe/finetune.yaml" \
        --train "$words" --units phoneme --out "$out/$run" --seed "$seed" --resume
    ;;
spoken-*)
    speechxl finetune $from --config "$recipe/finetune-zero-shot.yaml" \
        --train "$words" "$out/spoken/manifest.tsv" --units phoneme --out "$out/$run" --seed "$seed" --resume
    ;;
heads-*)
    ways="$ways compose blend"
    speechxl finetune "$model" --config "$recipe/finetune-zero-shot.yaml" --attributes true \
        --train "$words" "$out/spoken/manifest.tsv" --units phoneme --out "$out/$run" --seed "$seed" --resume
    ;;
esac

for split in unseen tusom phoible; do
    case $split in
    phoible) rows=unseen languages="--language $known" inventory=phoible:union ;;
    *) rows=$split languages="" inventory=oracle ;;
    esac
    for way in $ways; do
        transcripts=$out/$start.$way-$split-$seed.tsv
        # shellcheck disable=SC2086  # a flag and its values, or none
        if [ "$transcripts" -nt "$out/$run/model.safetensors" ]; then
            continue
        elif [ "$way" = raw ]; then
            speechxl evaluate "$out/$run" "$unseen" $languages --split "$rows" --transcripts "$transcripts"
        else
            speechxl evaluate "$out/$run" "$unseen" $languages --split "$rows" --inventory $inventory --phones.strategy "$way" \
                --transcripts "$transcripts"
        fi
    done
done
