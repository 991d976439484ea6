"""Puts the channels into service that the settings name."""

from __future__ import annotations

from django.conf import settings

from kequn.channels.email.transport import EmailTransport
from kequn.channels.file_drop.transport import FileDropTransport
from kequn.channels.sms.transport import SmsTransport
from kequn.channels.wecom.gateway import HttpWecom, SimulatedWecom
from kequn.ops.delivery import services
from kequn.ops.wecom.services import Panel, install_panel


def wire_channels() -> None:
    """Register the channels with an address, those of installed packages, and the secrets of their receipts."""
    services.install_receipt_secrets(settings.RECEIPT_SECRET.split(","))
    services.register("file_drop", FileDropTransport(settings.FILE_DROP_FOLDER))
    if settings.SMS_URL:
        register_sms(settings.SMS_URL, settings.SMS_SECRET)
    if settings.WECOM_MESSAGES_URL:
        register_wecom(settings.WECOM_MESSAGES_URL, settings.WECOM_MESSAGES_SECRET)
    if settings.SMTP_HOST:
        register_email(settings.SMTP_HOST, settings.SMTP_PORT)
    services.register_installed_channels()
    install_panel(_panel())


def _panel() -> Panel | None:
    """Return the bank's application in WeCom, in a demo what stands in for it."""
    if settings.WECOM_CORP_ID:
        gateway = HttpWecom(settings.WECOM_API, settings.WECOM_CORP_ID, settings.WECOM_SECRET)
        return Panel(gateway, settings.WECOM_CORP_ID, settings.WECOM_AGENT_ID, settings.WECOM_DOOR)
    if settings.WECOM_SIMULATOR:
        return Panel(SimulatedWecom(settings.INDEX_KEY), "simulated", "1", "/wecom/simulator/door")
    return None


def register_sms(url: str, secret: str) -> None:
    """Send SMS by a gateway: the settings' own, or the demo's."""
    services.register("sms", SmsTransport(url, secret), rate=settings.SMS_RATE)


def register_wecom(url: str, secret: str) -> None:
    """Send WeCom messages by the bank's own gateway: it speaks as the SMS gateway does, and knows contacts by customer id."""
    services.register("wecom", SmsTransport(url, secret))


def register_email(host: str, port: int) -> None:
    """Send e-mail by a server: the settings' own, or the demo's."""
    transport = EmailTransport(
        host,
        port,
        settings.SMTP_SENDER,
        user=settings.SMTP_USER,
        password=settings.SMTP_PASSWORD,
        tls=settings.SMTP_TLS,
    )
    services.register("email", transport, rate=settings.SMTP_RATE)
