"""Tables: the paper's rows and columns with its printed numbers, ours beside them, then the statistics.

A table module gives a Layout; everything else happens here. `values` is one row for each environment and
arm shown, with what the paper printed there (strings) and every statistic; `render` turns it into text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from analysis.load import STATUSES, TAIL
from analysis.reported import decimals as claimed_decimals
from analysis.statistics import wilcoxon_smallest
from paper_figures import artifact, style
from paper_figures.artifact import Request

Quantity = Literal["return", "mean", "std", "cv", "improvement"]
PRINTED = ("mean", "std", "cv", "improvement")
PERCENTAGES = ("cv", "improvement")
LOST = STATUSES[1:]
LOST_MARK = "†"


@dataclass(frozen=True)
class Row:
    """A row as the paper calls it, and the arm of ours that answers it.

    Either the row or the column names the environment; a row's quantity goes before the column's.
    """

    label: str
    method: str
    environment: str | None = None
    quantity: Quantity | None = None
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column as the paper calls it."""

    title: str
    quantity: Quantity
    environment: str | None = None


@dataclass(frozen=True)
class Layout:
    """A table of the paper. `facts` heads columns that are no measurements."""

    name: str
    place: str
    head: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A rectangle of finished text: spanning heads as (title, columns), heads, and rows.

    The first `left` columns are aligned left, the others right.
    """

    title: str
    spans: tuple[tuple[str, int], ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int
    notes: tuple[str, ...]


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, md and tex."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the table."""
    statistics = request.read("statistics")
    rows = (*layout.rows, *added_rows(layout, statistics))
    said = request.reported(layout.place)
    table = values(layout, rows, statistics, said, request.paper.readings)
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [comparison(layout, rows, table, request), against_baseline(table, request)]
    blocks += between_arms(table, request)  # their values: the experiment's contrasts.parquet
    write(blocks, request)


def write(blocks: Sequence[Block], request: Request) -> None:
    """Write the table's text: md and tex."""
    texts = {".md": markdown(blocks), ".tex": latex(blocks, request.name)}
    for suffix, text in texts.items():
        artifact.write_text(text, request.output.with_suffix(suffix))


def added_rows(layout: Layout, statistics: pd.DataFrame) -> tuple[Row, ...]:
    """Rows that the paper does not have: our other arms where rows are methods, then imported arms."""
    known = {row.method for row in layout.rows}
    environments = list(dict.fromkeys(row.environment for row in layout.rows))
    arms = statistics[["method", "imported"]].drop_duplicates()
    if environments != [None]:
        arms = arms[arms["imported"]]
    return tuple(
        Row(
            f"{environment or ''} ({'imported' if imported else 'added'})".strip(),
            method,
            environment,
        )
        for method, imported in arms.itertuples(index=False)
        if imported or method not in known
        for environment in environments
    )


def values(
    layout: Layout,
    rows: Sequence[Row],
    statistics: pd.DataFrame,
    printed: pd.DataFrame,
    readings: Mapping[str, str],
) -> pd.DataFrame:
    """One row for each environment and arm in `rows`, in the order of the table.

    `readings` are the paper's: arms that share the printed numbers of another.

    Columns: row, environment, method, label, imported, paper_mean, paper_std, paper_cv,
    paper_improvement (str as printed, None where the paper prints nothing), difference (our mean − the
    paper's), and the other columns of `statistics`.
    """
    strings = printed.set_index(["environment", "method", "quantity"])["value"].to_dict()
    arms = {(arm["environment"], arm["method"]): arm for arm in statistics.to_dict("records")}
    table = []
    for row in rows:
        if row.quantity is not None:
            continue
        names = [row.environment] if row.environment else [c.environment for c in layout.columns]
        for environment in dict.fromkeys(names):
            if (environment, row.method) not in arms:
                continue
            said = readings.get(row.method, row.method)
            paper = {f"paper_{q}": strings.get((environment, said, q)) for q in PRINTED}
            table.append({"row": row.label, **arms[environment, row.method], **paper})
    frame = pd.DataFrame(
        table, columns=["row", *statistics.columns, *(f"paper_{q}" for q in PRINTED)]
    )
    frame["difference"] = frame["mean"] - pd.to_numeric(frame["paper_mean"])
    first = ["row", "environment", "method", "label", "imported", *(f"paper_{q}" for q in PRINTED)]
    return frame[first + ["difference"] + [c for c in frame if c not in [*first, "difference"]]]


def comparison(layout: Layout, rows: Sequence[Row], table: pd.DataFrame, request: Request) -> Block:
    """The paper's table with ours beside it."""
    spans = [("", 2 + len(layout.facts))]
    heads = [layout.head, "Our arm", *layout.facts]
    for column in layout.columns:
        parts = _parts(column.quantity)
        spans.append((column.title, len(parts)))
        heads += parts
    labels = dict(zip(table["method"], table["label"], strict=True))
    lines = []
    for row in rows:
        facts = row.facts or ("",) * len(layout.facts)
        line = [row.label, labels.get(row.method, row.method), *facts]
        for column in layout.columns:
            line += _cell(row, column, table, request)
        lines.append(tuple(line))
    return Block(
        f"{layout.place}. {request.title}",
        tuple(spans),
        tuple(heads),
        tuple(lines),
        2,
        _notes(layout, table, request),
    )


def _parts(quantity: Quantity) -> list[str]:
    return ["paper", "ours", "difference"] if quantity in ("return", "mean") else ["paper", "ours"]


def _cell(row: Row, column: Column, table: pd.DataFrame, request: Request) -> list[str]:
    quantity = row.quantity or column.quantity
    environment = row.environment or column.environment
    width = len(_parts(column.quantity))
    found = table[(table["environment"] == environment) & (table["method"] == row.method)]
    if found.empty:
        return [style.MISSING, "not run", style.MISSING][:width]
    arm = found.iloc[0].to_dict()
    decimals = style.decimals_for(arm["std"], arm["mean"])
    ours = {
        "return": with_n(arm, style.mean_and_std(arm["mean"], arm["std"]), request.seeds),
        "mean": with_n(arm, style.number(arm["mean"], decimals), request.seeds),
        "std": style.number(arm["std"], decimals),
        "cv": style.percent(arm["cv"]),
        "improvement": style.percent_interval(
            *(arm[f"improvement{end}"] for end in ("", "_low", "_high"))
        ),
    }[quantity]
    coarser = min(decimals, claimed_decimals(arm["paper_mean"] or "0"))
    difference = style.number(arm["difference"], coarser, signed=True)
    return [_paper(arm, quantity), ours, "" if quantity in PERCENTAGES else difference][:width]


def _paper(arm: Mapping[str, Any], quantity: Quantity) -> str:
    if quantity == "return":
        mean, std = arm["paper_mean"], arm["paper_std"]
        return style.MISSING if mean is None else f"{mean} ± {std}"
    said = arm[f"paper_{quantity}"]
    if said is None:
        return style.MISSING
    return f"{said}%" if quantity in PERCENTAGES else str(said)


def with_n(arm: Mapping[str, Any], score: str, planned: int) -> str:
    """The score, with n where it is not the planned one, and a mark where members were lost."""
    mark = LOST_MARK if lost(arm) else ""
    if not arm["n"]:
        return f"no data{mark}"
    count = "" if arm["n"] == planned else f" (n = {arm['n']})"
    return f"{score}{count}{mark}"


def lost(arm: Mapping[str, Any]) -> str:
    """The members without a score, in words; empty where there are none."""
    return ", ".join(f"{arm[status]} {status}" for status in LOST if arm[status])


def _notes(layout: Layout, table: pd.DataFrame, request: Request) -> tuple[str, ...]:
    episodes = request.plan.scales[request.scale].evaluation_episodes
    notes = [
        f"{request.scale_words}.",
        f"Ours: mean ± standard deviation (ddof = 1) over n = {request.seeds} seeds unless a cell says "
        f"otherwise; a seed's score is the mean return of {episodes} evaluation episodes. "
        "difference: our mean − the paper's. CV and improvement are of means over seeds, "
        "improvement over PPO on the same environment, in brackets Fieller's 95 % interval for two independent "
        "means.",
        *layout.notes,
    ]
    labels = dict(zip(table["method"], table["label"], strict=True))
    pairs = [
        f"{labels[a]} and {labels[b]}" for b, a in request.paper.readings.items() if b in labels
    ]
    if pairs:
        notes.append(f"{'; '.join(pairs)}: two readings of the same row of the paper.")
    gone: dict[str, list[str]] = {}
    for arm in table.to_dict("records"):
        if words := lost(arm):
            who = f"{arm['label']}: n = {arm['n']} of {arm['planned']} ({words})"
            gone.setdefault(who, []).append(arm["environment"])
    if gone:
        cells = [f"{who} on {', '.join(where)}" for who, where in gone.items()]
        notes.append(f"{LOST_MARK} Members without a score. {'; '.join(cells)}.")
    if table["imported"].any():
        notes.append(
            "Arms marked (imported) were not trained here; an imported seed's score is the mean of the "
            f"training returns in the last {100 * TAIL:g} % of its own steps, however many those are. It is "
            "compared with PPO's training return, without pairing, and in a Holm family of its own."
            f"{_other_lengths(table, request)}"
        )
    return tuple(notes)


def _other_lengths(table: pd.DataFrame, request: Request) -> str:
    """Imported runs whose last step is not our step budget, in a sentence; empty where there are none."""
    scores = request.read("scores")
    runs = scores[scores["imported"] & scores["environment"].isin(table["environment"])]
    said = []
    for (method, environment), arm in runs.groupby(["method", "environment"], sort=False):
        planned, low, high = request.steps[environment], arm["steps"].min(), arm["steps"].max()
        if low != planned or high != planned:
            steps = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            said.append(f"{method} on {environment}: {steps} steps, ours {planned:,}")
    return f" Runs of another length: {'; '.join(said)}." if said else ""


def against_baseline(table: pd.DataFrame, request: Request) -> Block:
    """Robust estimates of every arm, and its comparison with the baseline."""
    rows = []
    by_environment = table.groupby("environment", sort=False, group_keys=False)
    for arm in (arm for _, part in by_environment for arm in part.to_dict("records")):
        decimals = style.decimals_for(arm["std"], arm["mean"])
        rows.append(
            (
                arm["environment"],
                arm["label"] + (LOST_MARK if lost(arm) else ""),
                f"{arm['n']}",
                style.interval(arm["iqm"], arm["iqm_low"], arm["iqm_high"], decimals),
                style.mean_and_std(arm["training_mean"], arm["training_std"]),
                style.interval(arm["poi"], arm["poi_low"], arm["poi_high"], 2),
                with_holm(arm["paired_p"], arm["paired_p_holm"]),
                with_holm(arm["welch_p"], arm["welch_p_holm"]),
                style.exact_probability(arm["wilcoxon_p"]),
                style.number(arm["cohens_d"], 1, signed=True),
                style.number(arm["mde"], decimals),
            )
        )
    seeds = request.seeds
    smallest = wilcoxon_smallest(seeds)
    p = f"{smallest:g}" if math.isfinite(smallest) else "none, it needs two pairs"
    notes = (
        "Comparisons are with PPO on the same environment; Holm's family is this experiment's "
        "comparisons with PPO, so one comparison can have another adjusted p in another table. "
        f"{request.scale_words}{_no_evidence(request)}.",
        f"training return: mean over training episodes, actions sampled, in the last {100 * TAIL:g} % of the "
        "steps; on some tasks it is far from what the deterministic policy scores (on Ant-v4 standing "
        "still pays 1000 an episode). Means over members that are left after others diverged flatter "
        "their arm.",
        f"Brackets: 95 % stratified bootstrap intervals; bootstrap CIs undercover at n = {seeds}; "
        f"smallest attainable Wilcoxon p at n = {seeds}: {p}.",
        "Paired tests match members by seed: common random numbers, which are action noise, minibatch "
        "order, seeds of environments and, where networks are alike, initial weights. Welch's test and "
        "P(arm > PPO) ignore the correlation. d: Cohen's, pooled deviation. MDE: the true difference of "
        "means that an uncorrected two-sided 5 % t-test at these n finds with 80 % probability; with "
        "Holm's correction it is larger.",
    )
    heads = ("Environment", "Arm", "n", "IQM", "training return", "P(arm > PPO)")
    more = ("paired t, p (Holm)", "Welch, p (Holm)", "Wilcoxon p", "d", "MDE")
    title = "Estimates and comparisons with PPO"
    return Block(title, (), (*heads, *more), tuple(rows), 2, notes)


def between_arms(table: pd.DataFrame, request: Request) -> list[Block]:
    """The contrasts that the experiment declares between arms of this table; none where there are none."""
    arms = table.set_index(["environment", "method"])
    names = (
        arms["label"] + [LOST_MARK if lost(arm) else "" for arm in arms.to_dict("records")]
    ).to_dict()
    rows = []
    for pair in request.read("contrasts").to_dict("records"):
        first, second = ((pair["environment"], pair[side]) for side in ("method", "against"))
        if first not in names or second not in names:
            continue
        decimals = style.decimals_for(pair["std"], pair["mean"])
        gap, low, high = (pair[f"mean_difference{end}"] for end in ("", "_low", "_high"))
        rows.append(
            (
                pair["environment"],
                f"{names[first]} − {names[second]}",
                f"{pair['n']}"
                if pair["n"] == pair["n_against"]
                else "{n}, {n_against}".format(**pair),
                style.interval(gap, low, high, decimals),
                style.interval(pair["poi"], pair["poi_low"], pair["poi_high"], 2),
                with_holm(pair["paired_p"], pair["paired_p_holm"]),
                with_holm(pair["welch_p"], pair["welch_p_holm"]),
                style.number(pair["cohens_d"], 1, signed=True),
                style.number(pair["mde"], decimals),
            )
        )
    heads = ("Environment", "Contrast", "n", "difference of means", "P(first > second)")
    more = ("paired t, p (Holm)", "Welch, p (Holm)", "d", "MDE")
    notes = (
        "Contrasts that this experiment declares, with 95 % Welch intervals; they are a Holm family of "
        f"their own. {request.scale_words}{_no_evidence(request)}.",
    )
    block = Block("Contrasts between arms", (), (*heads, *more), tuple(rows), 2, notes)
    return [block] if rows else []


def _no_evidence(request: Request) -> str:
    return (
        "" if request.scale == "paper" else ": these p-values say nothing about the paper's claims"
    )


def with_holm(p: float, adjusted: float) -> str:
    """ "0.012 (0.048)": a p-value and what Holm's correction makes of it."""
    if not math.isfinite(p):
        return style.MISSING
    return f"{style.probability(p)} ({style.probability(adjusted)})"


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as pipe tables, titles in bold, notes below."""
    lines: list[str] = []
    for block in blocks:
        heads = list(block.heads)
        at = 0
        for title, width in block.spans:
            if title:
                heads[at] = f"{title}: {heads[at]}"
            at += width
        body = [[cell.replace("|", "\\|") for cell in row] for row in (heads, *block.rows)]
        widths = [max(map(len, column)) for column in zip(*body, strict=True)]
        rule = [
            "-" * max(3, width) if i < block.left else "-" * (max(3, width) - 1) + ":"
            for i, width in enumerate(widths)
        ]
        lines += [f"**{block.title}**", ""]
        for row in (body[0], rule, *body[1:]):
            cells = [
                cell.ljust(max(3, width)) if i < block.left else cell.rjust(max(3, width))
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
        for note in block.notes:
            lines += [note, ""]
    return "\n".join(lines[:-1]) + "\n"


_LATEX = str.maketrans(
    {
        "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
        "±": r"$\pm$", "−": "$-$", "—": "---", "†": r"$^\dagger$", "×": r"$\times$", "<": "$<$",
        ">": "$>$", "β": r"$\beta$", "₁": "$_1$", "α": r"$\alpha$", "λ": r"$\lambda$", "·": r"$\cdot$",
        "’": "'", "\u00a0": "~",
    }
)  # fmt: skip


def latex(blocks: Sequence[Block], name: str) -> str:
    """One table float with the blocks below one another. Needs booktabs."""
    lines = [r"\begin{table*}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    for i, block in enumerate(blocks):
        text = f"{block.title}. {' '.join(block.notes)}".translate(_LATEX)
        lines.append(
            rf"\caption{{{text}}}\label{{tab:{name}}}" if i == 0 else rf"\par\smallskip {text}"
        )
        alignment = "l" * block.left + "r" * (len(block.heads) - block.left)
        lines += [r"\par\smallskip", rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
        if block.spans:
            heads = [rf"\multicolumn{{{w}}}{{c}}{{{t.translate(_LATEX)}}}" for t, w in block.spans]
            lines.append(" & ".join(heads) + r" \\")
        lines += [_latex_row(block.heads), r"\midrule"]
        lines += [_latex_row(row) for row in block.rows]
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"
