#!/bin/sh
# Runs every fuzzer of a build directory, or those that are named, and ends with one line that counts them. What a
# fuzzer finds stays in BUILD/found-TARGET; an input that crashed belongs into corpus/TARGET with the fix.
# usage: run.sh BUILD SECONDS [TARGET]...
set -eu
here=$(dirname "$(realpath "$0")")
build=$(realpath "$1")
seconds=$2
shift 2
[ $# -gt 0 ] || for fuzzer in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$fuzzer" ] && [ -f "$fuzzer" ] && set -- "$@" "${fuzzer##*/fuzz_}"
done
log=$build/fuzz.log
good=0 bad=
for target; do
    mkdir -p "$build/found-$target" "$build/tests/fuzz/seeds/$target" "$here/corpus/$target"
    status=0
    (cd "$build" && tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 -verbosity=0 \
        "found-$target" "tests/fuzz/seeds/$target" "$here/corpus/$target") >"$log" 2>&1 || status=$?
    if [ $status = 0 ]; then
        good=$((good + 1))
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, nothing found"
    else
        bad="$bad $target"
        cat "$log"
        echo "$target: FOUND something (exit $status)"
    fi
    rmdir "$here/corpus/$target" 2>/dev/null || true
done
echo "fuzz: $good targets clean${bad:+, findings in:$bad}"
[ -z "$bad" ]
