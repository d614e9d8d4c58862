"""Reading: facts are folded exactly once, whatever is repeated, late or lost on the way."""

from shared.reading import fetched  # noqa: F401 - so that nobody reads without it
