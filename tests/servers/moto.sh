#!/bin/sh
# moto, which keeps what it is given in memory: moto.sh start DIR prints its port. It honours conditions on writes and keeps
# versions, and looks at no signature.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    bin=$(pypi moto "moto[server,s3]==5.2.5")
    port=$(free_port)
    background "$bin/moto_server" -H 127.0.0.1 -p "$port"
    answers "$port"
    echo "$port"
}

obey "$@"
