#!/bin/sh
# Runs every fuzzer of a build directory. What it finds stays in BUILD/found-TARGET; an input that crashed
# belongs into corpus/TARGET with the fix.  usage: run.sh BUILD SECONDS
set -eu
here=$(dirname "$(realpath "$0")")
build=$(realpath "$1")
for fuzzer in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$fuzzer" ] && [ -f "$fuzzer" ] || continue
    target=${fuzzer##*/fuzz_}
    mkdir -p "$build/found-$target" "$here/corpus/$target"
    echo "== $target, $2 s"
    (cd "$build" && "$fuzzer" -max_total_time="$2" -max_len=4096 -timeout=10 -print_final_stats=1 -verbosity=0 \
        "found-$target" "tests/fuzz/seeds/$target" "$here/corpus/$target")
done
