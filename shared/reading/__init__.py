"""Reading: facts are folded exactly once, whatever is repeated, late or lost on the way."""
