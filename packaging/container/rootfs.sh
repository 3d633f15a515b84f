#!/usr/bin/env bash
# rootfs.sh BINARY FOLDER: what the container holds, gathered from this machine: the program (stripped), the libraries that it is
# linked with or loads when it needs them, each with its licence, CA roots, and a user. FOLDER must not be there.
set -euo pipefail
binary=$1 root=$2
[ ! -e "$root" ] || { echo "rootfs.sh: '$root' is there already" >&2; exit 2; }

# Loaded by name (src/serve/mhd.c, src/base/http.c, src/ingest/charset.c): ldd does not tell them.
loaded=(libmicrohttpd.so.12 libcurl.so.4 libuchardet.so.0)

library() { # by its name, where the loader would find it
    local path
    path=$(ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }')
    [ -n "$path" ] || { echo "rootfs.sh: there is no $1 here" >&2; exit 2; }
    printf '%s\n' "$path"
}

mkdir -p "$root"/{usr/bin,etc/ssl/certs,data,tmp}
strip -o "$root/usr/bin/pythia" "$binary"
files=("$binary")
for name in "${loaded[@]}"; do files+=("$(library "$name")"); done
# "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)"
{
    printf '%s\n' "${files[@]:1}"
    ldd "${files[@]}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }'
} | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
    package=$(dpkg -S "$(realpath "$library")" 2>/dev/null | head -n 1 | cut -d: -f1) || package=
    if [ -n "$package" ] && [ -e "/usr/share/doc/$package/copyright" ]; then
        mkdir -p "$root/usr/share/doc/$package"
        cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
    fi
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp "$(dirname "$0")/../../LICENSE" "$root/usr/share/doc/"
printf 'pythia:x:65532:65532::/data:/nonexistent\n' >"$root/etc/passwd"
printf 'pythia:x:65532:\n' >"$root/etc/group"
chmod 1777 "$root/tmp"
if [ "$(id -u)" = 0 ]; then chown 65532:65532 "$root/data"; fi
