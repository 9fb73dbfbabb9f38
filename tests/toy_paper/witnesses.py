"""The toy paper's one theorem: a sign is ±1, so its square is 1."""

from __future__ import annotations

import sys

from analysis.audit.witness import Witness, command_line


def sign_squared() -> Witness:
    """Both signs squared."""
    squares = {f"({sign})²": float(sign**2) for sign in (-1, 1)}
    holds = set(squares.values()) == {1.0}
    return Witness(
        outcome="holds" if holds else "fails", said="Both signs were squared.", numbers=squares
    )


if __name__ == "__main__":
    sys.exit(command_line({"sign_squared": sign_squared}, __doc__ or ""))
