"""Lists that others keep and that names and codes are checked against."""
