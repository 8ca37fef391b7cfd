# Sourced by the scripts beside it: where downloads live, and apt for arm64 with private lists.
# The host's apt configuration is read (sources and keys) and never written; no root is needed.

BRUIN_CACHE=${BRUIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bruin}
APT_ARM64="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
 -o Dir::State::Lists=$BRUIN_CACHE/apt/lists -o Dir::Cache=$BRUIN_CACHE/apt/cache
 -o APT::Get::AllowUnauthenticated=false -o Acquire::Retries=3"

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# Takes the cache for this process: a second script waits instead of unpacking over the first.
cache_lock() {
    mkdir -p "$BRUIN_CACHE/debs" "$BRUIN_CACHE/pkg" "$BRUIN_CACHE/apt/lists/partial" \
        "$BRUIN_CACHE/apt/cache/archives/partial"
    exec 9>"$BRUIN_CACHE/.lock"
    flock -n 9 || { say "waiting for another fetch to finish"; flock 9; }
}

# Package lists, at most once a day; apt refuses an unsigned or altered one.
apt_update() {
    [ -n "$(find "$BRUIN_CACHE/apt/updated" -mtime -1 2>/dev/null)" ] && return
    say "reading Debian's arm64 package lists"
    # shellcheck disable=SC2086
    apt-get $APT_ARM64 -q update >"$BRUIN_CACHE/apt/update.log" 2>&1 ||
        { cat "$BRUIN_CACHE/apt/update.log" >&2; die "the package lists could not be read"; }
    touch "$BRUIN_CACHE/apt/updated"
}

# The newest real package behind a Debian kernel meta package.  usage: kernel_package linux-image-arm64
kernel_package() {
    # shellcheck disable=SC2086
    apt-cache $APT_ARM64 depends "$1" | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1
}

# Downloads (apt checks the signed hash) and unpacks below pkg/NAME; one already unpacked is kept.
# usage: unpack PACKAGE [ARCH]
unpack() {
    [ -d "$BRUIN_CACHE/pkg/$1" ] && return
    say "downloading $1"
    # shellcheck disable=SC2086
    case ${2:-arm64} in
    arm64) (cd "$BRUIN_CACHE/debs" && apt-get $APT_ARM64 -q download "$1" >&2) ;;
    *) (cd "$BRUIN_CACHE/debs" && apt-get -q download "$1" >&2) ;;
    esac || die "$1 could not be downloaded"
    rm -rf "$BRUIN_CACHE/pkg/.part"
    set -- "$1" "$BRUIN_CACHE"/debs/"$1"_*.deb
    [ -f "$2" ] || die "$1: no package file after the download"
    dpkg -x "$2" "$BRUIN_CACHE/pkg/.part"
    mv "$BRUIN_CACHE/pkg/.part" "$BRUIN_CACHE/pkg/$1"
    rm -f "$2"
}
