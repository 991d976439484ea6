"""The Chinese of messages that the core and the services raise in English; ``{}`` stands for what varies."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "Your role may not do this ({}).": "您的角色没有这项权限（{}）。",
}

HINTS: dict[str, str] = {
    "Ask an administrator for the right.": "请向系统管理员申请。",
}
