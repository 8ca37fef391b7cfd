#!/bin/sh
# Installs the Debian packages that are missing; does nothing, and asks for nothing, when all are there.
# usage: deps.sh run | check | fresh | fuzz | uefi | format | bench        each for the make target of that name
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"

build='gcc libc6-dev meson ninja-build pkgconf python3 libfdt-dev zlib1g-dev libzstd-dev liblz4-dev
 liblzma-dev libbz2-dev libcjson-dev gcc-aarch64-linux-gnu'
tests='libcmocka-dev libc6-dev-arm64-cross binutils-aarch64-linux-gnu qemu-user
 device-tree-compiler git binutils cpio clang-format passt gdb-multiarch qemu-system-arm qemu-efi-aarch64 u-boot-qemu'
guest='clang lld llvm mtools dosfstools'
case ${1:-run} in
run) want=$build ;;
check) want="$build $tests $guest" ;;
fresh) want='git mmdebstrap python3' ;;
fuzz) want="$build $tests clang libclang-rt-14-dev" ;;
uefi) want="$build clang lld" ;;
format) want='git clang-format' ;;
bench) want="$build $tests qemu-system-arm" ;;
*) die "$1: run, check, fresh, fuzz, uefi, format or bench is wanted" ;;
esac

missing=
for package in $want; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "as root, run: apt-get install$missing"
    as_root=sudo
fi
say "installing:$missing"
install() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}
# The package lists of a fresh or an old machine do not know the packages that the mirror has now.
$as_root apt-get -q update && install
