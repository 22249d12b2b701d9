#!/usr/bin/env bash
# Builds the C library, installs it into a prefix of its own, and tells the scenario and the hostile caller from there.
#
#   tests/lib/c.sh [--quick]
#
#   --quick   no valgrind, few cycles
#
# Prints what the harness of Rust prints: a line for each test, "SKIPPED name: why", and the counts.
set -uo pipefail
cd "$(dirname "$0")/../.."

readonly TARGET=${CARGO_TARGET_DIR:-$PWD/target}
readonly SCENARIO=$PWD/tests/scenario
passed=0 failed=0 skipped=0
quick=false
[[ ${1:-} == --quick ]] && quick=true

work=$(mktemp -d "${TMPDIR:-/tmp}/portbook-c.XXXXXX")
trap 'rm -rf "$work"' EXIT
readonly PREFIX=$work/prefix

# check NAME COMMAND...: a test, which passes when the command does. What the command says is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "test c::$name ... ok"
        passed=$((passed + 1))
    else
        sed 's/^/    /' "$work/said"
        echo "test c::$name ... FAILED"
        failed=$((failed + 1))
    fi
}

skip() {
    echo "SKIPPED c::$1: $2"
    skipped=$((skipped + 1))
}

installed() {
    make -C ffi install PREFIX="$PREFIX" PROFILE=dev TARGET_DIR="$TARGET"
}

declared() { grep -o '\bportbook_[a-z_]*(' include/portbook.h | tr -d '(' | sort -u; }

exports() {
    diff <(declared) <(nm -D --defined-only "$PREFIX/lib/libportbook.so" | awk '$2 != "A" { print $3 }' | sort)
}

named_by_its_abi() {
    local abi
    abi=$(sed -n 's/^#define PORTBOOK_ABI_VERSION //p' include/portbook.h)
    readelf -d "$PREFIX/lib/libportbook.so" | grep "soname: \[libportbook.so.$abi\]" >/dev/null
}

# compiled OUTPUT SOURCE [FLAG...]: as its comment says, by what pkg-config tells.
compiled() {
    local output=$1 source=$2
    shift 2
    cc -std=c11 -Wall -Wextra -Werror -g "$@" -o "$work/$output" "$source" "${flags[@]}" -lpthread
}

static_link() {
    cc -std=c11 -Wall -Wextra -Werror -g -o "$work/static" "$SCENARIO/scenario.c" -I"$PREFIX/include" \
        "$PREFIX/lib/libportbook.a" $(sed -n 's/^Libs.private: //p' "$PREFIX/lib/pkgconfig/portbook.pc")
}

# told PROGRAM [WRAPPER...]: the scenario of that program is the one that every language tells.
told() {
    local program=$1 dir
    shift
    dir=$(mktemp -d "$work/told.XXXXXX")
    timeout 300 "$@" "$work/$program" "$dir" >"$dir.said" 2>"$dir.err"
    local status=$?
    cat "$dir.err"
    diff "$SCENARIO/expected.txt" "$dir.said" && ((status == 0))
}

# survives PROGRAM [WRAPPER...]: the program says ok.
survives() {
    local program=$1 dir
    shift
    dir=$(mktemp -d "$work/survives.XXXXXX")
    timeout 600 "$@" "$work/$program" "$dir"
}

# A library that panics on demand: the installed one is that which people get.
panics() {
    cargo rustc --quiet --package portbook-ffi --lib --crate-type staticlib --features fault --target-dir "$TARGET" &&
        cp "$TARGET/debug/libportbook_ffi.a" "$work/libfault.a" &&
        cc -std=c11 -Wall -Wextra -Werror -g -o "$work/panic" "$SCENARIO/panic.c" -I"$PREFIX/include" "$work/libfault.a" \
            $(sed -n 's/^Libs.private: //p' "$PREFIX/lib/pkgconfig/portbook.pc") && survives panic
}

synced() {
    local dir=$work/synced
    mkdir -p "$dir/a" && echo hello >"$dir/a/file" && "$work/sync" "$dir/book.db" "$dir/a" "$dir/b" && cmp "$dir/a/file" "$dir/b/file"
}

vectors() { compiled vectors "$SCENARIO/vectors.c" && "$work/vectors" "$work" tests/vectors/pure.json; }

# Every function of the header, called with nothing and with nonsense.
nonsense() {
    "$SCENARIO/nonsense.sh" include/portbook.h >"$work/nonsense.c" && compiled nonsense "$work/nonsense.c" && survives nonsense
}

check installs installed
if ((failed)); then
    echo "test result: FAILED. $passed passed; $failed failed; 0 ignored"
    exit 1
fi
if command -v pkg-config >/dev/null; then
    read -ra flags < <(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --cflags --libs portbook)
else
    skip pkg_config "pkg-config is not installed"
    flags=("-I$PREFIX/include" "-L$PREFIX/lib" -lportbook)
fi
export LD_LIBRARY_PATH=$PREFIX/lib

check the_library_exports_what_the_header_declares exports
check the_library_is_named_by_its_abi named_by_its_abi
check the_example_builds compiled sync ffi/examples/sync.c
check the_example_syncs synced
check the_scenario_builds compiled scenario "$SCENARIO/scenario.c"
check the_scenario_is_told told scenario
check the_static_library_links static_link
check the_static_library_tells_it told static
check the_hostile_caller_builds compiled hostile "$SCENARIO/hostile.c"
check the_hostile_caller_is_survived survives hostile
check the_vectors_hold vectors
check nonsense_is_refused_by_every_function nonsense
check a_panic_is_internal_and_ends_nothing_but_its_call panics
check cycles_build compiled cycles "$SCENARIO/cycles.c" -O1
# From one arena: with many, glibc holds back some MiB more or less, by how the threads meet, and most on a machine that is busy.
check cycles_leave_memory_flat survives cycles env MALLOC_ARENA_MAX=1 "CYCLES=$($quick && echo 100 || echo 1000)"

sanitize=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
if echo 'int main(void) { return 0; }' | cc "${sanitize[@]}" -x c -o "$work/sanitized" - 2>/dev/null; then
    for program in scenario hostile nonsense; do
        source=$SCENARIO/$program.c
        [[ -f $source ]] || source=$work/$program.c
        check "${program}_builds_sanitized" compiled "$program-asan" "$source" "${sanitize[@]}"
    done
    check the_scenario_is_clean_sanitized told scenario-asan
    check the_hostile_caller_is_clean_sanitized survives hostile-asan
    check nonsense_is_clean_sanitized survives nonsense-asan
else
    skip sanitizers "cc has no AddressSanitizer"
fi

# What fuzzing begins with, and what it found worth keeping (tests/fuzz/run), carried out again.
fuzzed() { timeout 600 "$work/$1" tests/fuzz/corpus/*; }
fuzz_flags=(-std=gnu11 -Wall -Wextra -Werror -g "-I$work")
builds_fuzz() {
    tests/fuzz/calls.sh include/portbook.h >"$work/calls.inc" &&
        cc "${fuzz_flags[@]}" "${@:2}" -o "$work/$1" tests/fuzz/border.c "${flags[@]}" -lpthread
}
check the_fuzzed_programs_build builds_fuzz border
"$work/border" >"$work/ground" 2>&1
if (($? != 77)); then
    check the_fuzzed_programs_find_no_fault fuzzed border
    if [[ -x $work/sanitized ]]; then
        check the_fuzzed_programs_build_sanitized builds_fuzz border-asan "${sanitize[@]}"
        check the_fuzzed_programs_are_clean_sanitized fuzzed border-asan
    fi
else
    skip the_fuzzed_programs "$(tail -n 1 "$work/ground")"
fi

memory=(valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite
    --errors-for-leak-kinds=definite)
if $quick; then
    skip valgrind "--quick"
elif command -v valgrind >/dev/null; then
    check the_scenario_is_clean_under_valgrind told scenario "${memory[@]}"
    check the_hostile_caller_is_clean_under_valgrind survives hostile "${memory[@]}"
else
    skip valgrind "valgrind is not installed"
fi

verdict=ok
((failed)) && verdict=FAILED
# What was skipped counts as passed, as for the harness; whoever reads this takes it off.
echo "test result: $verdict. $((passed + skipped)) passed; $failed failed; 0 ignored"
((failed == 0))
