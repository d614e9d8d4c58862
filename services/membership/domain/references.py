"""Sources' own keys: kept beside the ids they led to, never in facts (one may be an e-mail address). Pure."""

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.events.words import Title

Ref = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Reference(BaseModel):
    """A source's own key for a thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Title
    ref: Ref

    def __str__(self) -> str:
        return f"'{self.ref}' of {self.source}"


def reference_key(source: str, ref: str) -> str:
    """One text for both, which no other pair has."""
    return json.dumps([source, ref], ensure_ascii=False)
