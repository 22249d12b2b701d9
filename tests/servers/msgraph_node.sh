#!/bin/sh
# Microsoft's client of Graph for Node, with the library that gets its tokens: msgraph_node.sh start DIR prints the program `node`
# and the directory that has them in node_modules. There is nothing to stop.
set -eu
. "$(dirname "$0")/lib.sh"

start() {
    npm_packages msgraph-node @microsoft/microsoft-graph-client@3.0.7 @azure/identity@4.13.1
    echo "$(command -v node) $modules"
}

obey "$@"
