#!/usr/bin/env bash
# The unit tests under valgrind (memcheck): no error, no leak. Usage: valgrind.sh BUILD_DIR
# valgrind 3.19 knows no AVX-512, so the kernels are held at AVX2. test_confine starts its own program anew, which under
# valgrind is valgrind.
set -euo pipefail
build=$1
export PYTHIA_CPU=avx2
failed=0
while read -r test; do
    name=$(basename "$test")
    if valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "$test" \
        > "$build/valgrind-$name.log" 2>&1; then
        echo "clean  $name"
    else
        echo "FAILED $name (see $build/valgrind-$name.log)"
        failed=$((failed + 1))
    fi
done < <(find "$build/tests" -maxdepth 1 -type f -executable -name 'test_*' ! -name 'test_confine_*' | sort)
echo "$failed failed"
exit $((failed > 0))
