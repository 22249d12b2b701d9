#!/bin/sh
# A PostgreSQL server for tests, without any system service.
#
#   tests/lib/postgres.sh start DIR   starts one in DIR and prints its URL
#   tests/lib/postgres.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one; otherwise the Debian packages are unpacked (never installed) into
# target/postgresql. The server listens on a free loopback port, as the invoking user, or as nobody for root, which
# PostgreSQL refuses to run as.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)

find_bin() {
    for dir in /usr/lib/postgresql/*/bin "$root"/target/postgresql/usr/lib/postgresql/*/bin; do
        [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && bin=$dir
    done
    [ -n "${bin:-}" ]
}

unpack() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    mkdir -p "$root/target/postgresql/packages"
    (
        cd "$root/target/postgresql/packages"
        version=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
        apt-get download "postgresql-$version" "postgresql-client-$version" libpq5 libllvm14 >&2 ||
            apt-get download "postgresql-$version" "postgresql-client-$version" libpq5 >&2
        for package in ./*.deb; do dpkg -x "$package" ..; done
    )
}

# The user that runs the server: nobody's numbers when we are root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$dir" LC_ALL=C "$@"
    else
        env LC_ALL=C "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        shuf -i 20000-60000 -n 1
}

start() {
    find_bin || { unpack && find_bin; } || { echo "no PostgreSQL server and none to unpack" >&2; exit 1; }
    LD_LIBRARY_PATH="$root/target/postgresql/usr/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export LD_LIBRARY_PATH
    mkdir -p "$dir/data"
    [ "$(id -u)" != 0 ] || chown 65534:65534 "$dir" "$dir/data"
    as_server "$bin/initdb" -D "$dir/data" -U portbook -A trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
        { cat "$dir/initdb.log" >&2; exit 1; }
    port=$(free_port)
    cd "$dir"
    as_server "$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
        -c fsync=off -c full_page_writes=off -c max_connections=200 >"$dir/server.log" 2>&1 &
    echo $! >"$dir/pid"
    tries=0
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$dir/server.log" >&2; exit 1; }
        sleep 0.1
    done
    echo "postgres://portbook@127.0.0.1:$port/postgres"
}

stop() {
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    kill -INT "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -rf "$dir/data" "$dir/pid"
}

[ $# = 2 ] || { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start ;;
stop) stop ;;
*) exit 2 ;;
esac
