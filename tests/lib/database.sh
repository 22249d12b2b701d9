# What the scripts that start databases for tests share. Sourced, not run.
#
# A script is called as `NAME.sh start DIR` and `NAME.sh stop DIR`: start brings a server up on a free loopback port and prints
# its URL as the last line; DIR remembers it. It runs as the invoking user, or as nobody for root. What is not installed is
# unpacked (never installed) from Debian packages into target/NAME. No system service is touched.

root=$(cd "$(dirname "$0")/../.." && pwd)
unpacked=$root/target/$(basename "$0" .sh)
machine=$(uname -m)-linux-gnu
. "$root/tests/lib/debian.sh"
server_uid=65534
# What is written here is read by that user.
umask 022

# Ends with a message: the tests that wanted the server are skipped for this reason.
cannot() {
    echo "$1" >&2
    exit 1
}

# log_of FILE...: shows what a server said at its end, and ends.
log_of() {
    tail -qn 20 "$@" >&2
    exit 1
}

# once PROGRAM COMMAND...: runs the command unless it has unpacked that program already. One at a time: tests start servers
# beside each other.
once() {
    [ ! -x "$unpacked/$1" ] || return 0
    mkdir -p "$unpacked"
    (
        flock 9
        [ -x "$unpacked/$1" ] || { shift && "$@"; }
    ) 9>"$unpacked/lock" && [ -x "$unpacked/$1" ]
}

# unpack PACKAGE...: as `unpack_into` does.
unpack() { unpack_into "$unpacked" "$@"; }

# unpack_newest PACKAGE...: these as Debian's unstable suite has them now, with everything that they need down to the C library,
# which is a newer one than that of this machine. apt resolves that, with lists of its own beside the machine's, and verifies
# the signature of the suite and the sums of the packages.
unpack_newest() {
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    has_apt || { echo "there is no apt-get" >&2; return 1; }
    [ -f "$keyring" ] || { echo "Debian's keys are missing: apt-get install debian-archive-keyring" >&2; return 1; }
    # From where this machine has its own packages.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/*$' | head -n 1)
    [ -n "$mirror" ] || { echo "apt knows no mirror of Debian" >&2; return 1; }
    apt=$unpacked/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb [signed-by=$keyring] $mirror unstable main" >"$apt/sources.list"
    unstable() {
        apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
            -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State="$apt" \
            -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
            -o Dir::Log="$apt" -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false \
            -o Acquire::Languages=none -o Debug::NoLocking=true -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@" >&2
    }
    unstable update && unstable -y --download-only install "$@" || return 1
    for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$unpacked" || return 1; done
    rm -rf "$apt"
}

as_server() {
    if [ "$(id -u)" = 0 ]; then
        $instead setpriv --reuid="$server_uid" --regid="$server_uid" --clear-groups env HOME="$home" LC_ALL=C "$@"
    else
        $instead env HOME="$home" LC_ALL=C "$@"
    fi
}
instead=

# background COMMAND...: starts a server by `as_server`, with its words in `server.log`. Nothing of ours stays open in it: a
# caller that reads our output would wait for it for ever.
background() {
    (
        exec </dev/null >"$home/server.log" 2>&1
        instead=exec
        "$@"
    ) &
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        shuf -i 20000-60000 -n 1
}

# make_home: where the server keeps everything. Not beneath DIR: the user that runs it may not be allowed to enter the clone.
make_home() {
    home=$(mktemp -d "${TMPDIR:-/tmp}/portbook-$(basename "$0" .sh).XXXXXX")
    echo "$home" >"$dir/home"
    if [ "$(id -u)" = 0 ]; then chown "$server_uid:$server_uid" "$home"; fi
}

# reach PROGRAM: sets `usr` to a directory of what was unpacked that the server's user may enter, for a program in it.
reach() {
    usr=$unpacked/usr
    if ! as_server test -x "$usr/$1"; then
        # Links, where that is on the same disk.
        cp -rl "$usr" "$home/usr" 2>/dev/null || { rm -rf "$home/usr" && cp -r "$usr" "$home/usr"; }
        usr=$home/usr
    fi
}

use_libraries() {
    LD_LIBRARY_PATH=$usr/lib/$machine${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
}

# becomes_ready PID: waits until a server of the family of MySQL takes connections.
becomes_ready() {
    for _ in $(seq 300); do
        if [ -s "$home/pid" ] && grep -q 'ready for connections' "$home/server.log"; then return; fi
        kill -0 "$1" 2>/dev/null || break
        sleep 0.2
    done
    log_of "$home/server.log"
}

# Where the server writes its process, and the signal that stops it without waiting for those who are connected.
pid_file=pid
stop_signal=TERM

stop() {
    [ -f "$dir/home" ] || return 0
    home=$(cat "$dir/home")
    if [ -s "$home/$pid_file" ]; then
        pid=$(head -n 1 "$home/$pid_file")
        kill "-$stop_signal" "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -rf "$home" "$dir/home"
}

# The last line of every script: does what was asked for.
obey() {
    case $what in
    start) start ;;
    crash) crash ;;
    stop) stop ;;
    *) usage ;;
    esac
}

crash() { usage; }

usage() {
    sed -n "s|^# *\(tests/lib/$(basename "$0") \)|\1|p" "$0" >&2
    exit 2
}

[ $# = 2 ] || usage
what=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
