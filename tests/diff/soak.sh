#!/bin/sh
# Long differential runs: every family and engine, single instructions and pieces, and objdump.
# usage: soak.sh BUILD CASES [SEED]
set -u
build=$1 cases=$2 seed=${3:-$(date +%s)} failed=0
for engine in interp jit; do
    for family in int ldst fp simd; do
        echo "== $engine $family"
        "$build/tests/diff/diff" --runner "$build/tests/diff/runner.a64" --engine $engine --family $family \
            --cases "$cases" --seed "$seed" || failed=1
    done
    echo "== $engine pieces"
    "$build/tests/diff/diff" --runner "$build/tests/diff/runner.a64" --engine $engine --length 24 \
        --cases $((cases / 4)) --seed "$seed" || failed=1
done
echo "== objdump"
"$(dirname "$0")/decode.py" "$build/tests/diff/words" --seed "$seed" --uniform "$cases" --per-row 200 || failed=1
exit $failed
