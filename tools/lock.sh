#!/usr/bin/env bash
# Writes requirements/*.txt from requirements/*.in: one lock for Python 3.11 to 3.13, with hashes and without index addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
for name in base build node dev e2e; do
  .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
    "requirements/$name.in" -o "requirements/$name.txt"
done
