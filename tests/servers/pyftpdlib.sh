#!/bin/sh
# pyftpdlib: pyftpdlib.sh start DIR serves DIR/data and prints its port. User: `user` with the password `password`.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    bin=$(pypi pyftpdlib pyftpdlib==2.2.0)
    mkdir -p "$dir/data"
    port=$(free_port)
    background "$bin/python" "$(dirname "$0")/serve_pyftpdlib.py" "$port" "$dir/data"
    answers "$port"
    echo "$port"
}

obey "$@"
