"""From facts to records: which record a fact is about, and what it makes of it. Pure."""

from services.metrics.projections.identity import Identity, identities
from services.metrics.projections.record import evolve

__all__ = ["Identity", "evolve", "identities"]
