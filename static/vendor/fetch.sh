#!/bin/sh
# Fetch the vendored libraries anew from npm and compare them with what is checked in; replace on a
# difference, for git to show. Needs npm and sha256sum. README.md beside this file has the versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# fetch PACKAGE VERSION PATH-IN-PACKAGE...
fetch() {
    package=$1-$2.tgz
    npm pack --silent "$1@$2" >/dev/null
    tar -xzf "$package"
    shift 2
    for path in "$@"; do
        file=$(basename "$path")
        cmp -s "package/$path" "$here/$file" || { cp "package/$path" "$here/$file"; echo "replaced $file"; }
        sha256sum "$here/$file"
    done
    rm -rf package
}

fetch socket.io-client 4.8.4 dist/socket.io.esm.min.js
fetch uplot 1.6.32 dist/uPlot.esm.js dist/uPlot.min.css
