#!/usr/bin/env bash
# Builds the jar for Kotlin, runs its tests, and tells the scenario from the jar in a clean project.
#
#   tests/lib/kotlin.sh [--quick]
#
#   --quick   few cycles
#
# UPDATE_SOURCES=1 writes the generated sources of Kotlin anew. Prints what the harness of Rust prints: a line for each test,
# "SKIPPED name: why", and the counts.
set -uo pipefail
cd "$(dirname "$0")/../.."

readonly CARGO=$(realpath -m "${CARGO_TARGET_DIR:-target}")
readonly TARGET=$CARGO/kotlin SOURCE=$PWD/bindings/kotlin SCENARIO=$PWD/tests/scenario
readonly GENERATED=$SOURCE/src/main/kotlin/dev/portbook/portbook_ffi.kt
# Files have names that are not ASCII, which Java makes only where the locale has them.
export LC_ALL=C.UTF-8 MAVEN_OPTS=${MAVEN_OPTS:--Xmx1g}
cycles=1000
[[ ${1:-} == --quick ]] && cycles=300
passed=0 failed=0 skipped=0

work=$(mktemp -d "${TMPDIR:-/tmp}/portbook-kotlin.XXXXXX")
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: a test, which passes when the command does. What the command says is shown when it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "test kotlin::$name ... ok"
        passed=$((passed + 1))
    else
        sed 's/^/    /' "$work/said"
        echo "test kotlin::$name ... FAILED"
        failed=$((failed + 1))
    fi
}

skip() {
    echo "SKIPPED kotlin::$1: $2"
    skipped=$((skipped + 1))
}

finish() {
    local verdict=ok
    ((failed)) && verdict=FAILED
    # What was skipped counts as passed, as for the harness; whoever reads this takes it off.
    echo "test result: $verdict. $((passed + skipped)) passed; $failed failed; 0 ignored"
    exit $((failed > 0))
}

install_package() {
    [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || return 1
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } >/dev/null 2>&1
}

java_version() { javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p'; }

# With panics on demand, which one of the tests asks for.
readonly FEATURES=fault

maven() { mvn --batch-mode --no-transfer-progress -f "$SOURCE" "-Dcargo.target=$CARGO" "-Dcargo.options=--features $FEATURES" "$@"; }

# What Maven builds with, once for each version of the project.
dependencies() {
    mkdir -p "$TARGET"
    cmp -s "$SOURCE/pom.xml" "$TARGET/resolved" && return
    maven -q dependency:resolve dependency:resolve-plugins && cp "$SOURCE/pom.xml" "$TARGET/resolved"
}

library() { cargo build -p portbook-uniffi --features "$FEATURES" && cargo build -p portbook-uniffi-bindgen; }

built() { find "$CARGO/debug" -maxdepth 1 '(' -name libportbook_uniffi.so -o -name libportbook_uniffi.dylib ')'; }

# The generated sources are those that are checked in.
sources() {
    "$CARGO/debug/uniffi-bindgen" "$(built)" "$TARGET/generated" || return 1
    local made=$TARGET/generated/kotlin/dev/portbook/portbook_ffi.kt
    if [[ ${UPDATE_SOURCES:-} == 1 ]]; then cp "$made" "$GENERATED"; fi
    cmp "$GENERATED" "$made" || { diff "$GENERATED" "$made" | head -n 50 && return 1; }
}

jar() { ls "$TARGET"/maven/portbook-*.jar | grep -v -e '-sources\.jar$'; }

packages() {
    rm -rf "$TARGET/maven/surefire-reports" "$TARGET"/maven/portbook-*.jar "$TARGET/native"
    maven -Dmaven.test.failure.ignore=true "-DargLine=-Dportbook.cycles=$cycles" package
}

# Every test of Maven's as one of ours.
reported() {
    local line name reports=("$TARGET"/maven/surefire-reports/TEST-*.xml)
    [[ -e ${reports[0]} ]] || return 0
    while IFS=$'\t' read -r name line; do
        if [[ $line == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
        echo "test kotlin::$name ... $line"
    done < <(awk '
        /<testcase / {
            class = $0; sub(/.* classname="([a-z]+\.)*/, "", class); sub(/".*/, "", class)
            name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name); gsub(/[^A-Za-z0-9]+/, "_", name); sub(/_$/, "", name)
            verdict = "ok"; open = 1
        }
        /<(failure|error)[ >]/ { verdict = "FAILED" }
        open && (/<testcase .*\/>/ || /<\/testcase>/) { print class "::" name "\t" verdict; open = 0 }
    ' "${reports[@]}")
    # What failed says why.
    cat "$TARGET"/maven/surefire-reports/*.txt | awk '/<<< (FAILURE|ERROR)/ { shown = 12 } shown-- > 0 { print "    " $0 }'
}

# What the library has to have and nothing else: the calls of uniffi.
exports() { [[ $(nm -D --defined-only "$(built)" | awk '$2 == "T"' | grep -vcE ' (uniffi|ffi)_portbook_ffi| portbook_ffi_uniffi_reexport_hack$') == 0 ]]; }

holds() {
    unzip -l "$(jar)" >"$work/listing" 2>/dev/null || command jar tf "$(jar)" >"$work/listing"
    grep -q 'libportbook_uniffi\.' "$work/listing" && grep -q 'dev/portbook/Book.class' "$work/listing" && ! grep -q Test "$work/listing"
}

# What the README shows, each piece as a function, so that it is compiled.
shown() {
    echo 'import dev.portbook.*'
    echo 'import kotlinx.coroutines.*'
    awk '
        /^```kotlin$/ { open = 1; print "suspend fun CoroutineScope.piece" ++count "(session: Session, conduit: Conduit, target: Place) {"; next }
        /^```$/ && open { open = 0; print "}"; next }
        open && !/^import / { print }
    ' "$SOURCE/README.md"
}

# An empty project with a repository of its own, into which the jar was installed.
project() {
    local repository=$TARGET/clean version
    version=$(sed -n 's/^  <version>\(.*\)<\/version>$/\1/p' "$SOURCE/pom.xml")
    rm -rf "$repository/dev/portbook" "$work/project"
    mkdir -p "$work/project" && cp "$SOURCE"/examples/* "$SCENARIO/Scenario.kt" "$work/project" && shown >"$work/project/Readme.kt" && cd "$work/project" || return 1
    grep -q "<version>$version</version>" pom.xml || { echo "examples/pom.xml names another version than $version" && return 1; }
    # The compiler runs within Maven, and leaves no daemon.
    local mvn=(mvn --batch-mode --no-transfer-progress -q -Dkotlin.compiler.daemon=false "-Dmaven.repo.local=$repository")
    "${mvn[@]}" install:install-file "-Dfile=$(jar)" "-DpomFile=$SOURCE/pom.xml" &&
        "${mvn[@]}" compile dependency:build-classpath "-Dmdep.outputFile=$work/classpath"
}

run() { timeout 300 java -cp "$work/project/target/classes:$(<"$work/classpath")" "$@"; }

told() {
    mkdir "$work/told" && run dev.portbook.scenario.ScenarioKt "$work/told" >"$work/transcript" && diff "$SCENARIO/expected.txt" "$work/transcript"
}

# Also where the locale is not the story's.
first_sync() {
    mkdir -p "$work/a" && echo hello >"$work/a/file" &&
        LC_ALL=C run dev.portbook.examples.FirstSyncKt "$work/first.db" "$work/a" "$work/b" && cmp "$work/a/file" "$work/b/file"
}

served() { run dev.portbook.examples.NotesKt "$work/notes.db" "$work/notes" && [[ $(<"$work/notes/today") == "buy bread" ]]; }

version=$(java_version)
if ((${version:-0} < 11)); then install_package openjdk-17-jdk-headless || install_package default-jdk-headless; fi
command -v mvn >/dev/null || install_package maven
version=$(java_version)
if ((${version:-0} < 11)); then
    skip all "a JDK of 11 or later is needed: apt-get install default-jdk-headless (as root)"
    finish
fi
if ! command -v mvn >/dev/null; then
    skip all "Maven is needed: apt-get install maven (as root)"
    finish
fi
check the_library_builds library
((failed)) && finish
check the_sources_are_those_that_uniffi_generates sources
if ! dependencies >"$work/said" 2>&1; then
    skip all "what the jar is built with could not be had from Maven's repository: $(grep -m 1 ERROR "$work/said")"
    finish
fi
check the_jar_is_built packages
reported
((failed)) && finish
check the_library_exports_what_is_called exports
check the_jar_holds_the_library holds
check installs_into_an_empty_project project
check the_scenario_is_told told
check the_first_example_syncs first_sync
check the_second_example_serves served
finish
