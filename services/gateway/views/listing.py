"""Lists, a page at a time."""

from pydantic import BaseModel


class Listed(BaseModel):
    """One entry of a list."""

    id: str
    title: str | None
    demonstration_on: str | None = None


class Page(BaseModel):
    items: list[Listed]
    next: str | None
    """Send it as `after` to get the following entries; None at the end."""
