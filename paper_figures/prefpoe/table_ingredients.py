"""The 2⁴ factorial of what separates CleanRL's PPO from the released artefact: its 16 cells and all 15 effects."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd

from analysis.effects import ANALYSES, REST, SEEDS, shares
from paper_figures import artifact, style, sweeps, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe.ingredients import (
    ENVIRONMENT,
    EXPERT,
    Ingredients,
    architecture,
    read,
    words,
)
from paper_figures.tables import Block

NAME = "table_ingredients"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    found = read(request)
    table = values(found)
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [cells_block(found, request), effects_block(found, request)]
    tables.write(blocks, request)


def values(found: Ingredients) -> pd.DataFrame:
    """The cells with their statistics, then the effects with theirs, then the variation that is left.

    Columns: part (cell, effect, variation), words, then those of statistics and of analysis.effects.effects.
    """
    cells = found.arms.assign(part="cell", words=[", ".join(cell) for cell in _named(found)])
    rows = found.effects.assign(part="effect", words=[words(e) for e in found.effects["effect"]])
    left = shares(found.design)[[SEEDS, REST]].rename_axis("effect").rename("share").reset_index()
    left = left.assign(part="variation", words=left["effect"])
    table = pd.concat([cells, rows, left], ignore_index=True)
    first = ["part", "words"]
    return table[first + [column for column in table if column not in first]]


def _named(found: Ingredients) -> list[tuple[str, ...]]:
    return [
        (*architecture(cell), label)
        for cell, label in zip(found.arms.index, found.arms["label"], strict=True)
    ]


def cells_block(found: Ingredients, request: Request) -> Block:
    """A row for each architecture: without and with the expert, and what that adds."""
    rows = []
    for cell in found.arms.index[:: len((EXPERT.low, EXPERT.high))]:
        without, with_it = (
            found.arms.loc[(*cell[:-1], end)].to_dict() for end in (EXPERT.low, EXPERT.high)
        )
        gap = (with_it[f"mean_difference{end}"] for end in ("", "_low", "_high"))
        rows.append(
            (
                *architecture(cell),
                sweeps.score(without),
                sweeps.score(with_it),
                sweeps.signed_interval(*gap),
                tables.with_holm(with_it["paired_p"], with_it["paired_p_holm"]),
                tables.with_holm(with_it["welch_p"], with_it["welch_p_holm"]),
            )
        )
    heads = ("Critic", "Mean", "Log-std at the start", "without", "with", "difference")
    tests = ("paired t, p (Holm)", "Welch, p (Holm)")
    notes = (
        f"{request.scale_words}. Mean ± standard deviation (ddof = 1) over seeds of the final return on "
        f"{ENVIRONMENT}. without: {found.arms['label'].iloc[0]}; with: {found.arms['label'].iloc[1]}, which is the "
        "preference expert with the artefact's fusion, losses and clamps. Fusing makes the initial standard deviation smaller "
        "by a factor of 1.41 at either log-std. The first row without is CleanRL's PPO, the last row with is the released "
        "artefact's reading. difference: with its 95 % Welch interval; Holm's family is these 8 comparisons.",
        sweeps.lost_note(found.arms, [", ".join(cell) for cell in _named(found)]),
    )
    title = request.title
    spans = (("", 3), ("Preference expert", 3), ("", 2))
    return Block(
        title, spans, (*heads, *tests), tuple(rows), 3, tuple(note for note in notes if note)
    )


def effects_block(found: Ingredients, request: Request) -> Block:
    """A row for each effect by three analyses, then the variation that is left."""
    rows = []
    for effect in found.effects.to_dict("records"):
        line = [words(effect["effect"]), style.percent(100 * effect["share"])]
        for analysis in ANALYSES:
            parts = (effect[f"{analysis}_{part}"] for part in ("estimate", "low", "high"))
            tested = (effect[f"{analysis}_p"], effect[f"{analysis}_p_holm"])
            line += [sweeps.signed_interval(*parts), tables.with_holm(*tested)]
        rows.append(tuple(line))
    for name, share in shares(found.design)[[SEEDS, REST]].items():
        blank = ("",) * (2 * len(ANALYSES))
        rows.append((f"({name})", style.percent(100 * share), *blank))
    heads = ("Effect", "share", *("estimate", "p (Holm)") * len(ANALYSES))
    spans = (("", 2), ("Over seeds", 2), ("Welch", 2), ("Pooled variance", 2))
    why = found.effects["not_estimable"].iloc[0]
    n, planned = found.design.complete.shape[1], len(found.design.seeds)
    notes = [
        "Effect of one ingredient: mean with it minus mean without, averaged over the 8 combinations of the others; of "
        "two (×): half of how much the first one's effect changes with the second; and so on. share: of the sum of squares over "
        "all members of seeds that have every cell. Brackets: 95 %; Holm's family is the 15 effects.",
        "Over seeds (the analysis that figures show): each seed with a score in every cell gives one value of an effect, "
        f"here {n} of {planned} seeds; Student's t, valid however cells differ in spread or share what a seed brings. "
        "Welch and pooled variance take all members and the 16 cells as independent, though they share seeds: intervals "
        "that are too short where a seed moves many cells alike. Pooled variance is ordinary least squares, and takes their "
        "spreads as equal too.",
        f"Not estimable over seeds: {why}. An effect is never computed on the other cells."
        * bool(why),
    ]
    return Block("Effects", spans, heads, tuple(rows), 1, tuple(note for note in notes if note))


if __name__ == "__main__":
    sys.exit(main())
