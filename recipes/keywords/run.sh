#!/bin/sh
# The whole recipe: run.sh CORPORA OUT [MODEL [RECOGNISER [PHONES]]]: a pretrained encoder, a recogniser of the languages' texts and
# one of phones; systems without theirs are left out. What is done is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
corpora=${1:?usage: run.sh CORPORA OUT [MODEL [RECOGNISER [PHONES]]]}
out=${2:?usage: run.sh CORPORA OUT [MODEL [RECOGNISER [PHONES]]]}
python "$recipe/prepare.py" "$corpora" "$out/data"
for set in digits commands; do
    case $set in digits) names="ben eng arb" ;; *) names=commands ;; esac
    # shellcheck disable=SC2046,SC2086  # names of files without spaces
    sh "$recipe/../compare.sh" "$recipe" "$out/$set" "${3:-}" "${4:-}" "${5:-}" \
        --train $(for name in $names; do printf '%s\n' "$out/data/$name.tsv"; done)
done
