"""Importing records that somebody else kept: files read, translated row by row, sent as commands."""
