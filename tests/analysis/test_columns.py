"""Plain text tables."""

from __future__ import annotations

from analysis.columns import aligned


def test_columns_stand_side_by_side() -> None:
    rows = [("a", "bb", "c"), ("long", "1", "22")]
    assert aligned(rows) == "a     bb   c\nlong   1  22"
    assert aligned(rows, (0, 2)) == "a     bb  c\nlong   1  22"
