"""How much of a personal value is shown where it need not be read in full (脱敏)."""

from __future__ import annotations


def name(value: str) -> str:
    """First character only: 张**."""
    return value[:1] + "*" * min(max(len(value) - 1, 1), 2) if value else ""


def phone(value: str) -> str:
    """First three and last four digits: 138****1234; nothing readable of shorter numbers."""
    return f"{value[:3]}****{value[-4:]}" if len(value) >= 11 else "*" * len(value)


def document(value: str) -> str:
    """First and last four: 1*************1234."""
    return f"{value[:1]}{'*' * (len(value) - 5)}{value[-4:]}" if len(value) >= 10 else "*" * len(value)


def email(value: str) -> str:
    """First letter and the domain."""
    local, at, domain = value.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***" if value else ""


def number(value: str) -> str:
    """Last four of a customer number."""
    return f"****{value[-4:]}" if len(value) > 6 else "*" * len(value)


BY_FIELD = {
    "name": name,
    "phone": phone,
    "document_no": document,
    "email": email,
    "customer_no": number,
    "address": lambda v: "***" if v else "",
}
