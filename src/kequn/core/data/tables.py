"""The bank's canonical tables: the one contract in which the stages of the core meet.

A raw row enters through a source spec, is checked against these columns and is stored under them. Three rules of storage:

* a customer is an ``ordinal`` (dense, 0-based, append-only); the bank's ``customer_no`` is never stored here;
* ids that could identify a person elsewhere (``ref``) are stored as a keyed 64-bit hash;
* personal columns (name, phone, document, address) are handed to the caller of the load and never reach the store.

Money is integer fen (BIGINT), dates are business dates, ``at`` is the bank's wall-clock time (TIMESTAMP; the zone is the store's).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal[
    "customer",  # the bank's customer number -> stored as `ordinal` UINTEGER
    "ref",  # any other identifying number -> stored as a keyed BIGINT hash under the same name
    "person",  # personal data: passed on, never stored
    "text",
    "note",  # words somebody typed: what could be a phone, card or document number in it is never stored
    "integer",
    "number",
    "money",  # yuan or fen in the source -> BIGINT fen
    "boolean",
    "date",
    "timestamp",
]

SQL_TYPES: dict[str, str] = {
    "customer": "UINTEGER",
    "ref": "BIGINT",
    "text": "VARCHAR",
    "note": "VARCHAR",
    "integer": "INTEGER",
    "number": "DOUBLE",
    "money": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical column: its type, whether it must be there, and its allowed codes (empty: any)."""

    name: str
    type: ColumnType
    required: bool = False
    codes: tuple[str, ...] = ()
    minimum: int | None = None

    @property
    def stored(self) -> str | None:
        """The name under which it is stored; ``None`` for personal data."""
        return {"customer": "ordinal", "person": None}.get(self.type, self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """One canonical table: columns, the key that makes a row unique, and the date a row is true for."""

    name: str
    zh: str
    en: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    on: str | None = None
    """The business-date column of a table with many rows a customer; windows count by it."""
    per_customer: bool = True
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    def stored_columns(self) -> dict[str, str]:
        """Stored name -> SQL type, in order."""
        return {c.stored: SQL_TYPES[c.type] for c in self.columns if c.stored}


C = Column
SEPARATE_CONSENTS = ("child_data", "care_data", "health_data")
"""Purposes for which sensitive personal information may be used only with a consent of its own."""
CHANNELS = ("sms", "email", "app_push", "wecom", "call", "rm_task", "branch", "file_drop")
FAMILIES = (
    "demand",
    "time",
    "cd",
    "wmp",
    "fund",
    "insurance",
    "bond",
    "gold",
    "trust",
    "pension",
    "mortgage",
    "consumer_loan",
    "biz_loan",
    "credit_card",
    "custody",
)
ASSETS = FAMILIES[:10]
"""Product families that count towards AUM; loans and credit cards do not."""
LIABILITIES = FAMILIES[10:14]
"""Product families in which the customer owes the bank. What is only kept for her (custody) is in neither."""

POSTS = ("rm", "wealth_manager", "credit_manager", "corporate_teller", "teller", "branch_head", "remote_agent", "system")
"""Who contacts customers, by post."""

CUSTOMER = Table(
    "customer",
    "客户",
    "Customers",
    (
        C("customer_no", "customer", True),
        C("name", "person"),
        C("phone", "person"),
        C("document_no", "person"),
        C("email", "person"),
        C("address", "person"),
        C("opened_on", "date", True),
        C("birth_on", "date"),
        C("gender", "text", codes=("M", "F")),
        C("city", "text"),
        C("province", "text"),
        C("area_type", "text", codes=("urban", "county", "town")),
        C("marital", "text", codes=("single", "married", "divorced", "widowed")),
        C("has_child", "boolean"),
        C("child_stage", "text", codes=("0-5", "6-11", "12-17", "18-25", "25+")),
        C("education", "text", codes=("primary", "secondary", "college", "bachelor", "master")),
        C("occupation", "text"),
        C("industry", "text"),
        C(
            "employer_type",
            "text",
            codes=("government", "public", "state_owned", "private", "foreign", "self_employed"),
        ),
        C("employer_no", "ref"),
        C("resident_type", "text", codes=("local", "new_citizen", "hk_mo_tw", "foreign")),
        C("household_no", "ref"),
        C("branch_code", "text"),
        C("rm_no", "text"),
        C("risk_level", "integer", codes=("1", "2", "3", "4", "5")),
        C("risk_tested_on", "date"),
        C("risk_expires_on", "date"),
        C("investor_class", "text", codes=("ordinary", "professional")),
        C("qualified_until", "date"),
        C("document_expires_on", "date"),
        C("status", "text", codes=("active", "dormant", "frozen", "closed")),
        C("closed_on", "date"),
        C("is_deceased", "boolean"),
        C("is_staff", "boolean"),
        C("is_suppressed", "boolean"),
        C("is_vulnerable", "boolean"),
        C("personalisation_off", "boolean"),
    ),
    key=("customer_no",),
)

ACCOUNT = Table(
    "account",
    "账户",
    "Accounts",
    (
        C("account_no", "ref", True),
        C("customer_no", "customer", True),
        C(
            "kind",
            "text",
            True,
            codes=(
                "debit",
                "credit_card",
                "loan",
                "mobile_bank",
                "wecom",
                "public_account",
                "etc",
                "merchant",
                "payroll",
                "custody",
                "personal_pension",
                "social_card",
                "quick_pay",
                "auto_pay",
                "corporate_owner",
                "push",
            ),
        ),
        C("role", "text", codes=("owner", "joint")),
        C("class", "text", codes=("I", "II", "III")),
        C("status", "text", codes=("active", "dormant", "frozen", "closed")),
        C("opened_on", "date", True),
        C("closed_on", "date"),
        C("branch_code", "text"),
        C("detail", "text"),
        C("credit_limit", "money"),
        C("fee_due_on", "date"),
    ),
    key=("account_no", "customer_no"),
    on="opened_on",
)

PRODUCT = Table(
    "product",
    "产品",
    "Products",
    (
        C("product_code", "text", True),
        C("name", "text", True),
        C("name_en", "text"),
        C("family", "text", True, codes=FAMILIES),
        C("risk_level", "integer", codes=("1", "2", "3", "4", "5")),
        C("is_equity", "boolean"),
        C("yearly_margin", "number"),
        C("minimum_amount", "money"),
        C("remaining_quota", "money", minimum=0),
    ),
    key=("product_code",),
    per_customer=False,
)

HOLDING = Table(
    "holding",
    "产品持有",
    "Holdings",
    (
        C("customer_no", "customer", True),
        C("product_code", "text", True),
        C("position_no", "text"),
        C("as_of", "date", True),
        C("family", "text", True, codes=FAMILIES),
        C("balance", "money", True),
        C("month_average", "money"),
        C("cost", "money"),
        C("credit_limit", "money"),
        C("opened_on", "date"),
        C("matures_on", "date"),
        C("repay_day", "integer"),
        C("has_instalment", "boolean"),
        C("overdue_days", "integer"),
    ),
    key=("customer_no", "product_code", "position_no", "as_of"),
    on="as_of",
)
"""Positions at month ends and at the latest date; ``month_average`` is the average of the daily balances of that month so far."""

TRANSACTION = Table(
    "transaction",
    "交易",
    "Transactions",
    (
        C("transaction_no", "ref", True),
        C("customer_no", "customer", True),
        C("account_no", "ref"),
        C("booked_on", "date", True),
        C("at", "timestamp"),
        C("direction", "text", True, codes=("in", "out")),
        C("amount", "money", True, minimum=0),
        C(
            "category",
            "text",
            True,
            codes=(
                "payroll",
                "pension",
                "bonus",
                "transfer",
                "own_transfer",
                "consumption",
                "cash",
                "loan_payment",
                "loan_payout",
                "interest",
                "fee",
                "merchant_receipt",
                "broker",
                "purchase",
                "redemption",
                "maturity",
                "insurance",
                "household",
                "other",
            ),
        ),
        C("channel", "text"),
        C("mcc", "text"),
        C("product_code", "text"),
        C("counterparty_no", "ref"),
        C("is_external", "boolean"),
        C("is_initiated", "boolean"),
        C("is_online", "boolean"),
        C("is_foreign", "boolean"),
        C("balance_after", "money"),
    ),
    key=("transaction_no",),
    on="booked_on",
)

STANDING_ORDER = Table(
    "standing_order",
    "定期委托",
    "Standing orders",
    (
        C("order_no", "ref", True),
        C("customer_no", "customer", True),
        C("account_no", "ref"),
        C("purpose", "text", codes=("household", "loan_payment", "insurance", "leasing", "saving", "other")),
        C("amount", "money", True, minimum=0),
        C("bank_to", "text"),
        C("counterparty_no", "ref"),
    ),
    key=("order_no",),
)
"""Payments a customer has agreed once and for all, as they stand; no history."""

EVENT = Table(
    "event",
    "行为事件",
    "Events",
    (
        C("event_no", "ref", True),
        C("customer_no", "customer", True),
        C("happened_on", "date", True),
        C("at", "timestamp"),
        C("kind", "text", True),
        C("channel", "text"),
        C("product_code", "text"),
        C("amount", "money"),
    ),
    key=("event_no",),
    on="happened_on",
)

CONTACT = Table(
    "contact",
    "触达与响应",
    "Contacts and responses",
    (
        C("contact_no", "ref", True),
        C("customer_no", "customer", True),
        C("contacted_on", "date", True),
        C("at", "timestamp"),
        C("channel", "text", True),
        C("purpose", "text", codes=("marketing", "service", "maturity_notice")),
        C("campaign", "text"),
        C("arm", "text"),
        C("outcome", "text"),
        C("responded", "boolean"),
        C("responded_on", "date"),
        C("response_hour", "integer"),
        C("benefit", "text"),
        C("post", "text", codes=POSTS),
        C("staff_no", "text"),
        C("note", "note"),
    ),
    key=("contact_no",),
    on="contacted_on",
)

SERVICE = Table(
    "service",
    "服务与投诉",
    "Service calls and complaints",
    (
        C("service_no", "ref", True),
        C("customer_no", "customer", True),
        C("happened_on", "date", True),
        C("kind", "text", True, codes=("call", "complaint", "request")),
        C("topic", "text"),
        C("status", "text", codes=("open", "closed")),
    ),
    key=("service_no",),
    on="happened_on",
)

CONSENT = Table(
    "consent",
    "授权同意",
    "Consents",
    (
        C("customer_no", "customer", True),
        C("purpose", "text", True, codes=("marketing", *SEPARATE_CONSENTS)),
        C("channel", "text", True, codes=(*CHANNELS, "any")),
        C("granted", "boolean", True),
        C("given_on", "date", True),
        C("expires_on", "date"),
        C("proof", "text"),
    ),
    key=("customer_no", "purpose", "channel", "given_on"),
    on="given_on",
)

STAFF = Table(
    "staff",
    "员工",
    "Staff",
    (
        C("staff_no", "text", True),
        C("name", "text", True),
        C("role", "text", True, codes=("rm", "branch_head", "marketer", "checker", "analyst", "admin", "remote_agent")),
        C("branch_code", "text", True),
        C("capacity", "integer"),  # tasks a day
        C("phone", "text"),  # at work, as customers are told it
    ),
    key=("staff_no",),
    per_customer=False,
)

BRANCH = Table(
    "branch",
    "机构",
    "Branches",
    (
        C("branch_code", "text", True),
        C("name", "text", True),
        C("name_en", "text"),
        C("parent_code", "text"),
        C("level", "text", True, codes=("head_office", "province", "city", "branch")),
        C("city", "text"),
        C("province", "text"),
    ),
    key=("branch_code",),
    per_customer=False,
)

ASSIGNMENT = Table(
    "assignment",
    "实验分组",
    "Experiment arms",
    (
        C("experiment", "text", True),
        C("customer_no", "customer", True),
        C("arm", "text", True),
        C("assigned_on", "date", True),
    ),
    key=("experiment", "customer_no"),
    on="assigned_on",
)
"""Arms of an experiment that another system randomised; kequn's own audiences have the same columns plus a stratum."""

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        CUSTOMER,
        ACCOUNT,
        PRODUCT,
        HOLDING,
        TRANSACTION,
        STANDING_ORDER,
        EVENT,
        CONTACT,
        SERVICE,
        CONSENT,
        STAFF,
        BRANCH,
        ASSIGNMENT,
    )
}
