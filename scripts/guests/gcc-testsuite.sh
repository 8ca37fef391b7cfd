#!/bin/sh
# Cross-compiles the run-time tests of GCC's own testsuite (Debian's gcc-12-source): c-torture/execute
# and the AArch64 advsimd-intrinsics tests. Each program exits 0 or aborts. Makes an initramfs whose
# run=/gccts/run.sh prints one line for a failing program and a summary.
# usage: gcc-testsuite.sh [OUT.cpio.gz]     by default gcc-testsuite.cpio.gz in the cache
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/../common.sh"
out=${1:-$BRUIN_CACHE/gcc-testsuite.cpio.gz}
[ "$out" -nt "$0" ] && exit 0
"$here/../fetch-guest.sh"
cache_lock
apt_update
unpack gcc-12-source

tree=$BRUIN_CACHE/pkg/gcc-12-source/testsuite
if [ ! -d "$tree" ]; then
    say "unpacking the testsuite"
    mkdir -p "$tree.part"
    tar -C "$tree.part" -xf "$(find "$BRUIN_CACHE/pkg/gcc-12-source" -name 'gcc-12*.tar.*' | head -n 1)" --wildcards \
        '*/gcc/testsuite/gcc.c-torture/*' '*/gcc/testsuite/gcc.target/aarch64/*'
    mv "$tree.part" "$tree"
fi
programs=$BRUIN_CACHE/gcc-testsuite
mkdir -p "$programs/ct" "$programs/simd"
cd "$(dirname "$(find "$tree" -type d -name gcc.c-torture)")"

say "compiling about 1950 programs"
# A test that does not compile without its own options is left out, as it is for every machine.
find gcc.c-torture/execute -name '*.c' ! -path '*builtins*' | OUT=$programs/ct xargs -P "$(nproc)" -I{} sh -c '
    name=$(echo {} | sed "s|gcc.c-torture/execute/||;s|/|_|g;s|\.c$||")
    [ -e "$OUT/$name" ] || aarch64-linux-gnu-gcc -O2 -w -fgnu89-inline -std=gnu99 -s {} -o "$OUT/$name" -lm 2>/dev/null || true'
find gcc.target/aarch64/advsimd-intrinsics -name '*.c' | OUT=$programs/simd xargs -P "$(nproc)" -I{} sh -c '
    name=$(basename {} .c) march=armv8-a
    grep -q "v8_2a_fp16_neon\|arm_v8_2a_fp16" {} && march=armv8.2-a+fp16
    [ -e "$OUT/$name" ] || aarch64-linux-gnu-gcc -O2 -w -march=$march -s {} -o "$OUT/$name" -lm 2>/dev/null || true'
cat >"$programs/run.sh" <<'R'
#!/bin/sh
cd "$(dirname "$0")"
for d in ct simd; do
    p=0 f=0
    for t in $d/*; do
        timeout 120 $t >/dev/null 2>&1
        r=$?
        [ $r = 0 ] && p=$((p + 1)) || { f=$((f + 1)); echo "GCCTS-FAIL $t rc=$r"; }
    done
    echo "GCCTS $d pass=$p fail=$f"
done
R
chmod +x "$programs/run.sh"
"$here/../mk-initramfs" --busybox "$BRUIN_CACHE/busybox" --init "$here/init" --add "$programs=gccts" \
    $(for lib in ld-linux-aarch64.so.1 libc.so.6 libm.so.6; do echo "--add $(realpath /usr/aarch64-linux-gnu/lib/$lib)=lib/$lib"; done) \
    -o "$out"
