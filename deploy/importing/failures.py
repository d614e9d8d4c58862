"""Why an import does not begin. A single row that is not as it must be is a `RowRefused`, and the rest goes on."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.failures import Failure


class Unreadable(Failure):
    """A file that is not there, is empty, or is not text in a table."""


class MappingInvalid(Failure):
    """A mapping file that does not say what it must."""


class MissingColumns(Failure):
    def __init__(self, path: Path, kind: str, missing: Sequence[str], found: Sequence[str], or_else: str = "") -> None:
        names = ", ".join(f"'{name}'" for name in missing)
        first = missing[0].split(" or ")[0]
        super().__init__(
            f"{path} has no column {names}, which {kind} need. It has: {', '.join(found) or 'none'}. Nothing was sent.",
            f'name the column in a mapping file, --mapping FILE.toml:  [{kind}.columns]  {first} = "its heading"  '
            f'or give one value for all rows:  [{kind}.constants]  {first} = "value"{or_else}',
        )
        self.missing = tuple(missing)


class RowRefused(Exception):
    """One row that cannot be translated: which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason
