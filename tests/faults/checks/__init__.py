"""What the checker looks for, a module for each part of the way that a fact goes."""
