#!/bin/sh
# The whole recipe: run.sh CORPORA OUT [MODEL [PHONES]]: a pretrained encoder and a recogniser of phones; systems without theirs are
# left out. What is done is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [MODEL [PHONES]]}
out=${2:?usage: run.sh CORPORA OUT [MODEL [PHONES]]}
mkdir -p "$out"
python "$recipe/background.py" "$corpora" "$out"
speechxl classify compare "$recipe/classify-compare.yaml" --train "$out/background.tsv" --fold_by sentence --out "$out/background" \
    --only mfcc
manifest=$corpora/tusom/manifest.tsv
sh "$recipe/../compare.sh" "$recipe" "$out/new-words" "${3:-}" "" "${4:-}" --train "$manifest" --fold_by sentence
sh "$recipe/../compare.sh" "$recipe" "$out/same-words" "${3:-}" "" "${4:-}" --train "$manifest" --fold_by utterance \
    --shared speaker sentence
