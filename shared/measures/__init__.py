"""Every figure, defined once: its name, unit, what counts and what does not, and how it is computed. Pure."""
