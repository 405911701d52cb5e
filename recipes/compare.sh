#!/bin/sh
# What the recipes with `classify compare` share: compare.sh RECIPE SET MODEL RECOGNISER PHONES ARGUMENTS... runs the comparison
# RECIPE/classify-compare.yaml with the systems whose models are named (empty for none); what is done is not done again.
set -eu
recipe=$1 out=$2 model=$3 recogniser=$4 phones=$5
shift 5
config=$recipe/classify-compare.yaml
only=
for name in $(sed -n 's/^  \([a-z_]*\):$/\1/p' "$config"); do
    case $name in
    pretrained) [ -n "$model" ] && set -- "$@" --systems.pretrained.model "$model" || continue ;;
    tuned) [ -n "$recogniser" ] && set -- "$@" --systems.tuned.model "$recogniser" || continue ;;
    recogniser*) [ -n "$recogniser" ] && set -- "$@" "--systems.$name.transcriber.model" "$recogniser" || continue ;;
    phones*) [ -n "$phones" ] && set -- "$@" "--systems.$name.transcriber.model" "$phones" || continue ;;
    esac
    only="$only $name"
done
# shellcheck disable=SC2086  # names
OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" speechxl classify compare "$config" --out "$out" "$@" --only $only
