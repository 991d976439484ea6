"""What the starter bank's customers did in a window, given who was really contacted, and what is true of it.

The answers arrive as the bank's files do: new rows of the ledger, the behaviour log, contacts, service and consents,
and the holdings on the last day. They load by the same source specs; the individual truth is returned and never loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from kequn.core.data.starter import behaviour, raw
from kequn.core.data.starter.bank import read_truth
from kequn.core.data.starter.block import Block, block_of
from kequn.core.data.starter.causes import ANSWER_FORM, CHANNELS, Minds, Touches, chances, gains, minds
from kequn.core.data.starter.draws import BLOCK, Bools, Floats, Ints, day, stream, yyyymmdd
from kequn.core.data.starter.files import FILES, CsvFile, ParquetFile, opened
from kequn.core.data.starter.flows import ledger_of
from kequn.core.data.starter.kinds import DO_NOT_DISTURB
from kequn.core.data.starter.later import Purchases, later_rows
from kequn.core.data.starter.ledger import APP, CNT, Span
from kequn.core.data.starter.people import blocks
from kequn.core.data.starter.products import NUMBER, PRODUCTS
from kequn.core.errors import NoData

GROWING = ("transactions", "holdings", "events", "contacts", "service", "consents")


@dataclass(frozen=True, slots=True)
class Contacted:
    """One contact that was really made: who, how, with which product (its code), when, and whether it was delivered."""

    customer_no: str
    channel: str
    offer: str
    at: datetime
    delivered: bool = True
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """The true average effect on a set of customers: contacts against no contacts at all.

    ``expected`` is in chances, ``realised`` counts who bought; ``growth`` is the realised effect on yuan a head.
    """

    n: int
    expected: float
    realised: float
    growth: float
    rate: float
    rate_alone: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The truth of one window for every customer of the bank, by position.

    ``chance`` and ``bought`` in the world with the contacts, ``…_alone`` without any; ``growth`` in yuan is the new
    money that a purchase brought into the bank.
    """

    start_on: date
    as_of: date
    folder: Path
    rows: dict[str, int]
    chance: Floats
    chance_alone: Floats
    bought: Bools
    bought_alone: Bools
    growth: Floats
    growth_alone: Floats
    kind: Ints
    touched: Bools

    def effect(self, customer_nos: Sequence[str]) -> Effect:
        """Return the true average effect on these customers; for a treated arm its intention-to-treat effect."""
        mine = raw.positions_of(list(customer_nos))
        if not len(mine) or mine.max() >= len(self.bought):
            raise NoData("The set is empty or holds customers whom the starter bank does not have.")
        bought, alone = self.bought[mine], self.bought_alone[mine]
        return Effect(
            n=len(mine),
            expected=float((self.chance[mine] - self.chance_alone[mine]).mean()),
            realised=float(bought.mean() - alone.mean()),
            growth=float((self.growth[mine] - self.growth_alone[mine]).mean()),
            rate=float(bought.mean()),
            rate_alone=float(alone.mean()),
        )


def respond(
    folder: Path,
    contacts: Iterable[Contacted],
    *,
    seed: int,
    start_on: date,
    days: int,
    out: Path,
    spillover: float = 0.15,
) -> Outcome:
    """Let the customers of the bank in ``folder`` live through a window and write what they did into ``out``.

    The window is ``days`` days from ``start_on``. The same ``seed`` gives every customer the same answer in both
    worlds and under any contacts. ``spillover`` is the share of a treated member's gain that reaches an untreated
    member of the household; with 0 nobody is touched by the contacts of others.

    Raises:
        NoData: a contact names a customer, channel or product that the bank does not have.
    """
    truth = read_truth(folder)
    last = start_on + timedelta(days=days - 1)
    made = _by_block(list(contacts), truth.customers)
    out.mkdir(parents=True, exist_ok=True)
    window = _Window(seed, start_on, last, days, spillover)
    parts: list[_Answer] = []
    with ExitStack() as stack:
        files: dict[str, CsvFile | ParquetFile] = {}
        for name in GROWING:
            files[name] = opened(out / FILES[name], name)
            stack.callback(files[name].close)
        for number, size in blocks(truth.customers):
            part = block_of(truth.seed, number, size, truth.as_of)
            answer = _answer(part, made.get(number, _NOBODY), window)
            _write(files, part, answer, window, truth.as_of)
            parts.append(answer)
        rows = {name: file.rows for name, file in files.items()}
    return _outcome(parts, [size for _, size in blocks(truth.customers)], window, out, rows)


@dataclass(frozen=True, slots=True)
class _Window:
    seed: int
    start: date
    last: date
    days: int
    spillover: float


@dataclass(frozen=True, slots=True)
class _Made:
    """The contacts of one block: where they act, and what the contact file says of them."""

    touches: Touches
    hour: Ints
    campaign: tuple[str, ...]


_NONE = np.zeros(0, dtype=np.int64)
_NOBODY = _Made(Touches(_NONE, _NONE, _NONE, _NONE, np.zeros(0, dtype=np.bool_)), _NONE, ())


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one block did, in both worlds."""

    made: _Made
    mind: Minds
    treated: Bools
    chance: Floats
    alone: Floats
    bought: Bools
    bought_alone: Bools


def _by_block(contacts: list[Contacted], customers: int) -> dict[int, _Made]:
    for contact in contacts:
        if contact.channel not in CHANNELS or contact.offer not in NUMBER:
            raise NoData(
                f"The starter bank has no channel {contact.channel!r} or no product {contact.offer!r}.",
                hint=f"Channels: {', '.join(CHANNELS)}. `offer` is a product code such as WM206.",
            )
    number = raw.positions_of([c.customer_no for c in contacts]) if contacts else _NONE
    if len(number) and number.max() >= customers:
        unknown = contacts[int(number.argmax())].customer_no
        raise NoData(f"The starter bank has no customer {unknown!r}.", hint="Contact customers of its files.")
    order = np.argsort(number, kind="stable")
    made: dict[int, _Made] = {}
    for block in np.unique(number // BLOCK):
        mine = order[(number[order] // BLOCK) == block]
        chosen = [contacts[i] for i in mine]
        touches = Touches(
            who=number[mine] % BLOCK,
            channel=np.array([CHANNELS.index(c.channel) for c in chosen], dtype=np.int64),
            product=np.array([NUMBER[c.offer] for c in chosen], dtype=np.int64),
            day=np.array([day(c.at.date()) for c in chosen], dtype=np.int64),
            delivered=np.array([c.delivered for c in chosen], dtype=np.bool_),
        )
        hours = np.array([c.at.hour for c in chosen], dtype=np.int64)
        made[int(block)] = _Made(touches, hours, tuple(c.campaign for c in chosen))
    return made


def _answer(part: Block, made: _Made, window: _Window) -> _Answer:
    mind = minds(part, seed=window.seed, start=window.start, days=window.days)
    touches = made.touches
    inside = (touches.day >= day(window.start)) & (touches.day <= day(window.last))
    acting = Touches(touches.who, touches.channel, touches.product, touches.day, touches.delivered & inside)
    treated = np.zeros(len(part.who), dtype=np.bool_)
    treated[acting.who[acting.delivered]] = True
    home = part.who.household
    own = gains(part, mind, acting)
    chance = chances(mind.alone, own, treated, home, spillover=window.spillover)
    alone = chances(mind.alone, np.zeros_like(own), np.zeros_like(treated), home, spillover=0.0)
    return _Answer(made, mind, treated, chance, alone, mind.answer < chance, mind.answer < alone)


def _write(
    files: Mapping[str, CsvFile | ParquetFile], part: Block, answer: _Answer, window: _Window, as_of: date
) -> None:
    who, seed, size = part.who, part.seed, part.size
    base = int(yyyymmdd(np.array([day(window.start)]))[0]) * 10**11 + who.block * raw.ROW_BASE
    bought = _purchases(part, answer, window)
    book = ledger_of(part, Span(window.start, window.start, window.last, as_of))
    book.add(bought.who, bought.day, bought.amount, "purchase", into=False, product=bought.product, external=False,
             channel=np.where(who.app[bought.who], APP, CNT), online=who.app[bought.who],
             second=bought.second)  # fmt: skip
    book.add(bought.who, bought.day, bought.fresh, "own_transfer", into=True, second=bought.second - 600,
             other=5_000_000_000 + who.number[bought.who], channel=APP)  # fmt: skip
    columns = book.sorted_columns(day(window.start), day(window.last), who.opened, size)
    events = behaviour.events(seed, who, start=window.start, end=window.last)
    services = behaviour.services(seed, who, start=window.start, end=window.last)
    tables = {
        "transactions": raw.transaction_table(who, columns, base),
        "holdings": raw.holding_table(who, later_rows(part, bought, last=window.last, seed=window.seed)),
        "events": raw.event_table(who, events, base),
        "contacts": _contacts(part, answer, window, base),
        "service": raw.service_table(who, _annoyed(part, answer, services, window), base),
        "consents": raw.consent_table(who, _opt_outs(part, answer, window)),
    }
    for name, table in tables.items():
        files[name].write(raw.only(table, part))


def _purchases(part: Block, answer: _Answer, window: _Window) -> Purchases:
    """Who buys what on which day for how much: the treated what they were offered, a few days after the contact."""
    rng = stream(window.seed, f"purchases {window.start}", part.who.block)
    n = len(part.who)
    usual = np.where(
        part.who.age >= 58, NUMBER["TD012"], np.where(part.who.wealth < 10_000, NUMBER["WM101"], NUMBER["WM206"])
    )
    on = day(window.start) + rng.integers(0, window.days, n)
    wait, second = rng.geometric(0.25, n), rng.integers(9 * 3600, 21 * 3600, n)
    touches = answer.made.touches
    product = usual.copy()
    for number in np.flatnonzero(touches.delivered & answer.treated[touches.who])[
        ::-1
    ]:  # backwards, so that the first contact has the last word
        w = touches.who[number]
        product[w] = touches.product[number]
        on[w] = min(touches.day[number] + wait[w], day(window.last))
    minimum = np.array([p.minimum for p in PRODUCTS])[product]
    amount = answer.mind.internal + answer.mind.fresh
    product = np.where(amount < minimum, NUMBER["WM101"], product)
    w = np.flatnonzero(answer.bought)
    return Purchases(w, product[w], on[w], second[w], answer.mind.internal[w], answer.mind.fresh[w])


def _contacts(part: Block, answer: _Answer, window: _Window, base: int) -> pa.Table:
    """The contacts as the bank's ledger has them, with who answered."""
    made, who = answer.made, part.who
    touches = made.touches
    n = len(touches.who)
    rng = stream(window.seed, f"replies {window.start}", who.block)
    channel = ANSWER_FORM[touches.channel]
    likely = behaviour.RESPONSE[channel] * behaviour.favourite(who, touches.who, channel)
    replied = touches.delivered & (answer.bought[touches.who] | (rng.random(n) < likely))
    names = tuple(dict.fromkeys(made.campaign))
    campaign = np.array([names.index(c) if c else -1 for c in made.campaign], dtype=np.int64)
    good = np.array((2, 2, 7, 3, 2, 6))[channel]
    rows = behaviour.Contacts(
        who=touches.who, day=touches.day, hour=made.hour,
        channel=np.where(touches.channel == CHANNELS.index("file_drop"), 6, channel),
        purpose=np.zeros(n, dtype=np.int64),
        campaign=campaign, outcome=np.where(replied, good, np.where(touches.delivered, 0, 1)),
        answered_on=np.where(replied, np.minimum(touches.day + rng.integers(0, 3, n), day(window.last)), -1),
        answer_hour=np.where(replied, rng.integers(9, 22, n), -1), benefit=np.zeros(n, dtype=np.int64),
    )  # fmt: skip
    return raw.contact_table(who, rows, base, names or ("",))


def _annoyed(part: Block, answer: _Answer, usual: behaviour.Services, window: _Window) -> behaviour.Services:
    """The window's service rows, and the complaints of those whom the contacts annoyed."""
    w, on, _ = _upset(part, answer, window, "complaints", (0.0006, 0.015))
    n = len(w)
    return behaviour.Services(
        who=np.concatenate((usual.who, w)), day=np.concatenate((usual.day, on)),
        kind=np.concatenate((usual.kind, np.ones(n, dtype=np.int64))),
        topic=np.concatenate((usual.topic, np.full(n, 2))),
        open=np.concatenate((usual.open, np.ones(n, dtype=np.bool_))),
    )  # fmt: skip


def _opt_outs(part: Block, answer: _Answer, window: _Window) -> behaviour.Consents:
    """Those who will not be contacted on that channel any more."""
    w, on, channel = _upset(part, answer, window, "opt-outs", (0.002, 0.03))
    code = np.array((0, 2, 3, 4, 1, 5, 0))[channel]
    return behaviour.Consents(w, code, np.zeros(len(w), dtype=np.bool_), on, np.full(len(w), -1))


def _upset(
    part: Block, answer: _Answer, window: _Window, what: str, rates: tuple[float, float]
) -> tuple[Ints, Ints, Ints]:
    """Customers upset by a delivered contact, day, channel; the second rate is for those not to be disturbed."""
    touches = answer.made.touches
    rng = stream(window.seed, f"{what} {window.start}", part.who.block)
    shy = answer.mind.kind[touches.who] == DO_NOT_DISTURB
    upset = touches.delivered & (rng.random(len(touches.who)) < np.where(shy, rates[1], rates[0]))
    first = np.flatnonzero(upset)
    _, once = np.unique(touches.who[first] * 10 + touches.channel[first], return_index=True)
    kept = first[once]
    on = np.minimum(touches.day[kept] + rng.integers(0, 3, len(kept)), day(window.last))
    return touches.who[kept], on, touches.channel[kept]


def _outcome(parts: list[_Answer], sizes: list[int], window: _Window, out: Path, rows: dict[str, int]) -> Outcome:
    pairs = list(zip(parts, sizes, strict=True))
    bought = np.concatenate([a.bought[:n] for a, n in pairs])
    alone = np.concatenate([a.bought_alone[:n] for a, n in pairs])
    fresh = np.concatenate([a.mind.fresh[:n] for a, n in pairs])
    return Outcome(
        start_on=window.start, as_of=window.last, folder=out, rows=rows,
        chance=np.concatenate([a.chance[:n] for a, n in pairs]),
        chance_alone=np.concatenate([a.alone[:n] for a, n in pairs]), bought=bought, bought_alone=alone,
        growth=bought * fresh, growth_alone=alone * fresh,
        kind=np.concatenate([a.mind.kind[:n] for a, n in pairs]),
        touched=np.concatenate([a.treated[:n] for a, n in pairs]),
    )  # fmt: skip
