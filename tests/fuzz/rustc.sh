#!/bin/sh
# A wrapper of rustc that has the two crates of this repository tell AFL++ which ways they take. The pass is LLVM's own and a flag of
# the stable compiler; what it calls is in afl-clang-fast's runtime. Build scripts and other people's crates stay as they are.

case " $* " in
*" --crate-name portbook "* | *" --crate-name portbook_ffi "*)
    exec "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 -C llvm-args=-sanitizer-coverage-trace-pc-guard
    ;;
esac
exec "$@"
