#!/bin/sh
# A MariaDB server for tests, without any system service.
#
#   tests/lib/mariadb.sh start DIR   starts one and prints its URL; DIR remembers it
#   tests/lib/mariadb.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one; otherwise the Debian packages are unpacked (never installed) into
# target/mariadb. The server listens on a free loopback port, as the invoking user, or as nobody for root. It forgets on a
# crash of the machine, which makes it fast; PORTBOOK_MARIADB_OPTIONS may say otherwise
# (`--innodb-flush-log-at-trx-commit=1`). Its binary log has whole rows, so that changes can be read from it.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
unpacked=$root/target/mariadb
server_uid=65534

# Downloads the server and those of its libraries that are not installed, and unpacks them.
unpack() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    libraries=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances mariadb-server-core | grep '^lib' | grep -v elogind | sort -u)
    missing=
    for library in $libraries; do
        dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' || missing="$missing $library"
    done
    mkdir -p "$unpacked/packages"
    (
        cd "$unpacked/packages"
        # shellcheck disable=SC2086 # a list of names
        apt-get download mariadb-server-core mariadb-client-core mariadb-common $missing >&2
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

# The tables of the system, by the server's own scripts: its installer looks for more than was unpacked.
bootstrap() {
    {
        # One statement a line, which is what a bootstrap reads.
        printf '%s\n' "create database mysql;" "use mysql;" "SET @auth_root_socket=NULL;"
        cat "$usr/share/mysql/mysql_system_tables.sql" "$usr/share/mysql/mysql_performance_tables.sql"
        sed '/@current_hostname/d' "$usr/share/mysql/mysql_system_tables_data.sql"
    } >"$home/bootstrap.sql"
    # Read when the server starts, which knows users then.
    printf '%s\n' "DELETE FROM mysql.global_priv WHERE User = '';" "FLUSH PRIVILEGES;" \
        "CREATE USER 'portbook'@'127.0.0.1' IDENTIFIED BY 'portbook';" \
        "GRANT ALL ON *.* TO 'portbook'@'127.0.0.1' WITH GRANT OPTION;" >"$home/users.sql"
    as_server "$usr/sbin/mariadbd" --no-defaults --bootstrap --basedir="$usr" --datadir="$home/data" --tmpdir="$home" \
        --lc-messages-dir="$usr/share/mysql" --log-warnings=0 --enforce-storage-engine= --innodb-flush-log-at-trx-commit=0 \
        <"$home/bootstrap.sql" >"$dir/bootstrap.log" 2>&1 || { tail -n 20 "$dir/bootstrap.log" >&2; exit 1; }
}

start() {
    # Not beneath DIR: the user that runs the server may not be allowed to enter the clone.
    home=$(mktemp -d "${TMPDIR:-/tmp}/portbook-mariadb.XXXXXX")
    echo "$home" >"$dir/home"
    mkdir "$home/data"
    usr=/usr
    if [ ! -x /usr/sbin/mariadbd ] || [ -n "${PORTBOOK_UNPACK_MARIADB:-}" ]; then
        [ -x "$unpacked/usr/sbin/mariadbd" ] || { unpack && [ -x "$unpacked/usr/sbin/mariadbd" ]; } ||
            { echo "no MariaDB server is installed and none could be unpacked" >&2; exit 1; }
        usr=$unpacked/usr
    fi
    if [ "$(id -u)" = 0 ]; then chown -R "$server_uid:$server_uid" "$home"; fi
    if ! as_server test -x "$usr/sbin/mariadbd"; then
        cp -r "$usr" "$home/usr"
        usr=$home/usr
    fi
    LD_LIBRARY_PATH=$usr/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    cd "$home"
    bootstrap
    port=$(free_port)
    # No output of ours stays open in the server: a caller that reads our output would wait for it for ever.
    # shellcheck disable=SC2086 # a list of options
    as_server "$usr/sbin/mariadbd" --no-defaults --basedir="$usr" --datadir="$home/data" --tmpdir="$home" --lc-messages-dir="$usr/share/mysql" \
        --character-sets-dir="$usr/share/mysql/charsets" --socket="$home/socket" --pid-file="$home/pid" \
        --bind-address=127.0.0.1 --port="$port" --innodb-flush-log-at-trx-commit=0 --skip-name-resolve \
        --log-bin="$home/data/binlog" --binlog-format=ROW --server-id=1 --init-file="$home/users.sql" --sync-binlog=0 --max-connections=200 \
        --character-set-server=utf8mb4 ${PORTBOOK_MARIADB_OPTIONS:-} </dev/null >"$home/server.log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        if [ -s "$home/pid" ] && grep -q 'ready for connections' "$home/server.log"; then
            echo "mysql://portbook:portbook@127.0.0.1:$port/mysql"
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$home/server.log" >&2
    exit 1
}

stop() {
    [ -f "$dir/home" ] || return 0
    home=$(cat "$dir/home")
    if [ -s "$home/pid" ]; then
        pid=$(cat "$home/pid")
        kill -TERM "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -rf "$home" "$dir/home"
}

[ $# = 2 ] || { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start) start ;;
stop) stop ;;
*) sed -n '4,5s/^# *//p' "$0" >&2; exit 2 ;;
esac
