#!/bin/sh
# build.sh OUT SRC_DIR NAME: links one built-in guest with the cross gcc, or with clang and lld.
set -e
out=$1 dir=$2 name=$3
flags="-std=gnu11 -Os -g0 -Wall -ffreestanding -fno-stack-protector -fno-pic -mgeneral-regs-only
 -mstrict-align -fno-builtin -Wno-main -nostdlib -static -Wl,-T,$dir/payload.ld -Wl,--build-id=none"
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    aarch64-linux-gnu-gcc $flags -no-pie -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -o "$out" "$dir/start.S" "$dir/$name.c"
else
    clang --target=aarch64-none-elf -fuse-ld=lld $flags -o "$out" "$dir/start.S" "$dir/$name.c"
fi
