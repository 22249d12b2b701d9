#!/usr/bin/env bash
# Builds the Python package in the dev profile, installs the wheel into a fresh environment, and runs its tests there.
#
#   tests/lib/python.sh [--quick]      quick: not from a source package, no thousand cycles
#
# Everything is kept in the target directory: environments, wheels, stubs. UPDATE_STUBS=1 writes _portbook.pyi anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

quick=false
if [[ ${1:-} == --quick ]]; then quick=true && export PORTBOOK_TEST_QUICK=1; fi
target=${CARGO_TARGET_DIR:-$PWD/target}
[[ $target == /* ]] || target=$PWD/$target
yard=$target/python
package=$PWD/bindings/python
passed=0 failed=0 ignored=0

# Nothing is left between the tests of one state and the next but the environments.
mkdir -p "$yard"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CARGO_TARGET_DIR=$target

skip() {
    echo "SKIPPED $1: $2"
    echo "test result: ok. 1 passed; 0 failed; 0 ignored"
    exit 0
}

# check NAME COMMAND...: one test, which passes when the command does.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "test $name ... ok"
    else
        failed=$((failed + 1))
        echo "test $name ... FAILED"
    fi
}

# environment NAME PACKAGE...: one with these packages, which is kept.
environment() {
    local at=$yard/$1
    shift
    [[ -x $at/bin/python ]] || python3 -m venv "$at" || return 1
    [[ $(cat "$at/packages" 2>/dev/null) == "$*" ]] && return
    "$at/bin/pip" -q install "$@" && echo "$*" >"$at/packages"
}

maturin() { (cd "$package" && "$yard/tools/bin/maturin" "$@"); }

# story ENVIRONMENT: the scenario, told there, is the one that all languages tell.
story() {
    local python=$yard/$1/bin/python yard_of
    yard_of=$(mktemp -d "$yard/story.XXXXXX")
    "$python" tests/scenario/scenario.py "$yard_of" >"$yard/transcript.txt" && diff -u tests/scenario/expected.txt "$yard/transcript.txt"
    local told=$?
    rm -rf "$yard_of"
    return $told
}

stubs() {
    rm -rf "$yard/stubs"
    maturin generate-stubs -q --profile dev --features inspect,fault --out "$yard/stubs" &&
        python3 "$package/tests/stubs.py" "$yard/stubs" >"$yard/_portbook.pyi" || return 1
    if [[ ${UPDATE_STUBS:-} == 1 ]]; then cp "$yard/_portbook.pyi" "$package/python/portbook/_portbook.pyi"; fi
    diff -u "$package/python/portbook/_portbook.pyi" "$yard/_portbook.pyi"
}

typed() {
    local mypy=("$yard/tests/bin/mypy" --strict --cache-dir "$yard/mypy")
    "${mypy[@]}" tests/scenario/scenario.py && "${mypy[@]}" -p portbook && (cd "$package/tests" && "${mypy[@]}" --python-version 3.12 .)
}

# What a source package has is enough to build it: nothing of the repository is taken.
from_source() {
    local into=$yard/source
    rm -rf "$into" && mkdir -p "$into/wheels"
    maturin sdist --out "$into" && tar -xzf "$into"/portbook-*.tar.gz -C "$into" &&
        (cd "$into"/portbook-*/ && "$yard/tools/bin/maturin" build -q --profile dev --auditwheel skip --out "$into/wheels") &&
        rm -rf "$yard/clean" && environment clean "$into"/wheels/*.whl && story clean
}

command -v python3 >/dev/null || skip "the Python package" "there is no python3"
environment tools "maturin>=1.16,<2" || skip "the Python package" "maturin cannot be installed: see above"
environment tests mypy tqdm rich pandas pyarrow pandas-stubs types-tqdm ||
    environment tests mypy || skip "the Python package" "mypy cannot be installed: see above"

# Built once: the same library has the data of the stubs in it, and panics on demand, which one of its tests asks for.
rm -rf "$yard/wheels"
maturin build -q --profile dev --features inspect,fault --auditwheel skip --out "$yard/wheels"
rm -rf "$yard/clean"
"$yard/tests/bin/pip" -q install --force-reinstall --no-deps "$yard"/wheels/portbook-*.whl

check python_stubs_are_those_of_the_library stubs
check python_examples_are_typed typed
check python_wheel_in_a_fresh_environment_tells_the_story environment clean "$yard"/wheels/portbook-*.whl
check python_scenario story clean
if $quick; then
    ignored=1
    echo "test python_source_package_builds_from_itself ... ignored, --quick"
else
    check python_source_package_builds_from_itself from_source
fi
# On one line with the others: tests/run adds up what such lines say.
echo "test result: ok. $passed passed; $failed failed; $ignored ignored"
# Where the tests of lists are built, their server serves those of Python, too.
for built in $(ls -t "$target"/debug/deps/graph-* 2>/dev/null); do
    # Not through a pipe: whoever ends it early makes the program fail.
    if [[ -x $built && $("$built" --list --ignored 2>/dev/null) == *served::serves:* ]]; then
        export PORTBOOK_TEST_LISTS=$built
        break
    fi
done
"$yard/tests/bin/python" "$package/tests/main.py" || failed=$((failed + 1))
exit $((failed > 0))
