#!/bin/sh
# vsftpd: vsftpd.sh start DIR [SETTING...] serves DIR/data and prints its port. It has neither MLSD nor MFMT. User: `anonymous`
# with any password, as vsftpd knows only this machine's accounts beside it. It runs as whoever starts it.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    program=$(debian usr/sbin/vsftpd vsftpd)
    mkdir -p "$dir/data" "$dir/empty"
    port=$(free_port)
    cat >"$dir/vsftpd.conf" <<END
listen=YES
listen_address=127.0.0.1
listen_port=$port
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
local_enable=NO
ftp_username=$(id -un)
anon_root=$dir/data
no_anon_password=YES
anon_world_readable_only=NO
anon_umask=022
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
allow_writeable_chroot=YES
utf8_filesystem=YES
secure_chroot_dir=$dir/empty
xferlog_enable=NO
END
    for setting in "$@"; do echo "$setting" >>"$dir/vsftpd.conf"; done
    chmod 600 "$dir/vsftpd.conf"
    background env LD_LIBRARY_PATH="$(libraries)" "$program" "$dir/vsftpd.conf"
    answers "$port"
    echo "$port"
}

obey "$@"
