#!/usr/bin/env bash
# Runs each fuzz target for a while, from its committed corpus. Usage: fuzz.sh BUILD_DIR SECONDS [TARGET…]
# New inputs go to BUILD_DIR/corpus/<noun>, findings to BUILD_DIR/findings; exit 1 when there is one.
set -euo pipefail
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$build/findings"
status=0
for target in $(find "$build/tests" -maxdepth 1 -type f -executable -name 'fuzz_*' | sort); do
    noun=$(basename "$target" | sed 's/^fuzz_//')
    [ $# -eq 0 ] || [[ " $* " == *" $noun "* ]] || continue
    mkdir -p "$build/corpus/$noun"
    echo "== $noun, $seconds s"
    "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$noun-" "$build/corpus/$noun" "$here/tests/fuzz/corpus/$noun" \
        > "$build/fuzz-$noun.log" 2>&1 || { status=1; tail -30 "$build/fuzz-$noun.log"; }
    grep -E 'stat::(number_of_executed_units|new_units_added)' "$build/fuzz-$noun.log" || true
done
[ $status -eq 0 ] && echo "no finding"
exit $status
