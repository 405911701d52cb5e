#!/bin/sh
# The whole recipe: run.sh CORPORA OUT [MODEL [RECOGNISER]]: a pretrained encoder and a recogniser of the languages' texts; systems
# without theirs are left out. What is done is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [MODEL [RECOGNISER]]}
out=${2:?usage: run.sh CORPORA OUT [MODEL [RECOGNISER]]}
python "$recipe/prepare.py" "$corpora" "$out/data"
sh "$recipe/../compare.sh" "$recipe" "$out/each" "${3:-}" "${4:-}" "" --train "$out/data/pol.tsv" "$out/data/deu.tsv" "$out/data/tur.tsv" \
    --regimes monolingual
sh "$recipe/../compare.sh" "$recipe" "$out/across" "${3:-}" "${4:-}" "" --train "$out/data/pol.tsv" "$out/data/deu.tsv" \
    "$out/data/tur.tsv" --classes shared
