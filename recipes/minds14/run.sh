#!/bin/sh
# The whole recipe: run.sh MINDS14 OUT [MODEL [RECOGNISER]]: an encoder to start from, and a recogniser of the languages' texts;
# systems without theirs are left out. LOCALES="fr-FR de-DE" takes some languages. What is done is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
source=${1:?usage: run.sh MINDS14 OUT [MODEL [RECOGNISER]]}
out=${2:?usage: run.sh MINDS14 OUT [MODEL [RECOGNISER]]}
# shellcheck disable=SC2086  # names
python "$recipe/prepare.py" "$source" "$out/data" ${LOCALES:-}
sh "$recipe/../compare.sh" "$recipe" "$out/compare" "${3:-}" "${4:-}" "" --train "$out"/data/*.tsv
