"""From facts to records: which record a fact is about, what it makes of it, and what a batch makes of all. Pure."""

from services.metrics.projections.batch import (
    Changes,
    Held,
    News,
    Placed,
    concerned,
    fold,
    folded_again,
    with_them,
)
from services.metrics.projections.differences import SumId

__all__ = ["Changes", "Held", "News", "Placed", "SumId", "concerned", "fold", "folded_again", "with_them"]
