"""A process that is killed while it writes the index leaves the last one that was published, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import build_index
from kequn.core.engine.index.plan import Known, Range
from kequn.core.engine.store import Store
from tests.core.engine.wide_bank import AS_OF, NOW, make_values, write_date

ROOT = Path(__file__).resolve().parents[3]
SIZE = 20_000
REFRESHES = """
import sys
from pathlib import Path
from tests.core.engine.test_index_killed import refresh
store, seed = sys.argv[1], int(sys.argv[2])
refresh(Path(store), 0)
print("ready", flush=True)
while True:
    seed += 1
    refresh(Path(store), seed)
"""


def refresh(root: Path, seed: int) -> None:
    """Write a date's tags and their index, and publish them, as a refresh does."""
    store = Store(root)
    with store.writing(now=NOW) as draft:
        state = write_date(draft, make_values(seed % 3, SIZE), [True] * SIZE)
        draft.manifest.extra["seed"] = seed % 3
        build_index(store, state)


def whole(root: Path) -> None:
    """The index says of every tag what the published column files say."""
    store = Store(root)
    manifest = store.manifest()
    values, engine = make_values(manifest.extra["seed"], SIZE), Engine(store, manifest)
    index = engine.index(AS_OF)
    for name, column in values.items():
        known = [i for i, value in enumerate(column) if value is not None]
        assert np.array_equal(index.ids(Known(name)), np.array(known, dtype=np.uint32))
    rich = [i for i, value in enumerate(values["asset_aum"]) if value is not None and value >= 5_000_000]
    assert index.ids(Range("asset_aum", 5_000_000)).tolist() == rich
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.05, 0.3, 0.6, 0.9, 1.3])
def test_the_last_good_index_serves_after_a_kill(tmp_path: Path, after: float):
    command = [sys.executable, "-c", REFRESHES, str(tmp_path), str(int(after * 100))]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
    whole(tmp_path)
    refresh(tmp_path, 1)
    refresh(tmp_path, 2)
    whole(tmp_path)
    assert not list(tmp_path.glob("index/*/.*"))


@pytest.mark.slow
def test_a_reader_goes_on_with_its_index_while_others_are_published(tmp_path: Path):
    refresh(tmp_path, 0)
    engine = Engine(Store(tmp_path))
    index = engine.index(AS_OF)
    before = {name: index.count(Known(name)) for name in index.columns}
    for seed in (1, 2, 0, 1):
        refresh(tmp_path, seed)
    assert {name: index.count(Known(name)) for name in index.columns} == before
    engine.close()
