"""Django's settings, read from the environment: the only module that reads it."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

PACKAGE = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("KEQUN_HOME", "var")).resolve()
STORE = Path(os.environ.get("KEQUN_STORE", HOME / "store")).resolve()
DATA_FOLDER = Path(os.environ.get("KEQUN_DATA_FOLDER", HOME / "data")).resolve()
TAG_FOLDERS = [Path(p) for p in os.environ.get("KEQUN_TAG_FOLDERS", "").split(os.pathsep) if p]


def _key(name: str) -> bytes:
    """Return 32 secret bytes: from the environment (hex), else from a file below HOME that is made once, readable to its owner alone."""
    if given := os.environ.get(f"KEQUN_{name.upper()}"):
        return bytes.fromhex(given)
    path = HOME / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        except FileExistsError:  # another process of the same installation was first
            pass
    return bytes.fromhex(path.read_text())


def secret(name: str) -> str:
    """Return a secret that a source names, such as a database's address; empty where it is not set."""
    return os.environ.get(name, "")


def _database(url: str) -> dict[str, object]:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "kequn.db",
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
            "TEST": {"NAME": HOME / "test.db"},
        }
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise SystemExit(
            f"KEQUN_DATABASE_URL: unknown scheme {parts.scheme!r}; use postgresql://user:password@host:port/name"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 60,
    }


def _clock_offset() -> float:
    """Return the seconds by which the bank's clock differs from the machine's: a demo or a tutorial lives in its data's year."""
    if given := os.environ.get("KEQUN_NOW"):
        return (datetime.fromisoformat(given) - datetime.now(UTC)).total_seconds()
    return float((HOME / "clock").read_text()) if (HOME / "clock").exists() else 0.0


CLOCK_OFFSET = _clock_offset()
SECRET_KEY = _key("secret_key").hex()
FIELD_KEY = _key("field_key")
INDEX_KEY = _key("index_key")
AUDIT_KEY = _key("audit_key")
PSEUDONYM_KEY = _key("pseudonym_key")

DEBUG = os.environ.get("KEQUN_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("KEQUN_HOSTS", "127.0.0.1,localhost,testserver").split(",")
HTTPS = os.environ.get("KEQUN_HTTPS") == "1"
BANK_NAME = os.environ.get("KEQUN_BANK_NAME", "客群银行")

# Channels: addresses and secrets of the gateways; a channel without an address is off.
SMTP_HOST = os.environ.get("KEQUN_SMTP_HOST", "")
SMTP_PORT = int(os.environ.get("KEQUN_SMTP_PORT", "25"))
SMTP_SENDER = os.environ.get("KEQUN_SMTP_SENDER", "noreply@bank.example")
SMTP_USER = os.environ.get("KEQUN_SMTP_USER", "")
SMTP_PASSWORD = os.environ.get("KEQUN_SMTP_PASSWORD", "")
SMTP_TLS = os.environ.get("KEQUN_SMTP_TLS", "")
SMS_RATE = float(os.environ.get("KEQUN_SMS_RATE", "0")) or None
SMTP_RATE = float(os.environ.get("KEQUN_SMTP_RATE", "0")) or None
"""Messages a second that the account allows; no limit when not set."""
SMS_URL = os.environ.get("KEQUN_SMS_URL", "")
SMS_SECRET = os.environ.get("KEQUN_SMS_SECRET", "")
WECOM_MESSAGES_URL = os.environ.get("KEQUN_WECOM_MESSAGES_URL", "")
WECOM_MESSAGES_SECRET = os.environ.get("KEQUN_WECOM_MESSAGES_SECRET", "")
"""The bank's own gateway to WeCom's messages; without it material goes through the chat of the side panel alone."""
RECEIPT_SECRET = os.environ.get("KEQUN_RECEIPT_SECRET", "")
# WeCom's side panel: off until the bank names its application there; nothing outside is called before.
WECOM_CORP_ID = os.environ.get("KEQUN_WECOM_CORP_ID", "")
WECOM_AGENT_ID = os.environ.get("KEQUN_WECOM_AGENT_ID", "")
WECOM_SECRET = os.environ.get("KEQUN_WECOM_SECRET", "")
WECOM_API = os.environ.get("KEQUN_WECOM_API", "https://qyapi.weixin.qq.com")
WECOM_DOOR = os.environ.get("KEQUN_WECOM_DOOR", "https://open.weixin.qq.com/connect/oauth2/authorize")
WECOM_SDK_URL = os.environ.get("KEQUN_WECOM_SDK_URL", "")
"""Where the bank keeps WeCom's JavaScript; its address alone is added to what the panel's pages may load."""
WECOM_SIMULATOR = not WECOM_CORP_ID and (
    DEBUG or (HOME / "clock").exists()
    if "KEQUN_WECOM_SIMULATOR" not in os.environ
    else os.environ["KEQUN_WECOM_SIMULATOR"] == "1"
)
"""Whether something stands in for WeCom: in a demo, which has a clock of its own."""
FILE_DROP_FOLDER = Path(os.environ.get("KEQUN_FILE_DROP_FOLDER", HOME / "drop"))

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "csp",
    "axes",
    "kequn.ops.jobs",
    "kequn.ops.orgs",
    "kequn.ops.governance",
    "kequn.ops.customers",
    "kequn.ops.sources",
    "kequn.ops.tags",
    "kequn.ops.catalog",
    "kequn.ops.ownership",
    "kequn.ops.audiences",
    "kequn.ops.insights",
    "kequn.ops.delivery",
    "kequn.ops.workbench",
    "kequn.ops.books",
    "kequn.ops.campaigns",
    "kequn.ops.reviews",
    "kequn.ops.feedback",
    "kequn.ops.wecom",
    "kequn.ops.board",
    "kequn.ops.analysis",
    "kequn.console",
    "kequn.server",
]

MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "kequn.server.middleware.SessionLifeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "kequn.server.middleware.FormMiddleware",
    "kequn.server.middleware.ActorMiddleware",
    "kequn.server.middleware.ErrorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "kequn.server.urls"
WSGI_APPLICATION = "kequn.server.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "orgs.User"
DATABASES = {"default": _database(os.environ.get("KEQUN_DATABASE_URL", ""))}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "console" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "kequn.console.context.page",
            ],
        },
    }
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "console" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "/static/"
STATICFILES_DIRS: list[Path] = []
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_COOKIE_NAME = "__Host-kequn" if HTTPS else "kequn"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 15 * 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # the SVG charts set style attributes; scripts stay strict
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("KEQUN_LOG_LEVEL", "WARNING")},
}
SILENCED_SYSTEM_CHECKS = ["axes.W003"]
