#!/bin/sh
# Fetch the vendored libraries anew from npm and compare them with what is checked in; replace on a
# difference, for git to show. Needs npm and sha256sum. README.md beside this file has the versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# fetch PACKAGE VERSION PATH-IN-PACKAGE
fetch() {
    npm pack --silent "$1@$2" >/dev/null
    tar -xzf "$1-$2.tgz"
    file=$(basename "$3")
    cmp -s "package/$3" "$here/$file" || { cp "package/$3" "$here/$file"; echo "replaced $file"; }
    sha256sum "$here/$file"
    rm -rf package
}

fetch socket.io-client 4.8.4 dist/socket.io.esm.min.js
