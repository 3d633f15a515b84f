#!/usr/bin/env bash
# run.sh LANGUAGE BUILD: the tests of one of clients/, with PYTHIA_BINARY and PYTHIA_TEST_MODEL in the environment. What is
# compiled lies in BUILD; nothing is fetched but TypeScript's compiler (tools/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
language=$1 build=$2

case $language in
python) exec python3 "$root/clients/python/test_pythia_client.py" ;;
go)
    cd "$root/clients/go"
    export GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local
    unformatted=$(gofmt -l .)
    [ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }
    go vet ./...
    exec go test -count=1 ./... # the binary is another one each time: no result is kept
    ;;
typescript)
    "$root/tools/setup.sh" typescript
    work=$build/clients-typescript
    rm -rf "$work"
    mkdir -p "$work"
    cp -R "$root/clients/typescript/"{src,test,package.json,tsconfig.json} "$work/"
    ln -s "$root/.setup/typescript/node_modules" "$work/node_modules"
    cd "$work"
    node node_modules/typescript/bin/tsc -p .
    exec node --test dist/test/
    ;;
*)
    echo "run.sh: no client in '$language'; there are: python, go, typescript" >&2
    exit 2
    ;;
esac
