"""The words, in both languages, of the tables, columns and codes that a behaviour condition may name."""

from __future__ import annotations

from collections.abc import Mapping

from kequn.core.data.tables import CHANNELS, FAMILIES, Column
from kequn.core.spec.base import Text


def _words(**pairs: str) -> dict[str, Text]:
    """``code="中文|English"`` as texts."""
    made = {}
    for code, both in pairs.items():
        zh, en = both.split("|")
        made[code] = Text(zh=zh, en=en)
    return made


TABLE_WORDS = _words(
    transaction="交易|transaction",
    event="行为事件|event",
    contact="触达|contact",
    service="服务或投诉记录|service call or complaint",
    holding="持有记录|holding record",
)

COLUMN_WORDS = _words(
    transaction_no="交易号|transaction number",
    account_no="账号|account number",
    booked_on="记账日期|booking date",
    at="时间|time",
    direction="方向|direction",
    amount="金额|amount",
    category="类别|category",
    channel="渠道|channel",
    mcc="商户类别码|merchant category code",
    product_code="产品|product",
    counterparty_no="对手方|counterparty",
    is_external="跨行|with another bank",
    is_initiated="客户主动|initiated by the customer",
    is_online="线上|online",
    is_foreign="境外|abroad",
    event_no="事件号|event number",
    happened_on="发生日期|date",
    kind="种类|kind",
    contact_no="触达号|contact number",
    contacted_on="触达日期|contact date",
    purpose="目的|purpose",
    campaign="活动|campaign",
    arm="组别|arm",
    outcome="结果|outcome",
    responded="有响应|responded",
    responded_on="响应日期|response date",
    response_hour="响应时点|hour of the response",
    benefit="权益|benefit",
    post="岗位|post",
    staff_no="工号|staff number",
    note="备注|note",
    service_no="服务单号|service number",
    topic="主题|topic",
    status="状态|status",
    position_no="持仓号|position",
    as_of="业务日期|business date",
    family="产品大类|product family",
    balance="余额|balance",
    balance_after="交易后余额|balance after it",
    month_average="月日均|average of the month",
    cost="成本|cost",
    credit_limit="信用额度|credit limit",
    opened_on="开立日期|opening date",
    matures_on="到期日|maturity date",
    repay_day="还款日|day of repayment",
    has_instalment="有分期|has instalments",
    overdue_days="逾期天数|days overdue",
)

_CHANNEL_WORDS = _words(
    sms="短信|SMS",
    email="邮件|e-mail",
    app_push="App 推送|app push",
    wecom="企业微信|WeCom",
    call="电话|phone call",
    rm_task="客户经理|relationship manager",
    branch="网点|branch",
    file_drop="文件下发|file drop",
)
_FAMILY_WORDS = _words(
    demand="活期|demand deposit",
    time="定期|time deposit",
    cd="大额存单|certificate of deposit",
    wmp="理财|wealth management product",
    fund="基金|fund",
    insurance="保险|insurance",
    bond="国债|treasury bond",
    gold="贵金属|gold",
    trust="信托|trust",
    pension="个人养老金|personal pension",
    mortgage="房贷|mortgage",
    consumer_loan="消费贷|consumer loan",
    biz_loan="经营贷|business loan",
    credit_card="信用卡|credit card",
    custody="第三方存管|securities custody",
)
CODE_WORDS: dict[tuple[str, str], dict[str, Text]] = {
    ("transaction", "direction"): _words(**{"in": "流入|in", "out": "流出|out"}),
    ("transaction", "category"): _words(
        payroll="代发工资|payroll",
        pension="养老金|pension",
        bonus="奖金|bonus",
        transfer="转账|transfer",
        own_transfer="本人互转|transfer between own accounts",
        consumption="消费|consumption",
        cash="现金|cash",
        loan_payment="还贷|loan repayment",
        loan_payout="放款|loan payout",
        interest="利息|interest",
        fee="手续费|fee",
        merchant_receipt="商户收款|merchant receipt",
        broker="银证转账|transfer to or from a broker",
        purchase="申购|purchase",
        redemption="赎回|redemption",
        maturity="到期|maturity",
        insurance="保险|insurance",
        household="家庭往来|within the household",
        other="其他|other",
    ),
    ("holding", "family"): {code: _FAMILY_WORDS[code] for code in FAMILIES},
    ("contact", "purpose"): _words(
        marketing="营销|marketing", service="服务|service", maturity_notice="到期提醒|maturity notice"
    ),
    ("contact", "post"): _words(
        rm="客户经理|relationship manager",
        wealth_manager="理财经理|wealth manager",
        credit_manager="信贷客户经理|credit manager",
        corporate_teller="对公柜员|corporate teller",
        teller="柜员|teller",
        branch_head="网点负责人|branch head",
        remote_agent="远程坐席|remote agent",
        system="系统|system",
    ),
    ("service", "kind"): _words(call="来电|call", complaint="投诉|complaint", request="诉求|request"),
    ("service", "status"): _words(open="未结|open", closed="已结|closed"),
}
_SAID_CODES = {("contact", "channel"): {code: _CHANNEL_WORDS[code] for code in CHANNELS}}


def column_title(name: str) -> Text:
    """Return the words of a column of a behaviour's table."""
    return COLUMN_WORDS[name]


def code_words(table: str, column: Column) -> Mapping[str, Text]:
    """Return the codes a column admits with their words; empty where any value is admitted."""
    return CODE_WORDS[table, column.name] if column.codes else {}


def said_words(table: str, column: Column) -> Mapping[str, Text]:
    """Return the words of the values a column may hold, as far as they are known, for saying a rule."""
    return code_words(table, column) or _SAID_CODES.get((table, column.name), {})
