"""How hypothesis searches: no test fails for having been slow."""

from hypothesis import settings

settings.register_profile("praxis", deadline=None)
settings.load_profile("praxis")
