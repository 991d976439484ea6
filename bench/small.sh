#!/usr/bin/env bash
# Every bench at a size that a build machine bears: that they run and agree is checked here, what they say at full size is in docs/.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python bench/loop.py --rows 200000 --customers 5000 --rounds 1
.venv/bin/python bench/lift_coverage.py --runs 100
for bench in bench/outbox.py; do
  [ -f "$bench" ] && .venv/bin/python "$bench" --touches 500
done
