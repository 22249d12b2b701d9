#!/bin/sh
# A MySQL server for tests, without any system service.
#
#   tests/lib/mysql.sh start DIR   starts one and prints its URL; DIR remembers it
#   tests/lib/mysql.sh stop DIR    stops it and removes its data
#
# An installed server is used where there is one. Otherwise it comes from Debian's unstable suite, which alone has MySQL, in the
# version that is there now; it brings its own C library and the loader of that. The server listens on a free loopback port. It
# forgets on a crash of the machine, which makes it fast; PORTBOOK_MYSQL_OPTIONS may say otherwise
# (`--innodb-flush-log-at-trx-commit=1`), and turn anything on (`--gtid-mode=ON --enforce-gtid-consistency=ON`). Its
# certificates are those that it makes for itself, its user has the default of its version (caching_sha2_password), its binary
# log is on, as it comes. PORTBOOK_UNPACK_MYSQL=1 leaves an installed server aside.
set -eu
. "$(dirname "$0")/database.sh"

# What is never run here is two thirds of it.
unpack_server() {
    unpack_newest mysql-server-core mysql-client-core || return 1
    find "$unpacked/usr/bin" "$unpacked/usr/sbin" -type f ! -name mysql ! -name mysqld -delete
    find "$unpacked/usr/share" -mindepth 1 -maxdepth 1 ! -name mysql -exec rm -rf {} +
    rm -rf "$unpacked/etc" "$unpacked/usr/lib/$machine"/perl* "$unpacked/usr/lib/$machine"/libperl* "$unpacked/usr/lib/$machine/gconv"
}

# Sets `usr` and `loader`: what the server's files are beneath, and what starts its program, if anything does.
find_server() {
    loader=
    usr=/usr
    # MariaDB's package has a program of the same name.
    if [ -z "${PORTBOOK_UNPACK_MYSQL:-}" ] && /usr/sbin/mysqld --version 2>/dev/null | grep -qv MariaDB; then return; fi
    once usr/sbin/mysqld unpack_server || cannot "no MySQL server is installed and none could be unpacked"
    reach sbin/mysqld
    loader="$(echo "$usr/lib/$machine"/ld-linux*) --library-path $usr/lib/$machine"
}

server() {
    # shellcheck disable=SC2086 # nothing, or words
    as_server $loader "$usr/sbin/mysqld" --no-defaults --basedir="$usr" --datadir="$home/data" --tmpdir="$home" \
        --lc-messages-dir="$usr/share/mysql" --character-sets-dir="$usr/share/mysql/charsets" \
        --innodb-buffer-pool-size=64M --innodb-redo-log-capacity=32M --innodb-doublewrite=OFF --performance-schema=OFF \
        --secure-file-priv=NULL "$@"
}

start() {
    make_home
    find_server
    cd "$home"
    # Read when the server starts; one statement a line.
    printf '%s\n' "CREATE USER 'portbook'@'127.0.0.1' IDENTIFIED BY 'portbook';" \
        "GRANT ALL ON *.* TO 'portbook'@'127.0.0.1' WITH GRANT OPTION;" >"$home/users.sql"
    server --initialize-insecure --skip-log-bin --innodb-flush-method=nosync >"$dir/initialize.log" 2>&1 ||
        log_of "$dir/initialize.log"
    port=$(free_port)
    # shellcheck disable=SC2086 # a list of options
    background server --socket="$home/socket" --pid-file="$home/pid" --bind-address=127.0.0.1 --port="$port" --mysqlx=OFF \
        --skip-name-resolve --init-file="$home/users.sql" --max-connections=200 --server-id=1 \
        --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --binlog-row-metadata=FULL ${PORTBOOK_MYSQL_OPTIONS:-}
    becomes_ready $!
    echo "mysql://portbook:portbook@127.0.0.1:$port/mysql"
}

obey
