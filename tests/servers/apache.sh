#!/bin/sh
# Apache httpd: apache.sh start DIR none|basic|digest serves DIR/data by mod_dav under /dav/ and as an index of files under
# /files/, and prints its port. The user is `user` with the password `password`.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    how=$1
    bin=$(debian usr/sbin/apache2 apache2-bin)
    modules=$(dirname "$(dirname "$(dirname "$bin")")")/usr/lib/apache2/modules
    mkdir -p "$dir/data" "$dir/lock"
    port=$(free_port)
    unprivileged=
    if [ "$(id -u)" = 0 ]; then
        # Started by root it works as nobody, who has to get there.
        unprivileged="User nobody
Group nogroup"
        chmod 755 "$dir"
        chown -R nobody "$dir/data" "$dir/lock"
    fi
    python3 - "$dir" <<'PYTHON'
import base64, hashlib, sys
sha = base64.b64encode(hashlib.sha1(b"password").digest()).decode()
open(sys.argv[1] + "/basic", "w").write("user:{SHA}" + sha + "\n")
md5 = hashlib.md5(b"user:realm:password").hexdigest()
open(sys.argv[1] + "/digest", "w").write("user:realm:" + md5 + "\n")
PYTHON
    case $how in
    none) auth="Require all granted" ;;
    basic) auth="AuthType Basic
AuthName realm
AuthUserFile $dir/basic
Require valid-user" ;;
    digest) auth="AuthType Digest
AuthName realm
AuthDigestProvider file
AuthUserFile $dir/digest
Require valid-user" ;;
    *) cannot "usage: apache.sh start DIR none|basic|digest" ;;
    esac
    {
        for module in mpm_event authn_core authn_file authz_core authz_user auth_basic auth_digest alias dir autoindex \
            mime dav dav_fs; do
            echo "LoadModule ${module}_module $modules/mod_$module.so"
        done
        cat <<CONFIG
ServerRoot $dir
ServerName 127.0.0.1
Listen 127.0.0.1:$port
PidFile $dir/pid
ErrorLog $dir/errors
DavLockDB $dir/lock/db
TypesConfig /dev/null
DocumentRoot $dir/data
$unprivileged
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory $dir/data>
    DirectoryIndex disabled
    $auth
</Directory>
Alias /dav $dir/data
Alias /files $dir/data
<Location /dav>
    Dav On
</Location>
<Location /files>
    Options +Indexes
    IndexOptions FancyIndexing
</Location>
CONFIG
    } >"$dir/config"
    LD_LIBRARY_PATH=$(libraries) background "$bin" -f "$dir/config" -DFOREGROUND
    answers "$port"
    echo "$port"
}

obey "$@"
