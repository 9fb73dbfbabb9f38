"""Checks as pure functions of numbers and ranges: no claims, no files."""
