#!/bin/sh
# Builds the library that the package links with: on Apple's platforms an XCFramework beside Package.swift, for this machine and for
# whatever else is named; elsewhere the shared library, in Cargo's directory.
#
#   native.sh [TARGET]...        for example aarch64-apple-ios aarch64-apple-ios-sim
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
target=${CARGO_TARGET_DIR:-target}
if [ "$(uname -s)" != Darwin ]; then
    cargo build --release -p portbook-uniffi
    echo "swift build -Xlinker -L$(cd "$target/release" && pwd)"
    exit
fi

[ $# -gt 0 ] || set -- "$(rustc -vV | sed -n 's/^host: //p')"
headers=$(mktemp -d)
trap 'rm -rf "$headers"' EXIT
cp "$here/Sources/PortbookFFI/PortbookFFI.h" "$headers/"
# The library is given, not looked for.
grep -v '^ *link ' "$here/Sources/PortbookFFI/module.modulemap" >"$headers/module.modulemap"
libraries=
for platform; do
    cargo rustc --release -p portbook-uniffi --crate-type staticlib --target "$platform"
    libraries="$libraries -library $target/$platform/release/libportbook_uniffi.a -headers $headers"
done
rm -rf "$here/PortbookFFI.xcframework"
# Paths of this script's own making, without spaces but for the directory of Cargo.
# shellcheck disable=SC2086
xcodebuild -create-xcframework $libraries -output "$here/PortbookFFI.xcframework"
