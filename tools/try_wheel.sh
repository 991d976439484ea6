#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment that has no node, serves, and opens the login page with its assets.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
server=
.venv/bin/python -m pip -q --disable-pip-version-check wheel . --no-deps --no-build-isolation -w "$work/dist"
python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')
"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip -q --disable-pip-version-check install --require-hashes -r requirements/base.txt
"$work/env/bin/python" -m pip -q --disable-pip-version-check install --no-deps --no-index "$work"/dist/kequn-*.whl
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$work"
env -i HOME="$work" PATH="$work/env/bin:/usr/bin:/bin" KEQUN_HOME="$work/home" "$work/env/bin/kequn" serve --port "$port" --no-background >serve.log 2>&1 &
server=$!
"$python" - "$port" <<'PY'
import re, sys, time, urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(60):
    try:
        page = urllib.request.urlopen(base + "/login/", timeout=5).read().decode()
        break
    except OSError:
        time.sleep(1)
else:
    sys.exit("the login page did not answer: " + open("serve.log").read())
assets = re.findall(r'(?:src|href)="(/static/[^"#]+)', page)
assert any("vendor" in a for a in assets), assets
for asset in assets:
    answer = urllib.request.urlopen(base + asset, timeout=5)
    assert answer.status == 200 and len(answer.read()) > 100, asset
assert 'name="password"' in page
print(f"wheel: the login page and {len(assets)} assets are served without node")
PY
