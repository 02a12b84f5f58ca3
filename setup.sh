# Sourced by run.sh and test.sh, in the root of the repository. Installs what Debian 12 has and this machine
# lacks; when nothing is missing it asks dpkg once and says nothing.
# shellcheck shell=bash disable=SC2034

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libgsl-dev libsqlite3-dev libcjson-dev libcmocka-dev
    librdkafka-dev librandom123-dev zlib1g-dev uthash-dev gnuplot-nox python3)
packages_test=(git clang-16 libclang-rt-16-dev clang-format-16 python3-jsonschema python3-junitparser)

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# setup PACKAGE...: afterwards every package is there, or the script has ended with the reason and the remedy.
setup() {
    command -v apt-get >/dev/null ||
        die "this installs packages of Debian 12, and there is no apt-get here; install the like of: $*
Then build by hand: cmake --preset release && cmake --build --preset release"
    local missing log=build/setup.log
    # shellcheck disable=SC2016
    missing=$(comm -13 <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^.i //p' | sort -u) \
        <(printf '%s\n' "$@" | sort) | paste -sd' ')
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages, and only root may install them; remedy:
    sudo apt-get install --no-install-recommends $missing"
    mkdir -p build
    echo "installing $missing" >&2
    # shellcheck disable=SC2086
    if ! { apt_get update || true; apt_get install $missing; } >$log 2>&1; then
        tail -n 15 $log >&2
        die "apt-get could not install the packages above (whole log: $log); remedy:
    check the network and /etc/apt, then: apt-get update && apt-get install --no-install-recommends $missing"
    fi
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
}

# build PRESET TARGET...: configures and builds, silently unless it fails; the log is build/PRESET.log.
build() {
    local preset=$1 log=build/$1.log only=()
    shift
    [ $# = 0 ] || only=(--target "$@")
    mkdir -p build
    [ -w build ] || die "cannot write in build/; does it belong to another user?"
    { cmake --preset "$preset" && cmake --build --preset "$preset" "${only[@]}"; } >"$log" 2>&1 && return
    # What failed and why, not the hundred steps that did not.
    { grep -E -A 12 'FAILED:|CMake Error|error:' "$log" || tail -n 30 "$log"; } | head -n 60 >&2
    echo "the $preset build failed; whole log: $log" >&2
    return 1
}
