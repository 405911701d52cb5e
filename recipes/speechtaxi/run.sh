#!/bin/sh
# The whole recipe: run.sh SPEECHTAXI OUT [MODEL [RECOGNISER]]: an encoder to start from, and a recogniser of the languages' texts;
# systems without theirs are left out. LANGUAGES="eng fra urd" takes some of them. What is done is not done again.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
source=${1:?usage: run.sh SPEECHTAXI OUT [MODEL [RECOGNISER]]}
out=${2:?usage: run.sh SPEECHTAXI OUT [MODEL [RECOGNISER]]}
# shellcheck disable=SC2086  # names
python "$recipe/prepare.py" "$source" "$out/data" ${LANGUAGES:-}
sh "$recipe/../compare.sh" "$recipe" "$out/compare" "${3:-}" "${4:-}" "" --train "$out"/data/*.tsv
