"""Faults: a known history is written by the public door while processes are killed, stopped and cut off; then a checker
compares what was answered with what is stored, carried, folded and shown.
"""

import shared.reading  # noqa: F401 - so that the suite reads whatever it plants
