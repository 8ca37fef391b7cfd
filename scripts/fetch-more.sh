#!/bin/sh
# Fetches more of what Debian has for arm64, from other releases than the host's: kernels of many versions, Xen, the
# installer, boot loaders and firmware, each unpacked below CACHE/more/NAME. For make soak-kernels.
# usage: fetch-more.sh [--list] [NAME...]     without names: all
set -eu
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"

# name, suite, package; of a meta package of kernels the newest that it stands for
ROWS='
5.10             bullseye           linux-image-arm64
5.10-cloud       bullseye           linux-image-cloud-arm64
5.10-rt          bullseye           linux-image-rt-arm64
6.1-rt           bookworm           linux-image-rt-arm64
6.12             trixie             linux-image-arm64
6.12-cloud       trixie             linux-image-cloud-arm64
6.12-rt          trixie             linux-image-rt-arm64
6.12-16k         trixie             linux-image-arm64-16k
6.12-bpo-cloud   bookworm-backports linux-image-cloud-arm64
6.16-cloud       trixie-backports   linux-image-6.16.12+deb13-cloud-arm64
6.18-cloud       trixie-backports   linux-image-6.18.15+deb13-cloud-arm64
7.0-cloud        trixie-backports   linux-image-7.0.13+deb13-cloud-arm64
new              trixie-backports   linux-image-arm64
new-cloud        trixie-backports   linux-image-cloud-arm64
new-rt           trixie-backports   linux-image-rt-arm64
new-16k          trixie-backports   linux-image-arm64-16k
sid-cloud        sid                linux-image-cloud-arm64
sid-16k          sid                linux-image-arm64-16k
xen-4.14         bullseye           xen-hypervisor-4.14-arm64
xen-4.17         bookworm           xen-hypervisor-4.17-arm64
xen-4.20         trixie             xen-hypervisor-4.20-arm64
installer-11     bullseye           debian-installer-11-netboot-arm64
installer-12     bookworm           debian-installer-12-netboot-arm64
installer-13     trixie             debian-installer-13-netboot-arm64
u-boot-11        bullseye           u-boot-qemu
u-boot-13        trixie             u-boot-qemu
u-boot-sid       sid                u-boot-qemu
edk2-11          bullseye           qemu-efi-aarch64
edk2-13          trixie             qemu-efi-aarch64
edk2-sid         sid                qemu-efi-aarch64
grub-11          bullseye           grub-efi-arm64-bin
grub-13          trixie             grub-efi-arm64-bin
grub-sid         sid                grub-efi-arm64-bin
systemd-boot-13  trixie             systemd-boot-efi
systemd-boot-sid sid                systemd-boot-efi
ipxe-12          bookworm           ipxe
ipxe-13          trixie             ipxe
refind-12        bookworm           refind
refind-13        trixie             refind
shim-12          bookworm           shim-signed
shim-13          trixie             shim-signed
fwupd-12         bookworm           fwupd-arm64-signed
'
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
[ "${1:-}" = --list ] && { printf '%s' "$ROWS" | awk 'NF { print $1 }'; exit; }

# A suite has lists of its own, which are read once a day, whatever the host's own sources are.
suite() {
    dir=$BRUIN_CACHE/more/.apt/$1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    case $1 in *-security) archive=debian-security ;; *) archive=debian ;; esac
    echo "deb [signed-by=$KEYS] http://deb.debian.org/$archive $1 main" >"$dir/sources.list"
    APT_ARM64="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
 -o Dir::State::Lists=$dir/lists -o Dir::Cache=$dir/cache -o Dir::State::status=/dev/null
 -o Dir::Etc::SourceList=$dir/sources.list -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none -o Acquire::Retries=3"
    [ -n "$(find "$dir/updated" -mtime -1 2>/dev/null)" ] && return
    # shellcheck disable=SC2086
    apt-get $APT_ARM64 -q update >"$dir/log" 2>&1 || { cat "$dir/log" >&2; say "$1: its package lists cannot be read"; return 1; }
    touch "$dir/updated"
}

# usage: fetch NAME SUITE PACKAGE
fetch() {
    [ -d "$BRUIN_CACHE/more/$1" ] && return
    suite "$2" || return
    real=$(kernel_package "$3")
    real=${real:-$3}
    rm -rf "$BRUIN_CACHE/more/.part"
    mkdir "$BRUIN_CACHE/more/.part"
    say "$1: downloading $real of $2"
    # Newer kernels come in parts.
    # shellcheck disable=SC2086
    parts=$(apt-cache $APT_ARM64 depends "$real" | sed -n 's/.*Depends: \(linux-\(binary\|modules\)-[^ ]*\).*/\1/p')
    # shellcheck disable=SC2086
    (cd "$BRUIN_CACHE/more/.part" && apt-get $APT_ARM64 -q download "$real" $parts >&2 &&
        for deb in *.deb; do dpkg -x "$deb" . && rm "$deb"; done) ||
        { say "$1: $real could not be had"; return 1; }
    mv "$BRUIN_CACHE/more/.part" "$BRUIN_CACHE/more/$1"
}

cache_lock
mkdir -p "$BRUIN_CACHE/more"
missing=''
while read -r name suite package; do
    [ -n "$name" ] || continue
    [ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
    fetch "$name" "$suite" "$package" || missing="$missing $name"
done <<ROWS
$ROWS
ROWS
[ -z "$missing" ] || die "not to be had:$missing"
