# Debian packages for tests: unpacked, never installed. Sourced, not run.

has_apt() { command -v apt-get >/dev/null && command -v dpkg >/dev/null; }

# unpack_into DIR PACKAGE...: these, and those of their libraries that are not installed.
unpack_into() {
    into=$1
    shift
    has_apt || { echo "there is no apt-get" >&2; return 1; }
    # A machine that was never asked knows no packages.
    if [ "$(id -u)" = 0 ] && ! apt-cache show "$@" >/dev/null 2>&1; then apt-get -qq update >&2 || true; fi
    missing=
    for library in $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep '^lib' | grep -v elogind | sort -u); do
        dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' || missing="$missing $library"
    done
    mkdir -p "$into/packages"
    (
        cd "$into/packages"
        # shellcheck disable=SC2086 # a list of names
        apt-get -qq download "$@" $missing >&2 || exit 1
        for package in ./*.deb; do dpkg -x "$package" .. || exit 1; done
    ) && rm -rf "$into/packages"
}
