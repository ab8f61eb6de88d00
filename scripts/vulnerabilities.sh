#!/bin/sh
# vulnerabilities.sh: looks for known vulnerabilities in what the Go code calls, its modules and the
# standard library. The database is a module too: it comes from the module proxy, and no service is
# asked about this code.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
database=$PWD/build/vulnerabilities
mkdir -p "$database"
osv=$(cd "$database" && "$go" mod download -json golang.org/x/vulndb@latest | sed -n 's|^.*"Dir": "\(.*\)".*$|\1/data/osv|p')
"$go" run golang.org/x/vulndb/cmd/indexdb@latest -vulns "$osv" -out "$database"
exec "$go" run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -db "file://$database" ./...
