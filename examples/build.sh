#!/bin/sh
# build.sh OUT SRC NAME: assembles one guest of guests.S to a flat binary, with the cross gcc or clang.
set -e
flags="-DGUEST_$3 -nostdlib -static -Wl,-Ttext=0x40080000 -Wl,--build-id=none -Wl,-e,0x40080000"
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    aarch64-linux-gnu-gcc $flags -Wl,-z,noexecstack -o "$1.elf" "$2"
    exec aarch64-linux-gnu-objcopy -O binary -j .text "$1.elf" "$1"
fi
exec clang --target=aarch64-none-elf -fuse-ld=lld $flags -Wl,--oformat=binary -o "$1" "$2"
