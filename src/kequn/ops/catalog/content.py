"""The content check: what a text may merge, must say and must not say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kequn.core.errors import InvalidSpec
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import Purpose
from kequn.core.spec.merge import compile_text
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.ops.catalog.contracts import Mark

FIELDS: dict[str, Text] = {
    "family_name": Text(zh="客户的姓", en="the customer's family name"),
    "bank_name": Text(zh="银行名称", en="the bank's name"),
    "branch_name": Text(zh="客户所属网点", en="the customer's branch"),
    "rm_name": Text(zh="客户经理姓名", en="the relationship manager's name"),
    "rm_phone": Text(zh="客户经理工作电话", en="the relationship manager's phone at work"),
    "product_name": Text(zh="产品名称", en="the product's name"),
    "benefit": Text(zh="权益", en="the benefit"),
    "valid_until": Text(zh="有效期至", en="valid until"),
    "end_on": Text(zh="活动截止日", en="the campaign's last day"),
}
"""What a template may merge, with its words. Balances, full names and numbers are not here on purpose; nor are titles, which
change without an approval."""

SMS_ONE, SMS_PART = 70, 67
"""Characters of one Chinese SMS, and of each part of a longer one (UCS-2)."""
SMS_MOST = 3
GSM_ONE, GSM_PART = 160, 153


@dataclass(frozen=True, slots=True)
class Banned:
    """Words that no text to a customer may have, and why."""

    code: str
    pattern: re.Pattern[str]
    reason: Text


def _banned(code: str, pattern: str, zh: str, en: str) -> Banned:
    return Banned(code, re.compile(pattern, re.IGNORECASE), Text(zh=zh, en=en))


BANNED: tuple[Banned, ...] = (
    _banned(
        "promise_of_return",
        r"保本|保息|保收益|稳赚|稳赢|只赚不赔|零风险|无风险|没有风险|旱涝保收|必涨|翻倍|躺赚"
        r"|guaranteed|risk[- ]free|no risk|can(?:not|'t) lose|double your money",
        "不得承诺收益或保本",
        "A return or the capital must not be promised",
    ),
    _banned(
        "superlative",
        r"最高收益|收益最高|最安全|最好的?(?:理财|产品|银行)|第一(?:名|品牌)|国家级|顶级收益"
        r"|highest return|safest|best in the market|number one bank",
        "不得使用绝对化用语",
        "Superlatives must not be used",
    ),
    _banned(
        "false_urgency",
        r"最后(?:一天|机会)|错过(?:不再|再无)|手慢无|限时疯抢|last chance|act now|hurry",
        "不得制造紧迫感",
        "Urgency must not be made up",
    ),
    _banned(
        "belittling",
        r"(?:别|其他|他|某)行(?:不行|太低|不如|坑)|比其他银行(?:更)?(?:高|好|安全)|better than other banks",
        "不得贬低同业",
        "Other banks must not be belittled",
    ),
    _banned(
        "deposit_gift",
        r"存款?(?:即)?(?:送|返)现?|存[^,。;]{0,12}(?:送|返)(?:现金|红包|礼)|高息揽储|贴息|cash for deposits?|deposit (?:and|to) get cash",
        "不得以返现、送礼等不正当手段吸收存款",
        "Deposits must not be bought with cash or gifts",
    ),
    _banned(
        "debt_inducement",
        r"轻松借|随便花|人人可贷|无视征信|黑户|包过|instant approval for all|no credit check",
        "不得诱导过度借贷",
        "Customers must not be led into debt",
    ),
    _banned(
        "staff_words",
        r"首面|蜜月期|沉睡客户|流失客户|睡眠户|临界客户|客户层级",
        "内部用语不得出现在对客内容中",
        "Words of the staff must not reach customers",
    ),
)

NOTICE_CHANNELS = ("wecom", "sms")
OF_AN_OFFER = frozenset({"product_name", "benefit", "valid_until", "end_on"})
MERGED = re.compile(r"\{\{\s*([a-z_]+)")
OPT_OUT = re.compile(r"拒收|退订|回复\s*[A-Z0-9]+|回\s*[TRN]\b|unsubscribe|opt[- ]?out|reply\s+\w+", re.IGNORECASE)
PRIVATE = re.compile(r"(?<!\d)1\d{10}(?!\d)|(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{16,19}(?!\d)")
RETURN_FIGURE = re.compile(
    r"(?:收益|年化|利率|回报|return|yield|APR|APY)[^。;.!！]{0,20}?\d+(?:\.\d+)?\s*%", re.IGNORECASE
)
RISK_WORDS = re.compile(r"风险|谨慎|过往业绩|年化利率|单利|risk|past performance", re.IGNORECASE)


def marks(spec: object, *, purpose: Purpose | None = None) -> tuple[Mark, ...]:
    """Return what the content check finds in an offer, template or talk track; nothing for other definitions.

    A template does not know what it will be used for: a missing opt-out is a caution until ``purpose`` is marketing, where it
    is a fault.
    """
    match spec:
        case TemplateSpec():
            return tuple(_template(spec, purpose))
        case TalkTrackSpec():
            return tuple(_talk_track(spec))
        case OfferSpec(benefit=Text() as benefit):
            return tuple(_words(f"{benefit.zh}\n{benefit.en}"))
    return ()


def sms_parts(text: str) -> int:
    """Return how many SMS a text is billed as: 70 Chinese characters each, 67 where it takes several (160 and 153 for ASCII)."""
    plain = text.isascii()
    one, part = (GSM_ONE, GSM_PART) if plain else (SMS_ONE, SMS_PART)
    length = len(text) if plain else len(text.encode("utf-16-le")) // 2
    return 1 if length <= one else -(-length // part)


def _template(spec: TemplateSpec, purpose: Purpose | None) -> Iterator[Mark]:
    whole = "\n".join(part for part in (spec.subject, spec.body, spec.opt_out) if part)
    yield from _places(whole)
    yield from _words(whole)
    if spec.serves:
        yield from _service(spec, whole, purpose)
    elif "rm_phone" in MERGED.findall(whole):
        reason = Text(
            zh="客户经理电话只用于换管户告知", en="The manager's phone is for the notice of a new manager alone"
        )
        yield Mark("phone_outside_notice", "fault", "rm_phone", reason, whole.find("rm_phone"))
    if not spec.serves and spec.channel in ("sms", "email") and purpose in (None, "marketing"):
        yield from _opt_out(spec, "caution" if purpose is None else "fault")
    if spec.channel == "sms":
        yield from _sms(spec)
    if spec.channel == "email" and not spec.subject.strip():
        reason = Text(zh="邮件必须有主题", en="An e-mail needs a subject")
        yield Mark("no_subject", "fault", "", reason)


def _places(text: str) -> Iterator[Mark]:
    try:
        compile_text(text, allowed=FIELDS)
    except InvalidSpec as error:
        line = text.splitlines()[(error.where.line or 1) - 1] if text else ""
        at = max((error.where.column or 1) - 1, 0)
        reason = Text(zh="变量有误，可用：" + "、".join(FIELDS), en=f"{error.message} {error.hint}")
        yield Mark("merge_field", "fault", line[at : at + 40], reason, text.find(line) + at)


def _words(text: str) -> Iterator[Mark]:
    flat = unicodedata.normalize("NFKC", text)
    for banned in BANNED:
        for found in banned.pattern.finditer(flat):
            yield Mark(banned.code, "fault", found.group(0), banned.reason, text.find(found.group(0)))
    for found in PRIVATE.finditer(flat):
        reason = Text(zh="疑似证件号、卡号或手机号", en="This looks like a document, card or phone number")
        yield Mark("private_number", "fault", found.group(0)[:4] + "…", reason, text.find(found.group(0)))
    figure = RETURN_FIGURE.search(flat)
    if figure and not RISK_WORDS.search(flat):
        reason = Text(
            zh="出现收益或利率数字，须同时披露风险或年化口径", en="A figure of return needs its risk or basis beside it"
        )
        yield Mark("figure_without_risk", "fault", figure.group(0), reason, text.find(figure.group(0)))


def offer_fields(spec: TemplateSpec) -> list[str]:
    """Return the fields of a text whose values come from an offer."""
    return sorted({*MERGED.findall(f"{spec.subject}\n{spec.body}\n{spec.opt_out}")} & OF_AN_OFFER)


def _service(spec: TemplateSpec, text: str, purpose: Purpose | None) -> Iterator[Mark]:
    """What is sent without asking for consent says what it is for, offers nothing, and is no part of a campaign."""
    named = set(MERGED.findall(text))
    if purpose is not None:
        reason = Text(zh="换管户告知不用于活动", en="The notice of a new manager is not for campaigns")
        yield Mark("notice_in_campaign", "fault", "", reason)
    if spec.channel not in NOTICE_CHANNELS:
        yield Mark(
            "notice_channel", "fault", "", Text(zh="换管户告知用短信或企业微信", en="A notice goes by SMS or WeCom")
        )
    if missing := [name for name in ("rm_name", "rm_phone") if name not in named]:
        fields = "、".join(missing)
        reason = Text(zh=f"换管户告知必须写明新客户经理：{fields}", en=f"A notice names the new manager: {fields}")
        yield Mark("notice_without_manager", "fault", "", reason)
    for name in offer_fields(spec):
        reason = Text(zh="服务通知不得夹带推荐", en="A service message must not carry an offer")
        yield Mark("offer_in_service", "fault", name, reason, text.find(name))


def _opt_out(spec: TemplateSpec, grade: Literal["fault", "caution"]) -> Iterator[Mark]:
    if not spec.opt_out.strip():
        reason = Text(zh="营销短信和邮件必须写明退订方式", en="Marketing by SMS and e-mail must say how to refuse it")
        yield Mark("no_opt_out", grade, "", reason)
    elif not OPT_OUT.search(spec.opt_out):
        reason = Text(
            zh="看不出如何拒收，例如“拒收请回复R”", en='It does not say how to refuse, such as "Reply R to stop"'
        )
        yield Mark("unclear_opt_out", grade, spec.opt_out, reason)


def _sms(spec: TemplateSpec) -> Iterator[Mark]:
    parts = sms_parts(spec.body + spec.opt_out)
    if parts > SMS_MOST:
        reason = Text(
            zh=f"短信将按 {parts} 条计费，最多 {SMS_MOST} 条", en=f"This is billed as {parts} SMS; at most {SMS_MOST}"
        )
        yield Mark("sms_too_long", "fault", "", reason)
    elif parts > 1:
        reason = Text(zh=f"短信将按 {parts} 条计费，建议不超过 {SMS_ONE} 字", en=f"This is billed as {parts} SMS")
        yield Mark("sms_long", "caution", "", reason)
    if not re.match(r"【[^】]+】", spec.body) and spec.language == "zh":
        reason = Text(zh="短信应以【银行名称】开头", en="A Chinese SMS begins with the bank's name in 【】")
        yield Mark("no_signature", "caution", "", reason)


def _talk_track(spec: TalkTrackSpec) -> Iterator[Mark]:
    texts = [spec.opening, spec.fact, spec.value, spec.disclosure, spec.close]
    texts += [o.answer for o in spec.objections]
    whole = "\n".join(f"{text.zh}\n{text.en}" for text in texts)
    yield from _words(whole)
    for word in spec.forbidden:
        if word and word in whole:
            reason = Text(zh="话术自己列为禁用的词", en="The talk track itself forbids this")
            yield Mark("own_forbidden", "fault", word, reason, whole.find(word))
