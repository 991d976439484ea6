"""What an RM may say to a customer about an offer: approved words only (话术)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kequn.core.errors import UnknownDefinition
from kequn.core.gate import cures_of
from kequn.core.spec.base import Text
from kequn.core.spec.offer import TalkTrackSpec
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import person_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.workbench.gating import CURED_BY_TEST, offer_codes
from kequn.ops.workbench.models import Task

NOT_A_DEPOSIT = Text(
    zh="本产品不是存款，收益会波动，可能亏损；过往业绩不代表将来。",
    en="This is not a deposit; its return varies and it may lose. Past performance says nothing about the future.",
)
DISCLOSURES: Mapping[str, Text] = {
    "wmp": NOT_A_DEPOSIT,
    "fund": NOT_A_DEPOSIT,
    "trust": NOT_A_DEPOSIT,
    "gold": Text(zh="贵金属价格会波动，可能亏损。", en="The price of precious metals varies; you may lose."),
    "insurance": Text(
        zh="保险产品由保险公司承保，银行只代理销售；退保可能有损失，有犹豫期。",
        en="The insurer bears the risk, the bank only sells; surrender may cost you, and there is a cooling-off period.",
    ),
    "pension": Text(
        zh="个人养老金领取受条件限制，具体以政策为准。",
        en="Withdrawals from the personal pension are restricted by law.",
    ),
    "consumer_loan": Text(
        zh="贷款须说明年化利率（单利）与还款方式，请理性借贷。",
        en="State the yearly simple rate and how it is repaid; borrow only what you need.",
    ),
    "credit_card": Text(
        zh="分期须说明年化利率与全部费用，请理性消费。", en="State the yearly rate and all fees of instalments."
    ),
}
"""What has to be said with a product of each family, whatever the talk track says (必备披露)."""
DISCLOSED_AS = {"biz_loan": "consumer_loan", "mortgage": "consumer_loan", "bond": "wmp"}


@dataclass(frozen=True, slots=True)
class Talk:
    """The talk track for an offer, and what has to be said with its product."""

    track: TalkTrackSpec | None
    """``None``: there is no approved one, or not any more; ``why`` says which."""
    why: str = ""
    """``none``, ``retired``, ``expired``, ``blocked``, ``no_policy``."""
    disclosure: Text | None = None
    codes: tuple[str, ...] = ()
    """Why the offer may not be made to this customer: every rule of the gate that says no; then nothing is said of it."""
    cures: tuple[Text, ...] = ()
    """What would let it be made, one a code."""

    @property
    def is_refused(self) -> bool:
        """Whether the offer may not be made, and nothing be said of it."""
        return self.why in ("blocked", "no_policy")

    @property
    def waits_for_test(self) -> bool:
        """Whether a new risk test would help."""
        return bool(CURED_BY_TEST & {*self.codes})


def talk_of(task: Task) -> Talk | None:
    """Return the talk track of a task in the very version that was approved for it; ``None`` where it has none.

    The gate is asked now whether the offer may be made: what it closes is not to be talked of.
    """
    if task.offer and (refused := _refused(task.customer_id, task.offer, task.channel)):
        return refused
    if not task.talk_track:
        return _for_offer(task.offer) if task.offer else None
    track = catalog.by_fingerprint("talk_track", task.talk_track)
    if not isinstance(track, TalkTrackSpec):
        return Talk(None, "none", _disclosure(task.offer))
    if not catalog.is_approved_version("talk_track", track.name, task.talk_track):
        return Talk(None, "retired", _disclosure(task.offer))
    return _unless_expired(track, task.offer)


def talk_for(actor: Actor, customer_id: str, offer: str) -> Talk:
    """Return the approved talk track for a customer and an offer, unless the gate says that she may not be offered it now.

    Raises:
        NotAllowed: the customer is not within the actor's scope.
    """
    person_for(actor, customer_id)
    return _refused(customer_id, offer, "call") or _for_offer(offer)


def products_named() -> list[tuple[str, str, str]]:
    """Return (code, name, English name) of the bank's products, to choose from."""
    return [(p.code, p.name, p.name_en or p.name) for p in catalog.products().values()]


def _refused(customer_id: str, offer: str, channel: str) -> Talk | None:
    """Ask the gate about an offer; ``None``: it may be made."""
    try:
        codes = offer_codes(customer_id, offer, channel)
    except UnknownDefinition:
        return Talk(None, "no_policy")
    return Talk(None, "blocked", codes=codes, cures=cures_of(codes)) if codes else None


def _for_offer(offer: str) -> Talk:
    for row in catalog.in_use("talk_track"):
        if row.spec.product == offer:
            return _unless_expired(row.spec, offer)
    return Talk(None, "none", _disclosure(offer))


def _unless_expired(track: TalkTrackSpec, offer: str) -> Talk:
    is_over = track.valid_until is not None and track.valid_until < bank_today()
    disclosure = _disclosure(offer or track.product or "")
    return Talk(None, "expired", disclosure) if is_over else Talk(track, "", disclosure)


def _disclosure(offer: str) -> Text | None:
    row = catalog.newest("offer", offer) if offer else None
    product = catalog.products().get(row.spec.product) if row else None
    if product is None:
        return None
    return DISCLOSURES.get(DISCLOSED_AS.get(product.family, product.family))
