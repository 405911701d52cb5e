#!/bin/sh
# Topics: run.sh SIB_FLEURS OUT [MODEL [RECOGNISER]]: an encoder to start from, and a recogniser of the languages' texts; systems without
# theirs are left out. CODES="eng_Latn swh_Latn" takes some languages. Multiple choice is listen.py, see README.md.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
source=${1:?usage: run.sh SIB_FLEURS OUT [MODEL [RECOGNISER]]}
out=${2:?usage: run.sh SIB_FLEURS OUT [MODEL [RECOGNISER]]}
# shellcheck disable=SC2086  # names
python "$recipe/prepare.py" topics "$source" "$out/data" ${CODES:-}
sh "$recipe/../compare.sh" "$recipe" "$out/compare" "${3:-}" "${4:-}" "" --train "$out"/data/*.tsv
