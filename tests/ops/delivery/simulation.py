"""A world in one thread and with a clock of its own, in which the outbox's real code is killed, paused and lied to.

Workers are the dispatcher's generators; the scheduler decides by a seed who goes next, who dies and who sleeps. The gateway
outlives them all and counts. Same seed, same story.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction

from kequn.channels.base import (
    Accepted,
    Answer,
    Finding,
    Guarantee,
    Message,
    NotSeen,
    Receipt,
    Refused,
    Terms,
    TryLater,
    Unclear,
)
from kequn.ops import runtime
from kequn.ops.delivery import queries, receipts, services
from kequn.ops.delivery.contracts import Allow, Block, DispatchReport, NewTouch, Pending, SettleReport, Verdict
from kequn.ops.delivery.dispatch import Line, dispatch, settle_channel
from kequn.ops.delivery.models import (
    Account,
    Contact,
    ContactVersion,
    InFlight,
    Outcome,
    Ready,
    ReceiptEntry,
    Sending,
    Stop,
    Touch,
    Unknown,
)
from kequn.ops.delivery.outbox import Outbox
from kequn.ops.delivery.states import NOT_SENT
from kequn.ops.orgs.actor import Actor, system_actor

EPOCH = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
CUSTOMERS = 6
CAP = 2
SETTLING = 15.0
LONGEST_CALL = 3.0
REACTION = 0.11
"""Seconds after a stop or a refusal in which a call may still begin."""
TABLES = (Outcome, Unknown, InFlight, Ready, ReceiptEntry, Contact, ContactVersion, Stop, Account, Touch, Sending)


class Killed(Exception):
    """The process is gone; what it had not committed never was."""


@dataclass
class Violation(Exception):
    """A promise that was broken, with the seed that shows it."""

    seed: int
    promise: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.promise}"


class MortalOutbox(Outbox):
    """The outbox of a worker that may be killed within a transaction."""

    world: World

    def claim(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        return self._mortal(super().claim, *args, **more)

    def settle(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        return self._mortal(super().settle, *args, **more)

    def give_back(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        return self._mortal(super().give_back, *args, **more)

    def sweep(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        return self._mortal(super().sweep, *args, **more)

    def resolve(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        return self._mortal(super().resolve, *args, **more)

    def _mortal(self, step: Callable[..., object], *args: object, **more: object) -> object:
        world = self.world
        if world.calm or world.draw.random() >= world.odds.kill_in_transaction:
            return step(*args, **more)
        with transaction.atomic():
            step(*args, **more)
            raise Killed


@dataclass(frozen=True)
class Odds:
    """How often things go wrong."""

    kill: float = 0.04
    kill_in_transaction: float = 0.03
    pause: float = 0.12
    lost: float = 0.08
    late: float = 0.16
    unclear_after: float = 0.12
    certain_no: float = 0.12


@dataclass
class SimGateway:
    """The outside: what it has taken it has sent to a customer, and nothing undoes that."""

    world: World
    guarantee: Guarantee
    settling: float = SETTLING
    counted: Counter[str] = field(default_factory=Counter)
    by_customer: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    on_the_wire: list[tuple[float, Message]] = field(default_factory=list)
    began: list[tuple[float, Message]] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    @property
    def terms(self) -> Terms:
        return Terms(
            self.guarantee,
            settling=timedelta(seconds=self.settling),
            longest_call=timedelta(seconds=LONGEST_CALL),
            max_batch=3 if self.guarantee == "opaque" else 5,
        )

    def send(self, message: Message) -> Answer:
        world, draw = self.world, self.world.draw
        self.began.append((world.seconds, message))
        fate = 1.0 if world.calm else draw.random()
        took = draw.uniform(0.01, LONGEST_CALL * 0.9)
        odds, refused = world.odds, message.customer_ref in world.unreachable
        faults: list[tuple[float, Answer]] = [
            (odds.certain_no, TryLater("http_429")),
            (odds.lost, Unclear("timeout")),
            (odds.late, Unclear("late")),
            (odds.unclear_after, Unclear("http_500")),
        ]
        answer: Answer = Refused("bad_number") if refused else Accepted()
        for share, fault in faults:
            if 0 <= fate < share:
                answer = fault
            fate -= share
        if not refused:
            match answer:
                case Accepted() | Unclear("http_500"):
                    self._take(message)
                case Unclear("late"):
                    self.on_the_wire.append((world.seconds + draw.uniform(0, SETTLING * 0.95), message))
        world.seconds += took
        return answer

    def ask(self, key: str) -> Finding:
        self.arrive()
        self.world.seconds += self.world.draw.uniform(0.01, 1.0)
        if not self.world.calm and self.world.draw.random() < self.world.odds.lost:
            return Unclear("timeout")
        return Accepted() if self.counted[key] else NotSeen()

    def arrive(self) -> None:
        """Take what was on its way, though its sender may be dead."""
        for at, message in [w for w in self.on_the_wire if w[0] <= self.world.seconds]:
            self._take(message)
            self.on_the_wire.remove((at, message))

    def _take(self, message: Message) -> None:
        if self.guarantee == "keeps_keys" and self.counted[message.key]:
            return
        self.counted[message.key] += 1
        self.by_customer[message.customer_ref].add(message.key)
        at = EPOCH + timedelta(seconds=self.world.seconds)
        self.receipts.append(Receipt("sim", message.key, "delivered", at))


@dataclass
class SimWorker:
    """A process: its work, and when it wakes."""

    work: Callable[[], Iterator[str]]
    running: Iterator[str] | None = None
    wakes: float = 0.0


class World:
    """Everything that happens under one seed."""

    def __init__(
        self,
        seed: int,
        actor: Actor,
        *,
        outbox: type[MortalOutbox] = MortalOutbox,
        odds: Odds | None = None,
        skew: float = 0.0,
        settling: float = SETTLING,
        guarantee: Guarantee | None = None,
    ) -> None:
        self.seed, self.actor = seed, actor
        self.draw = random.Random(seed)
        self.odds = odds or Odds()
        self.seconds = 0.0
        self.calm = False
        self.kills = self.pauses = 0
        self.stopped: list[tuple[float, float]] = []
        self.refusals: dict[str, float] = {}
        chosen = guarantee or self.draw.choice(["answers", "answers", "keeps_keys", "receipts_only", "opaque"])
        self.gateway = SimGateway(self, chosen, settling)
        self.line = Line("sms", self.gateway)
        self.unreachable = set(self.draw.sample([f"c{i}" for i in range(CUSTOMERS)], 1))
        self._outbox_type, self._skew = outbox, skew
        runtime.runtime().clock = self.now
        self.workers = [SimWorker(self._dispatcher(n)) for n in range(3)]
        self.workers += [SimWorker(self._settler(n)) for n in range(2)]
        self.workers.append(SimWorker(self._outsider))

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def run(self, steps: int = 130) -> World:
        """Live through the seed.

        Raises:
            Violation: a promise was broken.
        """
        self._begin()
        for _ in range(steps):
            self.seconds += self.draw.expovariate(2.0)
            self.gateway.arrive()
            self._step(self.draw.choice(self.workers))
            if not any(table.objects.exists() for table in (Ready, InFlight, Unknown)):
                break
        self._everywhere_once()
        self._calm_down()
        self._judge()
        return self

    # what happens

    def _begin(self) -> None:
        for table in TABLES:
            table.objects.all().delete()
        for wave in ("w1", "w2", "w3"):
            rows = [
                NewTouch(
                    customer_id=f"c{i}", channel="sms", campaign=f"campaign_{wave}", template="abc", body="您好",
                    priority=self.draw.choice([40, 60]), expires_at=EPOCH + timedelta(seconds=self.draw.choice([40, 400, 4_000])),
                )
                for i in range(CUSTOMERS)
            ]  # fmt: skip
            services.create_touches(self.actor, wave, rows)

    def _step(self, worker: SimWorker) -> None:
        if worker.wakes > self.seconds:
            return
        if worker.running is None:
            worker.running = worker.work()
        try:
            next(worker.running)
        except (StopIteration, Killed):
            worker.running = None
            return
        if self.calm:
            return
        fate = self.draw.random()
        if fate < self.odds.kill:
            self.kills += 1
            worker.running = None
            worker.wakes = self.seconds + self.draw.uniform(0, 5)
        elif fate < self.odds.kill + self.odds.pause:
            self.pauses += 1
            worker.wakes = self.seconds + self.draw.choice([1.0, 5.0, 15.0, 30.0, 60.0])

    def _outbox(self) -> MortalOutbox:
        skew = timedelta(seconds=self.draw.uniform(-self._skew, self._skew))
        local = timedelta(seconds=self.draw.uniform(-0.05, 0.05))
        outbox = self._outbox_type(
            clock=lambda: self.now() + local,
            database_clock=lambda: self.now() + skew,
            steady_clock=lambda: self.seconds + 1_000,
            rng=self.draw,
            lease_spare=timedelta(seconds=2),
        )
        outbox.world = self
        return outbox

    def _dispatcher(self, n: int) -> Callable[[], Iterator[str]]:
        def work() -> Iterator[str]:
            yield from dispatch(
                self._outbox(), self.line, DispatchReport(), gate=self._gate, addresses=_everybody, limit=5
            )

        return work

    def _settler(self, n: int) -> Callable[[], Iterator[str]]:
        def work() -> Iterator[str]:
            outbox = self._outbox()
            outbox.sweep(lambda channel: self.gateway.terms)
            yield "swept"
            yield from settle_channel(outbox, self.line, SettleReport(), limit=5)

        return work

    def _outsider(self) -> Iterator[str]:
        """Receipts in any order and number, an operator, and customers who refuse."""
        match self.draw.randrange(6):
            case 0 | 1 if self.gateway.receipts and self.gateway.guarantee != "opaque":
                batch = self.draw.choices(self.gateway.receipts, k=3)
                receipts.record(batch, at=self.now())
            case 2 if self.stopped and self.stopped[-1][1] == float("inf"):
                Stop.objects.filter(scope__in=["all", "campaign"]).delete()
                self.stopped[-1] = (self.stopped[-1][0], self.seconds)
            case 2 | 3 if not self.stopped and self.seconds > 5:
                Stop.objects.create(scope="all", key="", by="operator", at=self.now())
                self.stopped.append((self.seconds, float("inf")))
            case 4 if len(self.refusals) < 2 and self.seconds > 3:
                customer = f"c{self.draw.randrange(CUSTOMERS)}"
                services.cancel_for_customer(system_actor(), customer)
                self.refusals.setdefault(customer, self.seconds)
        yield "outside"

    def _gate(self, touches: Sequence[Pending], now: datetime) -> Sequence[Verdict]:
        """Two contacts a customer, and none after she refused."""
        made = queries.contacts_since([t.customer_id for t in touches], EPOCH.date(), without=[t.key for t in touches])
        contacts = Counter(c.customer_id for c in made)
        return [self._verdict(t, contacts) for t in touches]

    def _verdict(self, touch: Pending, contacts: Mapping[str, int]) -> Verdict:
        if touch.customer_id in self.refusals:
            return Block("OPTED_OUT")
        return Block("FREQUENCY") if contacts.get(touch.customer_id, 0) >= CAP else Allow()

    def _calm_down(self) -> None:
        """No more kills: everything has to come to its end by itself."""
        self.calm = True
        if self.stopped and self.stopped[-1][1] == float("inf"):
            self.stopped[-1] = (self.stopped[-1][0], self.seconds)
        Stop.objects.all().delete()
        for _ in range(60):
            for worker in self.workers[:-1]:
                worker.wakes = 0.0
                for _ in range(60):
                    self._step(worker)
                    if worker.running is None:
                        break
            waiting = [t for t in (Ready, InFlight, Unknown) if t.objects.exists()]
            if not waiting:
                return
            self.seconds += (
                80.0 if waiting != [Unknown] or self.gateway.guarantee in ("answers", "keeps_keys") else 90_000
            )
            self.gateway.arrive()
        raise Violation(self.seed, f"not finished: {[t.__name__ for t in waiting]}")

    # what was promised

    def _everywhere_once(self) -> None:
        places: Counter[int] = Counter()
        for table in (Ready, InFlight, Unknown):
            places.update(table.objects.values_list("touch_id", flat=True))
        places.update(Outcome.objects.filter(stage=1).values_list("touch_id", flat=True))
        for touch_id in Touch.objects.values_list("pk", flat=True):
            self._promise(places[touch_id] == 1, f"touch {touch_id} stands in {places[touch_id]} places")

    def _judge(self) -> None:
        gateway, outcomes = self.gateway, self._outcomes()
        self._everywhere_once()
        for key, n in gateway.counted.items():
            self._promise(n <= 1, f"{key[:6]} was sent {n} times")
        certain = gateway.guarantee in ("answers", "keeps_keys")
        for key, (state, customer) in outcomes.items():
            if state == "accepted":
                self._promise(gateway.counted[key] == 1, f"{key[:6]} is booked as accepted and was never sent")
            if state in NOT_SENT:
                self._promise(gateway.counted[key] == 0, f"{key[:6]} is booked as {state} and was sent")
            if state == "presumed_sent" and gateway.guarantee == "answers":
                self._promise(False, f"{key[:6]} is presumed where one could have asked")
            counts = Contact.objects.filter(ref=key).exists()
            self._promise(counts == (state not in NOT_SENT), f"{key[:6]} ({state}) is counted wrongly for {customer}")
        for customer, keys in gateway.by_customer.items():
            self._promise(len(keys) <= CAP, f"{customer} was contacted {len(keys)} times, cap {CAP}")
        self._promise(not certain or not Unknown.objects.exists(), "something stayed unknown")
        for at, message in gateway.began:
            self._nothing_begun_too_late(at, message)
        for sending in Sending.objects.all():
            self._promise(sending.n_unknown == 0, f"{sending.ref} still counts {sending.n_unknown} unknown")

    def _nothing_begun_too_late(self, at: float, message: Message) -> None:
        for began, ended in self.stopped:
            self._promise(not began + REACTION < at < ended, f"a call began {at - began:.2f} s after the stop")
        refused = self.refusals.get(message.customer_ref, float("inf"))
        self._promise(at <= refused + REACTION, f"a call began {at - refused:.2f} s after the customer refused")
        assert message.expires_at is not None
        left = (message.expires_at - EPOCH).total_seconds() - at
        self._promise(left > -REACTION, f"a call began {-left:.2f} s after the touch expired")

    def _outcomes(self) -> dict[str, tuple[str, str]]:
        rows = Outcome.objects.filter(stage=1).values_list("touch__key", "state", "touch__customer_id")
        return {key: (state, customer) for key, state, customer in rows}

    def _promise(self, kept: bool, promise: str) -> None:
        if not kept:
            raise Violation(self.seed, f"[{self.gateway.guarantee}] {promise}")


def _everybody(customer_ids: Sequence[str], channel: str) -> Mapping[str, str]:
    return {c: c for c in customer_ids}
