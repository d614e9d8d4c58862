"""Golden histories: facts as a release recorded them, with the figures that they must give for ever."""
