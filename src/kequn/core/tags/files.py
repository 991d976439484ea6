"""The files of one refresh in the making: the population and one a tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from kequn.core.engine.store import Draft, TagState
from kequn.core.errors import TagFailed
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile, check_codes


@dataclass(slots=True)
class Outcome:
    """What a refresh wrote, and what failed."""

    population: str = ""
    customers: int = 0
    files: dict[str, TagState] = field(default_factory=dict)
    failed: dict[str, TagFailed] = field(default_factory=dict)


class Files:
    """The files of one refresh: the population and one a tag."""

    def __init__(self, draft: Draft, specs: list[TagSpec]) -> None:
        self.draft = draft
        self.specs = specs
        self.customers = 0
        self.names: dict[str, str] = {}
        self.open: dict[str, ColumnFile] = {}
        path, self.population_name = draft.new_file("population", "present")
        self.population = ColumnFile(path, pa.bool_())
        for spec in specs:
            path, self.names[spec.name] = draft.new_file("tags", spec.family, spec.name)
            self.open[spec.name] = ColumnFile(path, ARROW_OF_TYPE[spec.type])

    def add(self, values: pa.Table, failed: dict[str, TagFailed]) -> None:
        here = values.column("present")
        present = here.combine_chunks().to_numpy(zero_copy_only=False)
        self.population.write(here, present)
        self.customers += int(present.sum())
        for spec in self.specs:
            if spec.name in failed or spec.name not in values.column_names:
                continue
            try:
                check_codes(spec, values.column(spec.name))
            except TagFailed as error:
                failed[spec.name] = error
            else:
                self.open[spec.name].write(values.column(spec.name), present)

    def close(
        self, sound: list[str], failed: dict[str, TagFailed], inputs: Mapping[str, str], now: datetime
    ) -> Outcome:
        self.population.close()
        outcome = Outcome(self.population_name, self.customers, failed=failed)
        for spec in self.specs:
            if spec.name not in sound:
                self.open[spec.name].discard()
                continue
            self.open[spec.name].close()
            known = self.open[spec.name].known
            outcome.files[spec.name] = TagState(
                file=self.names[spec.name],
                fingerprint=spec.fingerprint(),
                known=known,
                computed_at=now,
                inputs=inputs[spec.name],
                type=spec.type,
            )
        return outcome
