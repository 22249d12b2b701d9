#!/bin/sh
# A PostgreSQL server for tests, without any system service.
#
#   tests/lib/postgres.sh start DIR   starts one and prints its URL; DIR remembers it
#   tests/lib/postgres.sh crash DIR   kills it without a shutdown, and starts it again
#   tests/lib/postgres.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one; otherwise Debian packages are unpacked. The server listens on a free loopback
# port; root, whom PostgreSQL refuses, runs it as nobody. It forgets on a crash of the machine, which makes it fast;
# PORTBOOK_POSTGRES_OPTIONS may say otherwise (`-c fsync=on`). PORTBOOK_UNPACK_POSTGRES=1 leaves an installed server aside.
set -eu
. "$(dirname "$0")/database.sh"

pid_file=data/postmaster.pid
stop_signal=INT

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

# The version is in the name of the package and in the path of the program.
unpack_server() {
    has_apt || return 1
    server=$(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
    [ -n "$server" ] && unpack "$server" "postgresql-client-${server#postgresql-}"
}

# Sets `bin`: where the server's programs are.
find_server() {
    bin=$(installed_bin) && return
    newest_bin "$unpacked/usr/lib/postgresql" >/dev/null || unpack_server || true
    bin=$(newest_bin "$unpacked/usr/lib/postgresql") || cannot "no PostgreSQL server is installed and none could be unpacked"
    reach "${bin#"$unpacked/usr/"}/postgres"
    bin=$usr${bin#"$unpacked/usr"}
    use_libraries
}

start() {
    make_home
    find_server
    echo "$bin" >"$dir/bin"
    echo "${LD_LIBRARY_PATH:-}" >"$dir/libraries"
    cd "$home"
    as_server "$bin/initdb" -D "$home/data" -U portbook -A trust -E UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
        log_of "$dir/initdb.log"
    port=$(free_port)
    # No output of ours stays open in the server: a caller that reads our output would wait for it for ever.
    as_server "$bin/pg_ctl" start -w -t 60 -s -D "$home/data" -l "$home/server.log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c fsync=off \
            -c full_page_writes=off -c max_connections=200 -c wal_level=logical ${PORTBOOK_POSTGRES_OPTIONS:-}" \
        </dev/null >"$dir/start.log" 2>&1 || log_of "$dir/start.log" "$home/server.log"
    echo "postgres://portbook@127.0.0.1:$port/postgres"
}

crash() {
    home=$(cat "$dir/home")
    bin=$(cat "$dir/bin")
    LD_LIBRARY_PATH=$(cat "$dir/libraries")
    export LD_LIBRARY_PATH
    cd "$home"
    as_server "$bin/pg_ctl" restart -w -t 60 -s -m immediate -D "$home/data" -l "$home/server.log" \
        </dev/null >"$dir/start.log" 2>&1 || log_of "$dir/start.log" "$home/server.log"
}

obey
