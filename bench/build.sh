#!/bin/sh
# Builds the benchmark programs and the guest's initramfs below the cache's bench/ directory.
# The host toolchains make lb.x86 (native anchor) and lb.a64 from one source.
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/../scripts/common.sh"
"$here/../scripts/fetch-guest.sh"
out=$BRUIN_CACHE/bench
mkdir -p "$out"

flags='-O2 -ffp-contract=off -fno-tree-vectorize -static -pthread -Wall -Wno-misleading-indentation
 -Wno-aggressive-loop-optimizations'
stale() { ! [ "$1" -nt "$2" ]; }
for target in x86:gcc a64:aarch64-linux-gnu-gcc; do
    program=$out/lb.${target%%:*}
    # shellcheck disable=SC2086
    for source in "$here"/src/lb*.c; do ! stale "$program" "$source" || break; done
    stale "$program" "$source" && ${target#*:} $flags -o "$program" "$here/src/lb.c" -lm
done

disk_modules=virtio_pci,virtio_mmio,virtio_blk,crc32c_generic,ext4
if stale "$out/bench.cpio.gz" "$out/lb.a64" || stale "$out/bench.cpio.gz" "$here/init"; then
    "$here/../scripts/mk-initramfs" --busybox "$BRUIN_CACHE/busybox" --init "$here/init" -o "$out/boot.cpio.gz"
    "$here/../scripts/mk-initramfs" --busybox "$BRUIN_CACHE/busybox" --init "$here/init" \
        --modules "$BRUIN_CACHE/kernel-cloud" $disk_modules --add "$out/lb.a64=bin/lb" -o "$out/bench.cpio.gz"
fi
