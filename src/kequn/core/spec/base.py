"""What every document a person can write has in common."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""An identifier in files, columns and URLs: lower case, digits and underscores."""


class Text(BaseModel):
    """Words a user reads, in Chinese with an optional English (文字).

    A plain string is the Chinese: ``title: 金卡`` equals ``title: {zh: 金卡}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    zh: str = Field(min_length=1)
    en: str = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return {"zh": value} if isinstance(value, str) else value

    def __str__(self) -> str:
        return self.zh

    def to(self, language: str) -> str:
        """Return the words in ``language`` ("zh…" or "en…"), the Chinese where there is no English."""
        return self.en if language.startswith("en") and self.en else self.zh


class Spec(BaseModel):
    """A definition that a person writes as YAML or JSON and that never changes once made."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    labels: ClassVar[frozenset[str]] = frozenset({"title", "description", "owner"})

    def fingerprint(self) -> str:
        """Return a 12-character hash of what the spec means; a new title is not a new meaning."""
        meaning = self.model_dump_json(exclude=set(self.labels), exclude_defaults=True, by_alias=True)
        return hashlib.sha256(f"{type(self).__name__}{meaning}".encode()).hexdigest()[:12]


class Definition(Spec):
    """A spec with a name of its own: a file, a row, a page."""

    spec: int = Field(default=1, ge=1, le=1)
    name: Name
    title: Text
    description: Text | None = None
    owner: str = ""
