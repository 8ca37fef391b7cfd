#!/bin/sh
# Compares floating point with qemu-aarch64: fp.sh BUILD_DIR [SEED [WORDS [CASES [FILTER]]]]
# 20 words of each row with 1000 states each are 10 million cases and take about a minute.
set -e
build=$(realpath "${1:?build directory}")
here=$(dirname "$(realpath "$0")")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
aarch64-linux-gnu-gcc -O2 -static -o "$tmp/guest" "$here/fp_guest.c"
"$build/tests/diff/fp_diff" make "${2:-1}" "${3:-4}" "${4:-500}" ${5:+"$5"} > "$tmp/jobs"
qemu-aarch64 -cpu max "$tmp/guest" < "$tmp/jobs" > "$tmp/results"
"$build/tests/diff/fp_diff" check "$tmp/jobs" "$tmp/results"
