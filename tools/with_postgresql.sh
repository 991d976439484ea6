#!/usr/bin/env bash
# Runs a command against a PostgreSQL of its own: a fresh cluster in a temporary folder, on a free loopback port, gone afterwards.
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
base=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$base"
stop() { as "$bin/pg_ctl" -D "$base/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$base"; }
trap stop EXIT
cd "$base"
as "$bin/initdb" -D "$base/data" -U kequn -A trust -E UTF8 --no-locale >/dev/null
as "$bin/pg_ctl" -D "$base/data" -l "$base/log" -w -o "-p $port -k $base -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null
as "$bin/createdb" -h 127.0.0.1 -p "$port" -U kequn kequn
cd "$OLDPWD"
export KEQUN_DATABASE_URL="postgresql://kequn@127.0.0.1:$port/kequn"
export KEQUN_TEST_POSTGRES="$KEQUN_DATABASE_URL"
"$@"
