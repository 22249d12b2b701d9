#!/bin/sh
# ProFTPD: proftpd.sh start DIR plain|explicit|implicit [DIRECTIVE...] serves DIR/data and prints its port. Each DIRECTIVE is
# a line of its configuration. User: `user` with the password `password`. With TLS the certificate is DIR/certificate.pem; it
# names localhost and 127.0.0.1. The transfers are in DIR/transfers.
set -eu
. "$(dirname "$0")/lib.sh"

# A user that is none of this machine's, so that a server started by root gives its rights up.
owner() { [ "$(id -u)" -eq 0 ] && echo 65534 || id -u; }
group() { [ "$(id -g)" -eq 0 ] && echo 65534 || id -g; }

certificate() {
    command -v openssl >/dev/null || cannot "openssl is needed for a certificate"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
        -keyout "$dir/key.pem" -out "$dir/certificate.pem" >"$dir/openssl.log" 2>&1 || cannot "openssl made no certificate"
}

tls() {
    echo "LoadModule mod_tls.c"
    echo "TLSEngine on"
    echo "TLSRequired on"
    echo "TLSRSACertificateFile $dir/certificate.pem"
    echo "TLSRSACertificateKeyFile $dir/key.pem"
    echo "TLSECCertificateFile $dir/certificate.pem"
    echo "TLSECCertificateKeyFile $dir/key.pem"
    echo "TLSLog $dir/tls.log"
    [ "$1" = explicit ] || echo "TLSOptions UseImplicitSSL"
}

# No prefork, no names of this machine's users, no DNS.
configuration() {
    modules=$servers/debian/usr/lib/proftpd
    [ -d "$modules" ] || modules=/usr/lib/proftpd
    echo "ModulePath $modules"
    echo "ServerType standalone"
    echo "DefaultAddress 127.0.0.1"
    echo "Port $port"
    echo "User $(id -un "$(owner)")"
    echo "Group $(getent group "$(group)" | cut -d: -f1)"
    echo "UseReverseDNS off"
    echo "UseIPv6 off"
    echo "AuthOrder mod_auth_file.c"
    echo "AuthUserFile $dir/passwd"
    echo "RequireValidShell off"
    echo "PidFile $dir/pid"
    echo "ScoreboardFile $dir/scoreboard"
    echo "DelayEngine off"
    echo "WtmpLog off"
    echo "TransferLog $dir/transfers"
    echo "SystemLog $dir/system.log"
    echo "MaxInstances 40"
    echo "DefaultRoot ~"
    echo "AllowOverwrite on"
    echo "AllowStoreRestart on"
    echo "AllowRetrieveRestart on"
    echo "UseSendfile off"
}

start() {
    security=$1
    shift
    # The second package holds the TLS module.
    program=$(debian usr/sbin/proftpd proftpd-core proftpd-mod-crypto)
    mkdir -p "$dir/data"
    port=$(free_port)
    hash=$(openssl passwd -6 password) || cannot "openssl is needed for a password"
    echo "user:$hash:$(owner):$(group)::$dir/data:/bin/sh" >"$dir/passwd"
    chmod 600 "$dir/passwd"
    {
        configuration
        case $security in
        plain) ;;
        explicit | implicit)
            certificate
            tls "$security"
            ;;
        *) cannot "it is plain, explicit or implicit" ;;
        esac
        for directive in "$@"; do echo "$directive"; done
    } >"$dir/proftpd.conf"
    if [ "$(id -u)" -eq 0 ]; then
        # What it serves lies in a directory that only root may enter.
        chmod 755 "$dir"
        chown -R 65534:65534 "$dir/data"
    fi
    background env LD_LIBRARY_PATH="$(libraries)" "$program" -n -q -c "$dir/proftpd.conf"
    answers "$port"
    echo "$port"
}

obey "$@"
