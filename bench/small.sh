#!/usr/bin/env bash
# Every bench at a size that a build machine bears: that they run and agree is checked here, what they say at full size is in docs/.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python bench/loop.py --rows 200000 --customers 5000 --rounds 1
.venv/bin/python bench/lift_coverage.py --runs 100
.venv/bin/python bench/events.py --customers 50000 --rounds 2
wide="$(mktemp -d)"
.venv/bin/python bench/facets.py --customers 50000 --rounds 1 --folder "$wide"
.venv/bin/python bench/index.py --customers 50000 --rounds 1 --folder "$wide"
rm -rf "$wide"
for bench in bench/outbox.py; do
  [ -f "$bench" ] && .venv/bin/python "$bench" --touches 500
done
.venv/bin/python bench/windows.py --rows 200000 --customers 15000 --rounds 1
desk=$(mktemp -d)
.venv/bin/python bench/desk.py --home "$desk" --customers 2000 --staff 20 --tasks 200 --settled 40 --users 2 --think 1 --seconds 2
rm -rf "$desk"
.venv/bin/python bench/claims.py --rounds 2
refresh=$(mktemp -d)
.venv/bin/python bench/refresh.py --customers 20000 --folder "$refresh" --rounds 1
rm -rf "$refresh"
