#!/bin/sh
# Fetches Debian's arm64 boot loaders into the cache, unmodified: GRUB and systemd-boot. For tests of the tiny
# firmware.  usage: fetch-loaders.sh
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"

cache_lock
if ! [ -s "$BRUIN_CACHE/grubaa64.efi" ] || ! [ -s "$BRUIN_CACHE/systemd-bootaa64.efi" ]; then
    apt_update
    unpack grub-efi-arm64-bin
    unpack systemd-boot-efi
    cp "$BRUIN_CACHE/pkg/grub-efi-arm64-bin/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi" "$BRUIN_CACHE/.part"
    mv "$BRUIN_CACHE/.part" "$BRUIN_CACHE/grubaa64.efi"
    cp "$BRUIN_CACHE/pkg/systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-bootaa64.efi" "$BRUIN_CACHE/.part"
    mv "$BRUIN_CACHE/.part" "$BRUIN_CACHE/systemd-bootaa64.efi"
fi
say "loaders: $BRUIN_CACHE/grubaa64.efi and systemd-bootaa64.efi"
