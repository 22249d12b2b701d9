#!/bin/sh
# A MariaDB server for tests, without any system service.
#
#   tests/lib/mariadb.sh start DIR   starts one and prints its URL; DIR remembers it
#   tests/lib/mariadb.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one; otherwise Debian packages are unpacked. The server listens on a free loopback
# port. It forgets on a crash of the machine, which makes it fast; PORTBOOK_MARIADB_OPTIONS may say otherwise
# (`--innodb-flush-log-at-trx-commit=1`). Its binary log has whole rows, so that changes can be read from it.
# PORTBOOK_UNPACK_MARIADB=1 leaves an installed server aside.
set -eu
. "$(dirname "$0")/database.sh"

# Sets `usr`: what the server's files are beneath.
find_server() {
    usr=/usr
    if [ -x /usr/sbin/mariadbd ] && [ -z "${PORTBOOK_UNPACK_MARIADB:-}" ]; then return; fi
    once usr/sbin/mariadbd unpack mariadb-server-core mariadb-client-core mariadb-common ||
        cannot "no MariaDB server is installed and none could be unpacked"
    reach sbin/mariadbd
    use_libraries
}

server() {
    as_server "$usr/sbin/mariadbd" --no-defaults --basedir="$usr" --datadir="$home/data" --tmpdir="$home" \
        --lc-messages-dir="$usr/share/mysql" "$@"
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
    server --bootstrap --log-warnings=0 --enforce-storage-engine= --innodb-flush-log-at-trx-commit=0 \
        <"$home/bootstrap.sql" >"$dir/bootstrap.log" 2>&1 || log_of "$dir/bootstrap.log"
}

start() {
    make_home
    find_server
    as_server mkdir "$home/data"
    cd "$home"
    bootstrap
    port=$(free_port)
    # shellcheck disable=SC2086 # a list of options
    background server --character-sets-dir="$usr/share/mysql/charsets" --socket="$home/socket" --pid-file="$home/pid" \
        --bind-address=127.0.0.1 --port="$port" --innodb-flush-log-at-trx-commit=0 --skip-name-resolve \
        --log-bin="$home/data/binlog" --binlog-format=ROW --server-id=1 --init-file="$home/users.sql" --sync-binlog=0 \
        --max-connections=200 --character-set-server=utf8mb4 ${PORTBOOK_MARIADB_OPTIONS:-}
    becomes_ready $!
    echo "mysql://portbook:portbook@127.0.0.1:$port/mysql"
}

obey
