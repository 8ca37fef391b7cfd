#!/bin/sh
# Fetches Debian's stock arm64 kernel, its cloud kernel and a static BusyBox into the cache and makes
# an initramfs. Runs in seconds when nothing is missing; safe to interrupt and to run twice at once.
# usage: fetch-guest.sh [--path]     --path prints only the cache directory
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"
[ "${1:-}" = --path ] && { echo "$BRUIN_CACHE"; exit; }

cache_lock
fetched() { [ -s "$BRUIN_CACHE/Image" ] && [ -s "$BRUIN_CACHE/Image-cloud" ] && [ -s "$BRUIN_CACHE/busybox" ]; }
if ! fetched; then
    apt_update
    for kind in '' cloud-; do
        package=$(kernel_package "linux-image-${kind}arm64")
        [ -n "$package" ] || die "linux-image-${kind}arm64: not in this host's package sources"
        unpack "$package"
        ln -sfn "pkg/$package" "$BRUIN_CACHE/kernel${kind:+-cloud}"
        cp "$BRUIN_CACHE/pkg/$package"/boot/vmlinuz-* "$BRUIN_CACHE/.part"
        mv "$BRUIN_CACHE/.part" "$BRUIN_CACHE/Image${kind:+-cloud}"
    done
    unpack busybox-static
    cp "$BRUIN_CACHE/pkg/busybox-static/bin/busybox" "$BRUIN_CACHE/.part"
    mv "$BRUIN_CACHE/.part" "$BRUIN_CACHE/busybox"
fi

net=virtio_mmio,virtio_net,virtio_console
for source in "$here/mk-initramfs" "$here/guests/init" "$here/guests/lease" "$here/fetch-guest.sh"; do
    [ "$BRUIN_CACHE/initramfs.cpio.gz" -nt "$source" ] || stale=1 # kept until the new one is there: others may be booting it
done
[ -z "${stale-}" ] ||
    "$here/mk-initramfs" --busybox "$BRUIN_CACHE/busybox" --init "$here/guests/init" \
        --add "$here/guests/lease=bin/lease" --also "$BRUIN_CACHE/kernel" $net --also "$BRUIN_CACHE/kernel-cloud" $net \
        -o "$BRUIN_CACHE/initramfs.cpio.gz"
say "guest: $BRUIN_CACHE/Image and initramfs.cpio.gz"
