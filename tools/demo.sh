#!/usr/bin/env bash
# Indexes two real trees with the real model and shows three searches. Usage: demo.sh BINARY
# Everything it makes lies in .setup/demo; run it again to see that nothing is indexed twice.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
pythia=$(realpath "$1")
export PYTHIA_HOME="$root/.setup/demo"
mkdir -p "$PYTHIA_HOME/models"
ln -sf "$root/.setup/models/all-minilm-l6-v2.gguf" "$PYTHIA_HOME/models/all-minilm-l6-v2.gguf"

# Python's own asyncio, email, http and json: third-party sources that are on any Debian machine with python3.
library=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["stdlib"])')
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "pythia $*"; "$pythia" "$@"; }

echo "Indexing Pythia's own sources and four packages of Python's standard library ($library)."
run index "$root/src" --collection pythia
run index "$library" --collection python -g 'asyncio/*.py' -g 'email/*.py' -g 'http/*.py' -g 'json/*.py'

run search --in python -m 3 'wait for several tasks with a timeout'
run search --in pythia -m 3 'write a file so that a crash leaves the old one'
run search --in python --in pythia -m 3 'parse JSON and report the line of the error'
echo
echo "The index is kept in $PYTHIA_HOME. Try: PYTHIA_HOME=$PYTHIA_HOME build/pythia search --in python YOUR WORDS"
