#!/bin/sh
# Builds the library of this machine, and lays it where JNA looks for it in a jar: under the name of the platform.
#
#   native.sh OUTPUT [CARGO OPTION]...
set -eu
output=$1
shift
repository=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$output"
output=$(cd "$output" && pwd)
cd "$repository"
cargo build -p portbook-uniffi "$@"
case " $* " in *" --release "*) profile=release ;; *) profile=debug ;; esac

case $(uname -m) in
x86_64 | amd64) machine=x86-64 ;;
arm64 | aarch64) machine=aarch64 ;;
*) machine=$(uname -m) ;;
esac
case $(uname -s) in
Linux) platform=linux-$machine name=libportbook_uniffi.so ;;
Darwin) platform=darwin-$machine name=libportbook_uniffi.dylib ;;
MINGW* | MSYS* | CYGWIN*) platform=win32-$machine name=portbook_uniffi.dll ;;
*) echo "native.sh: $(uname -s) is not known" >&2 && exit 1 ;;
esac
mkdir -p "$output/$platform"
cp "${CARGO_TARGET_DIR:-target}/$profile/$name" "$output/$platform/"
