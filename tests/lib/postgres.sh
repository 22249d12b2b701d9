#!/bin/sh
# A PostgreSQL server for tests, without any system service.
#
#   tests/lib/postgres.sh start DIR   starts one and prints its URL; DIR remembers it
#   tests/lib/postgres.sh crash DIR   kills it without a shutdown, and starts it again
#   tests/lib/postgres.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one; otherwise the Debian packages are unpacked (never installed) into
# target/postgresql. The server listens on a free loopback port, as the invoking user, or as nobody for root, which
# PostgreSQL refuses to run as. It forgets on a crash of the machine, which makes it fast; PORTBOOK_POSTGRES_OPTIONS may
# say otherwise (`-c fsync=on`). PORTBOOK_UNPACK_POSTGRES=1 leaves an installed server aside.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
unpacked=$root/target/postgresql
server_uid=65534

installed_bin() {
    [ -z "${PORTBOOK_UNPACK_POSTGRES:-}" ] || return 1
    newest_bin /usr/lib/postgresql
}

newest_bin() {
    found=
    for candidate in "$1"/*/bin; do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then found=$candidate; fi
    done
    [ -n "$found" ] && echo "$found"
}

# Downloads the server and those of its libraries that are not installed, and unpacks them.
unpack() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    server=$(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
    [ -n "$server" ] || return 1
    libraries=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$server" | grep '^lib' | sort -u)
    missing=
    for library in $libraries; do
        dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' || missing="$missing $library"
    done
    mkdir -p "$unpacked/packages"
    (
        cd "$unpacked/packages"
        # shellcheck disable=SC2086 # a list of names
        apt-get download "$server" "postgresql-client-${server#postgresql-}" $missing >&2
        for package in ./*.deb; do dpkg -x "$package" ..; done
    )
}

as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$server_uid" --regid="$server_uid" --clear-groups env HOME="$home" LC_ALL=C "$@"
    else
        env HOME="$home" LC_ALL=C "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        shuf -i 20000-60000 -n 1
}

start() {
    bin=$(installed_bin || newest_bin "$unpacked/usr/lib/postgresql" ||
        { unpack && newest_bin "$unpacked/usr/lib/postgresql"; }) ||
        { echo "no PostgreSQL server is installed and none could be unpacked" >&2; exit 1; }
    # Not beneath DIR: the user that runs the server may not be allowed to enter the clone.
    home=$(mktemp -d "${TMPDIR:-/tmp}/portbook-postgres.XXXXXX")
    echo "$home" >"$dir/home"
    if [ "$(id -u)" = 0 ]; then chown "$server_uid:$server_uid" "$home"; fi
    case $bin in
    "$unpacked"/*)
        libs=$unpacked/usr/lib
        if ! as_server test -x "$bin/postgres"; then
            cp -r "$unpacked/usr" "$home/usr"
            bin=$home/usr${bin#"$unpacked/usr"}
            libs=$home/usr/lib
        fi
        LD_LIBRARY_PATH=$libs/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
        export LD_LIBRARY_PATH
        ;;
    esac
    echo "$bin" >"$dir/bin"
    echo "${LD_LIBRARY_PATH:-}" >"$dir/libraries"
    cd "$home"
    as_server "$bin/initdb" -D "$home/data" -U portbook -A trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
        { cat "$dir/initdb.log" >&2; exit 1; }
    port=$(free_port)
    # No output of ours stays open in the server: a caller that reads our output would wait for it for ever.
    as_server "$bin/pg_ctl" start -w -t 60 -s -D "$home/data" -l "$home/server.log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c fsync=off \
            -c full_page_writes=off -c max_connections=200 -c wal_level=logical ${PORTBOOK_POSTGRES_OPTIONS:-}" </dev/null >"$dir/start.log" 2>&1 ||
        { cat "$dir/start.log" "$home/server.log" >&2; exit 1; }
    echo "postgres://portbook@127.0.0.1:$port/postgres"
}

crash() {
    home=$(cat "$dir/home")
    bin=$(cat "$dir/bin")
    LD_LIBRARY_PATH=$(cat "$dir/libraries")
    export LD_LIBRARY_PATH
    cd "$home"
    as_server "$bin/pg_ctl" restart -w -t 60 -s -m immediate -D "$home/data" -l "$home/server.log" \
        </dev/null >"$dir/start.log" 2>&1 || { cat "$dir/start.log" "$home/server.log" >&2; exit 1; }
}

stop() {
    [ -f "$dir/home" ] || return 0
    home=$(cat "$dir/home")
    if [ -f "$home/data/postmaster.pid" ]; then
        pid=$(head -n 1 "$home/data/postmaster.pid")
        kill -INT "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -rf "$home" "$dir/home"
}

[ $# = 2 ] || { sed -n '4,6s/^# *//p' "$0" >&2; exit 2; }
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start ;;
crash) crash ;;
stop) stop ;;
*) sed -n '4,6s/^# *//p' "$0" >&2; exit 2 ;;
esac
