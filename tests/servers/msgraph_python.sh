#!/bin/sh
# Microsoft's SDK of Graph for Python, with the library that gets its tokens: msgraph_python.sh start DIR prints the interpreter
# that has them. There is nothing to stop.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    # Its thousands of generated modules are compiled when they are used. Its batches need a package that it does not ask for.
    bin=$(pypi msgraph-python --no-compile msgraph-sdk==1.65.0 azure-identity==1.27.0 Deprecated)
    echo "$bin/python"
}

obey "$@"
