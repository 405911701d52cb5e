#!/bin/sh
# The whole recipe: run.sh CORPORA OUT MODEL; MODEL is a pretrained one to start from, by default none.
exec "$(dirname "$0")/../language.sh" griko "$@"
