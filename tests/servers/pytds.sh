#!/bin/sh
# python-tds, a client of SQL Server in pure Python, with what it needs for TLS, and a parser of T-SQL: pytds.sh start DIR prints
# the interpreter that has them. There is nothing to stop.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    bin=$(pypi pytds python-tds==1.17.1 pyOpenSSL==26.4.0 sqlglot==30.30.0)
    echo "$bin/python"
}

obey "$@"
