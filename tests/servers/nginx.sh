#!/bin/sh
# nginx: nginx.sh start DIR serves DIR/data by WebDAV under /dav/ and as indexes of files under /html/ and /json/, and
# prints its port. The user is `user` with the password `password`.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    bin=$(debian usr/sbin/nginx nginx libnginx-mod-http-dav-ext)
    extended=${bin%/usr/sbin/nginx}/usr/lib/nginx/modules/ngx_http_dav_ext_module.so
    [ -f "$extended" ] || cannot "this nginx has no libnginx-mod-http-dav-ext"
    mkdir -p "$dir/data" "$dir/temp"
    port=$(free_port)
    user=
    if [ "$(id -u)" = 0 ]; then
        # Started by root it works as nobody, who has to get there.
        user="user nobody nogroup;"
        chmod 755 "$dir"
        chown -R nobody "$dir/data" "$dir/temp"
    fi
    echo 'user:{PLAIN}password' >"$dir/users"
    cat >"$dir/config" <<CONFIG
load_module $extended;
$user
daemon off;
worker_processes 1;
pid $dir/pid;
error_log $dir/errors;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $dir/temp/body;
    proxy_temp_path $dir/temp/proxy;
    fastcgi_temp_path $dir/temp/fastcgi;
    uwsgi_temp_path $dir/temp/uwsgi;
    scgi_temp_path $dir/temp/scgi;
    client_max_body_size 0;
    auth_basic realm;
    auth_basic_user_file $dir/users;
    server {
        listen 127.0.0.1:$port;
        location /dav/ {
            alias $dir/data/;
            dav_methods PUT DELETE MKCOL COPY MOVE;
            dav_ext_methods PROPFIND OPTIONS;
        }
        location /html/ { alias $dir/data/; autoindex on; }
        location /json/ { alias $dir/data/; autoindex on; autoindex_format json; }
    }
}
CONFIG
    LD_LIBRARY_PATH=$(libraries) background "$bin" -c "$dir/config" -p "$dir" -e "$dir/errors"
    answers "$port"
    echo "$port"
}

obey "$@"
