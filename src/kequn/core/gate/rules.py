"""The rules of the gate as data: order, step, who it binds, and its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kequn.core.spec.base import Text
from kequn.core.spec.campaign import Purpose

ALL: frozenset[Purpose] = frozenset({"marketing", "service", "maturity_notice"})
MARKETING: frozenset[Purpose] = frozenset({"marketing"})
LAST_FIXED_STEP = 7  # the steps up to here cannot be overridden by anybody; later ones have approved exceptions

STEPS: tuple[tuple[str, Text], ...] = (
    ("identity", Text(zh="身份", en="Identity")),
    ("legal_basis", Text(zh="合法依据", en="Legal basis")),
    ("suppression", Text(zh="风险抑制", en="Suppression")),
    ("eligibility", Text(zh="准入", en="Eligibility")),
    ("suitability", Text(zh="适当性", en="Suitability")),
    ("content", Text(zh="内容", en="Content")),
    ("offer", Text(zh="权益合规", en="Offer")),
    ("channel", Text(zh="渠道", en="Channel")),
    ("quiet_hours", Text(zh="静默时段", en="Quiet hours")),
    ("frequency", Text(zh="频次", en="Frequency")),
    ("conflict", Text(zh="冲突与容量", en="Conflict and capacity")),
)
"""The chain, in its fixed order; a rule's ``step`` counts from 1."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the chain (闸门规则): when it fails, the touch is blocked, or held where time cures it."""

    code: str
    step: int
    title: Text
    explanation: Text
    basis: Text
    """The law or the house rule behind it, in words."""
    cure: Text
    """What would let the touch through."""
    purposes: frozenset[Purpose] = MARKETING
    verdict: Literal["hold", "block"] = "block"
    opaque: bool = False
    """Whether its ground must never be told, nor guessed from a small count."""

    @property
    def overridable(self) -> bool:
        """Whether an approved exception exists at all."""
        return self.step > LAST_FIXED_STEP


def _rule(code: str, step: int, *words: tuple[str, str], **more: object) -> Rule:
    title, explanation, basis, cure = (Text(zh=zh, en=en) for zh, en in words)
    return Rule(code, step, title, explanation, basis, cure, **more)  # type: ignore[arg-type]  # the fields above


RULES: tuple[Rule, ...] = (
    _rule(
        "UNKNOWN_CUSTOMER", 1,
        ("客户不存在", "Not a customer"),
        ("客户主表中没有这位客户。", "The customer table does not have this customer."),
        ("先核实身份，再谈其他。", "Identity comes before everything else."),
        ("加载客户主数据。", "Load the customer master data."),
        purposes=ALL,
    ),
    _rule(
        "DECEASED", 1,
        ("已故或未知", "Deceased, or not known"),
        ("客户已故，或银行没有提供该标志。", "The customer has died, or the bank did not say."),
        ("个人信息保护法关于死者信息的规定；不对已故客户作任何触达。",
         "Personal Information Protection Law on the deceased: no contact at all."),
        ("在客户表中提供已故标志。", "Supply the flag in the customer table."),
        purposes=ALL,
    ),
    _rule(
        "MINOR", 1,
        ("未成年或年龄未知", "Minor, or age not known"),
        ("未满成年年龄，或没有可信的出生日期。", "Below the adult age, or without a credible birth date."),
        ("未成年人网络保护条例：不得以自动化决策向未成年人作商业营销。",
         "Protection of Minors Online: no commercial marketing to minors by automated decision."),
        ("核实出生日期。", "Verify the birth date."),
    ),
    _rule(
        "NO_CONSENT", 2,
        ("没有同意", "No consent"),
        ("台账中没有该渠道、该目的的同意。", "The ledger has no consent for this channel and purpose."),
        ("个人信息保护法、广告法、消费者权益保护法：未经同意不得发送商业信息。",
         "Personal Information Protection, Advertising and Consumer laws: no commercial message without consent."),
        ("在客户下次办理业务时征求同意。", "Ask at the next occasion the customer comes by."),
    ),
    _rule(
        "CONSENT_EXPIRED", 2,
        ("同意已过期", "Consent expired"),
        ("最近一次同意已过有效期。", "The latest consent is past its validity."),
        ("同意应当在告知的期限内有效。", "Consent holds for the period that was told."),
        ("续签同意。", "Have the consent renewed."),
    ),
    _rule(
        "OPTED_OUT", 2,
        ("已拒绝或退订", "Refused or opted out"),
        ("客户在该渠道的最近一次表示是拒绝。", "The customer's latest word on this channel is no."),
        ("广告法、消费者权益保护法：拒绝后不得再发送；立即停止。",
         "Advertising and Consumer laws: nothing after a refusal, at once."),
        ("不得反复征求；等客户主动恢复。", "Do not ask again and again; wait for the customer."),
    ),
    _rule(
        "PERSONALISATION_OFF", 2,
        ("已关闭个性化或未知", "Personalisation off, or not known"),
        ("客户关闭了个性化推荐，或银行没有提供该开关；按客群筛选的营销属于个性化。",
         "The customer switched personalisation off, or the bank did not supply the switch; "
         "marketing by segment is personalised."),
        ("个人信息保护法：自动化营销须提供拒绝方式。", "Personal Information Protection Law: customers may refuse it."),
        ("提供该开关的状态。", "Supply the state of the switch."),
    ),
    _rule(
        "SUPPRESSED", 3,
        ("不可营销（其他）", "Not to be contacted (other)"),
        ("不予触达，不说明具体原因。", "Not to be contacted; the particular reason is not told."),
        ("反洗钱法、反电信网络诈骗法、免打扰名单、员工及关联人回避等；合并为一项，不得反推。",
         "Anti-money-laundering and anti-fraud laws, do-not-contact lists, staff exclusions and others, merged so "
         "that none can be inferred."),
        ("无需处理。", "Nothing to be done here."),
        purposes=ALL, opaque=True,
    ),
    _rule(
        "COMPLAINT", 3,
        ("投诉冷静期", "Complaint"),
        ("有未办结的投诉，或投诉后的冷静期未满，或没有投诉数据。",
         "A complaint is open or recent, or there are no data on complaints."),
        ("消费者权益保护；投诉后只作服务。", "Consumer protection: after a complaint, service only."),
        ("办结投诉并等待冷静期结束。", "Close the complaint and let the cooling-off pass."),
    ),
    _rule(
        "NOT_ACTIVE", 4,
        ("客户状态不允许", "Customer not active"),
        ("客户已销户、被冻结，或状态未知。", "Closed, frozen, or of unknown status."),
        ("准入规则。", "Eligibility."),
        ("核实客户状态。", "Verify the status."),
    ),
    _rule(
        "PRODUCT_UNKNOWN", 4,
        ("产品不存在", "Product not found"),
        ("产品表中没有所推荐的产品。", "The product table does not have what is offered."),
        ("准入规则。", "Eligibility."),
        ("加载产品表，或更正推荐方案中的产品代码。", "Load the product table or correct the offer's product code."),
    ),
    _rule(
        "OFFER_EXPIRED", 4,
        ("推荐方案已过期", "Offer expired"),
        ("推荐方案已过有效期。", "The offer is past its last day."),
        ("准入规则；广告须真实。", "Eligibility; advertising is true."),
        ("更新推荐方案。", "Renew the offer."),
    ),
    _rule(
        "LOAN_OVERDUE", 4,
        ("逾期客户不推贷款", "Overdue: no loans"),
        ("客户当前有逾期，或没有逾期数据，不得推荐贷款或信用卡。",
         "The customer is overdue, or there are no data on it: no loans or credit cards."),
        ("不得诱导过度借贷。", "No inducing to over-borrow."),
        ("结清逾期。", "Settle what is overdue."),
    ),
    _rule(
        "RISK_TEST_MISSING", 5,
        ("未做风险测评", "No risk test"),
        ("投资产品要求有效的风险承受能力等级。", "Investment products need a valid risk level."),
        ("金融机构产品适当性管理办法。", "Rules on the suitability of financial products."),
        ("邀请客户做风险测评。", "Invite the customer to the risk test."),
    ),
    _rule(
        "RISK_TEST_EXPIRED", 5,
        ("风险测评已过期", "Risk test expired"),
        ("风险测评已过有效期，或有效期未知。", "The risk test is past its validity, or its validity is not known."),
        ("金融机构产品适当性管理办法。", "Rules on the suitability of financial products."),
        ("邀请客户重新测评（服务通知）。", "Invite the customer to renew it (a service notice)."),
    ),
    _rule(
        "PRODUCT_RISK_UNKNOWN", 5,
        ("产品风险等级未知", "Product risk not known"),
        ("投资产品没有风险等级。", "An investment product without a risk level."),
        ("金融机构产品适当性管理办法。", "Rules on the suitability of financial products."),
        ("在产品表中补充风险等级。", "Supply the level in the product table."),
    ),
    _rule(
        "UNSUITABLE", 5,
        ("超出风险承受能力", "Beyond the customer's risk level"),
        ("产品风险等级高于客户的风险承受能力等级。", "The product's risk is above the customer's level."),
        ("金融机构产品适当性管理办法：不得主动推介超出承受能力的产品。",
         "Rules on suitability: never promote what is above the customer's level."),
        ("改推同级或更低风险的产品。", "Offer a product of the same or a lower level."),
    ),
    _rule(
        "VULNERABLE_R3", 5,
        ("高龄或需特别照护：不主动推介 R3 及以上", "Senior or vulnerable: no R3 and above"),
        ("高龄、需特别照护或情况未知的客户，不主动推介中高风险产品。",
         "Seniors, vulnerable customers and those of whom it is not known get no offer of R3 or above."),
        ("适当性与特别照护义务。", "Suitability and the duty of special care."),
        ("由客户主动提出并在网点办理。", "Only at the customer's own request, at a branch."),
    ),
    _rule(
        "CONTENT_NOT_APPROVED", 6,
        ("内容未审批", "Content not approved"),
        ("该渠道的内容没有经审批的有效版本。", "There is no approved version of the content for this channel."),
        ("消费者权益保护审查：先审后用。", "Consumer-protection review: approved before use."),
        ("提交内容审批。", "Have the content approved."),
        purposes=ALL,
    ),
    _rule(
        "DEPOSIT_GIFT", 7,
        ("存款不得附赠权益", "No gifts for deposits"),
        ("存款类产品附带权益，属于不当揽储。", "A benefit attached to a deposit is improper."),
        ("商业银行法及存款业务监管要求。", "Commercial Banking Law and the rules on deposits."),
        ("去掉权益，或更换产品。", "Drop the benefit or change the product."),
    ),
    _rule(
        "NO_OPT_OUT_TEXT", 8,
        ("缺少退订方式", "No way to refuse in the text"),
        ("营销短信和邮件必须写明拒收方式。", "Marketing by SMS and e-mail must say how to refuse."),
        ("广告法：须提供拒绝继续接收的方式。", "Advertising Law: a way to refuse."),
        ("在模板中补充退订方式。", "Add it to the template."),
    ),
    _rule(
        "NO_ADDRESS", 8,
        ("渠道不可达", "No address on this channel"),
        ("没有有效的号码、邮箱、企微关系、推送开关或管户经理。",
         "No valid number, mailbox, WeCom contact, push switch or relationship manager."),
        ("渠道规则。", "Channel rules."),
        ("补充联系方式。", "Complete the contact details."),
        purposes=ALL,
    ),
    _rule(
        "QUIET_HOURS", 9,
        ("静默时段", "Quiet hours"),
        ("当前处于静默时段，等到下一个允许的时刻。", "It is quiet now; wait for the next allowed instant."),
        ("不得在休息时间打扰客户。", "Do not disturb customers at rest."),
        ("自动等待。", "It waits by itself."),
        purposes=ALL, verdict="hold",
    ),
    _rule(
        "FREQUENCY", 10,
        ("触达频次已满", "Contacted often enough"),
        ("滚动期内的触达已达上限，或没有触达台账。", "The rolling cap is reached, or there is no ledger of contacts."),
        ("触达策略。", "The contact policy."),
        ("等待滚动期过去。", "Let the rolling period pass."),
    ),
    _rule(
        "IN_PROGRESS", 11,
        ("保护期内", "An opportunity is being worked"),
        ("客户已有在跟商机，其他活动不得触达。", "An opportunity with the customer is being worked; other campaigns keep away."),
        ("一客一主。", "One customer, one lead."),
        ("等商机结束。", "Wait until it ends."),
    ),
    _rule(
        "CHANNEL_FULL", 11,
        ("渠道容量已满", "Channel is full"),
        ("该渠道没有剩余容量。", "There is no capacity left on this channel."),
        ("资源约束。", "Capacity."),
        ("改期或换渠道。", "Another day or another channel."),
    ),
)  # fmt: skip
"""In the order of the chain; a rule's position is its bit in ``Decisions.failing``. New rules only at the end of a step
need a new version of stored masks, so masks are never stored: codes are."""

BIT: dict[str, int] = {rule.code: position for position, rule in enumerate(RULES)}
BY_CODE: dict[str, Rule] = {rule.code: rule for rule in RULES}


def codes_of(mask: int) -> tuple[str, ...]:
    """Return the rule codes of a bit mask, in the order of the chain.

    >>> codes_of(0b101)
    ('UNKNOWN_CUSTOMER', 'MINOR')
    """
    return tuple(rule.code for position, rule in enumerate(RULES) if mask >> position & 1)


def cures_of(codes: Iterable[str]) -> tuple[Text, ...]:
    """Return what would let a touch through, one cure a code, in order."""
    return tuple(BY_CODE[code].cure for code in codes)


def bits_of(verdict: Literal["hold", "block"]) -> np.uint64:
    """Return the mask of all rules of one verdict."""
    return np.uint64(sum(1 << position for position, rule in enumerate(RULES) if rule.verdict == verdict))


Mask = npt.NDArray[np.uint64]
