#!/bin/sh
# OpenSSH's sshd: openssh.sh start DIR [LINE-OF-CONFIGURATION...] serves sftp and prints its port, its user, and whether
# the password `password` works too. DIR/data is for files. DIR/host_TYPE are its keys; DIR/user_ed25519, DIR/user_ecdsa
# and DIR/user_rsa are keys that it accepts, DIR/locked is the first of them under the passphrase `passphrase`.
#
# sshd can log in no other user than the one it runs as, unless it is started by root. Then it wants a system user and a
# directory in /run, which it gets in a mount namespace of its own, with a user called `user` and its password.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    sshd=$(debian usr/sbin/sshd openssh-server openssh-sftp-server)
    keygen=$(debian usr/bin/ssh-keygen openssh-client)
    mkdir -p "$dir/data"
    port=$(free_port)
    export LD_LIBRARY_PATH
    LD_LIBRARY_PATH=$(libraries)
    keys
    cp -p "$servers/ssh-keys/"* "$dir"
    cat "$dir"/user_*.pub >"$dir/authorized_keys"
    cat >"$dir/sshd_config" <<END
ListenAddress 127.0.0.1:$port
HostKey $dir/host_ed25519
HostKey $dir/host_ecdsa
HostKey $dir/host_rsa
PidFile none
AuthorizedKeysFile $dir/authorized_keys
StrictModes no
UsePAM no
KbdInteractiveAuthentication no
MaxStartups 100
LogLevel VERBOSE
END
    # What comes first holds.
    for line in "$@"; do echo "$line" >>"$dir/sshd_config"; done
    grep -q '^Subsystem' "$dir/sshd_config" || echo 'Subsystem sftp internal-sftp' >>"$dir/sshd_config"
    if [ "$(id -u)" = 0 ]; then
        as_root
    else
        background "$sshd" -D -e -f "$dir/sshd_config" -o PasswordAuthentication=no
        answers "$port"
        echo "$port $(id -un)"
    fi
}

# Keys are made once: those of RSA take their time.
keys() {
    mkdir -p "$servers"
    (
        flock 9
        [ ! -d "$servers/ssh-keys" ] || exit 0
        made=$servers/ssh-keys.new
        rm -rf "$made"
        mkdir "$made"
        for type in ed25519 ecdsa rsa; do
            "$keygen" -q -t "$type" -N '' -f "$made/host_$type"
            "$keygen" -q -t "$type" -N '' -C test -f "$made/user_$type"
        done
        cp "$made/user_ed25519" "$made/locked"
        "$keygen" -q -p -P '' -N passphrase -f "$made/locked" >/dev/null
        mv "$made" "$servers/ssh-keys"
    ) 9>"$servers/ssh-keys.lock"
}

as_root() {
    command -v openssl >/dev/null || cannot "openssl is needed to hash a password"
    unshare --mount true 2>/dev/null || cannot "root may make no mount namespace here, and sshd wants /run/sshd"
    { cat /etc/passwd; echo 'sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin'; echo "user:x:64998:65534::$dir/data:/bin/sh"; } \
        >"$dir/passwd"
    echo "user:$(openssl passwd -6 password):19000:0:99999:7:::" >"$dir/shadow"
    chmod 600 "$dir/shadow"
    chmod a+x "$dir"
    chown 64998 "$dir/data"
    chmod 644 "$dir/authorized_keys"
    # shellcheck disable=SC2016 # expanded by the inner shell
    background unshare --mount --propagation private sh -c '
        mount -t tmpfs none /run && mkdir -m 755 /run/sshd && mount --bind "$1/passwd" /etc/passwd &&
            mount --bind "$1/shadow" /etc/shadow && exec "$2" -D -e -f "$1/sshd_config" -o PasswordAuthentication=yes
    ' sh "$dir" "$sshd"
    answers "$port"
    echo "$port user password"
}

obey "$@"
