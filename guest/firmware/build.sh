#!/bin/sh
# build.sh OUT.bin GUEST_DIR WORK_DIR: the tiny firmware as a flat image, with clang and lld or with the
# cross gcc.
set -e
out=$1 guest=$2 work=$3
mkdir -p "$work"
flags="-std=c11 -O2 -g -ffreestanding -fno-stack-protector -fpie -fshort-wchar -mgeneral-regs-only -mstrict-align
 -fno-builtin -ffile-prefix-map=$guest=guest -Wall -Wextra -Wshadow -Wno-unused-parameter"
if command -v clang >/dev/null && command -v ld.lld >/dev/null; then
    cc="clang -target aarch64-none-elf" ld=ld.lld
    objcopy=$(command -v llvm-objcopy || command -v aarch64-linux-gnu-objcopy || echo objcopy)
else
    cc=aarch64-linux-gnu-gcc ld=aarch64-linux-gnu-ld objcopy=aarch64-linux-gnu-objcopy
fi
objs=
for f in "$guest"/firmware/*.c "$guest"/bridge/mem.c "$guest"/bridge/def.c "$guest"/bridge/pe.c "$guest"/bridge/fatread.c "$guest"/bridge/part.c "$guest"/firmware/start.S; do
    o=$work/$(basename "$f").o
    $cc $flags -c "$f" -o "$o"
    objs="$objs $o"
done
$ld -pie --no-dynamic-linker -z norelro -z notext -T "$guest/firmware/firmware.ld" -o "$out.elf" $objs
$objcopy -O binary "$out.elf" "$out"
