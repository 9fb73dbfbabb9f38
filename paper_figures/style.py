"""How everything drawn looks: fonts, colours, line styles, sizes, number formatting. The only such place.

Figures are one column wide (3.25 in), or a page where many panels stand side by side, and saved so that the same data
give the same bytes.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from algorithms.records import atomic_path

COLUMN, PAGE = 3.25, 6.75
DOTS_PER_INCH = 300
SMALL, NORMAL = 6.0, 7.0
NOTE_WIDTH = 74
"""Characters of a legend's note that one column holds."""
MISSING = "—"
NO_RECORDS = "no records yet"
MINUS = "−"
NOTE_COLOUR = "#555555"
EMPTY_COLOUR = "#e8e8e8"
HEATMAP = "cividis"

_BLACK, _ORANGE, _SKY, _GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
_BLUE, _VERMILLION, _PURPLE, _GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
_PALE, _DEEP = "#F5A878", "#8A3A00"
"""Shades of vermillion."""
_SOLID, _DOTTED, _DASH_DOT = "-", (0, (1, 0.9)), (0, (4, 1.2, 1, 1.2))


@dataclass(frozen=True)
class LineStyle:
    """An arm's colour and dash pattern. Plain dashes are kept for what a paper claims."""

    colour: str
    dashes: str | tuple[int, tuple[float, ...]] = _SOLID


_PREFPOE = {
    "ppo": LineStyle(_BLACK),
    "ppo_matched": LineStyle(_BLACK, _DOTTED),
    "ppo_cleanrl_discrete": LineStyle(_BLACK, _DASH_DOT),
    "ppo_adaptive_clip": LineStyle(_SKY),
    "linear_fusion": LineStyle(_ORANGE),
    "preference_network": LineStyle(_GREEN),
    "preference_network_clamped": LineStyle(_GREEN, _DOTTED),
    "ppo_state_std": LineStyle(_SKY, _DOTTED),
    "poe_no_advantage": LineStyle(_BLUE),
    "poe_no_preference_loss": LineStyle(_BLUE, _DOTTED),
    "prefpoe": LineStyle(_VERMILLION),
    "prefpoe_eq16": LineStyle(_VERMILLION, _DOTTED),
    "prefpoe_released": LineStyle(_PURPLE),
}
_MIXTURE = {
    "rep_squashed": LineStyle(_BLACK),
    "like_squashed": LineStyle(_BLACK, _DOTTED),
    "half_rep_sgm": LineStyle(_VERMILLION),
    "like_sgm": LineStyle(_VERMILLION, _DOTTED),
    "gumbel_rep_sgm": LineStyle(_BLUE),
    "uniform_rep_sgm": LineStyle(_GREEN),
    "rep_cauchy": LineStyle(_SKY),
    "half_rep_cm": LineStyle(_ORANGE),
    "gumbel_rep_cm": LineStyle(_PURPLE),
}
_GREEDY_AC = {
    "greedy_ac_gm_1": LineStyle(_BLACK),
    "greedy_ac_released": LineStyle(_BLACK, _DOTTED),
    "greedy_ac_gm_2": LineStyle(_PALE, _DOTTED),
    "greedy_ac_gm_5": LineStyle(_VERMILLION),
    "greedy_ac_gm_8": LineStyle(_DEEP, _DASH_DOT),
}
_PMPO = {
    "mpo": LineStyle(_BLACK),
    "mpo_20": LineStyle(_BLACK, _DOTTED),
    "pmpo_ar": LineStyle(_VERMILLION),
    "pmpo_ar_extremes": LineStyle(_VERMILLION, _DOTTED),
    "pmpo_a": LineStyle(_GREEN),
    "pmpo_r": LineStyle(_BLUE),
    "pmpo_r_no_kl": LineStyle(_BLUE, _DOTTED),
    "dpo": LineStyle(_ORANGE),
    "ipo": LineStyle(_PURPLE),
    "initial_policy": LineStyle(_GREY),
}
PAPERS: tuple[dict[str, LineStyle], ...] = (_PREFPOE, _MIXTURE, _GREEDY_AC, _PMPO)
"""One style per method through a whole paper: Okabe and Ito's colours (2008), variants by dashes.

GreedyAC's arms, which no figure shows beside others, are a group of their own.
"""
METHODS: dict[str, LineStyle] = {name: look for paper in PAPERS for name, look in paper.items()}

POLICIES: dict[str, LineStyle] = {
    "gaussian": LineStyle(_BLACK),
    "gaussian_mixture": LineStyle(_VERMILLION),
}
"""Policies of studies that train no method."""

COMPONENTS: dict[int, LineStyle] = {
    2: LineStyle(_PALE, _DOTTED),
    5: _MIXTURE["half_rep_sgm"],
    8: LineStyle(_DEEP, _DASH_DOT),
}
"""HalfRep-SGM by its number of components: shades of its colour, the darker the more."""

TEMPERATURES: dict[float, LineStyle] = {
    0.1: LineStyle("#A6C8E0", _DOTTED),
    0.5: LineStyle(_SKY, _DASH_DOT),
    1.0: _MIXTURE["gumbel_rep_sgm"],
    2.0: LineStyle("#004A75", _DASH_DOT),
    10.0: LineStyle("#00223A", _DOTTED),
}
"""GumbelRep-SGM by its temperature: shades of its colour, the darker the higher."""

BETAS: dict[float, LineStyle] = dict(
    zip((0.0, 0.5, 1.0, 1.5, 2.0), TEMPERATURES.values(), strict=True)
)
"""PMPO by the weight β of its KL term: shades of blue, the darker the higher."""

_OTHERS = (LineStyle(_GREY), LineStyle(_GREY, _DOTTED), LineStyle(_GREY, _DASH_DOT))
_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "svg.hashsalt": "rl-replica",
}


def line_styles(methods: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each of `methods`; those not listed here (imported arms) are grey, by dashes."""
    unlisted = [name for name in methods if name not in METHODS]
    others = {name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(unlisted)}
    return {name: METHODS.get(name) or others[name] for name in methods}


@contextmanager
def figure(height: float, width: float = COLUMN) -> Iterator[Figure]:
    """A figure `width` × `height` inches large; draw and save inside the block."""
    with matplotlib.rc_context(_RC):
        yield Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def save(drawing: Figure, stem: Path) -> None:
    """Write `stem`.pdf and `stem`.png, free of dates and versions.

    Axes are arranged once, as the png needs it: while a figure has a layout engine, matplotlib draws it twice for each file.
    """
    if (arrangement := drawing.get_layout_engine()) is not None:
        arrangement.execute(drawing)
        drawing.set_layout_engine(None)
    undated = {"CreationDate": None, "Producer": None, "Creator": None}
    with atomic_path(stem.with_suffix(".pdf")) as path:
        drawing.savefig(path, format="pdf", metadata=undated)
    with atomic_path(stem.with_suffix(".png")) as path:
        drawing.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def panel_title(axes: Axes, letter: str, title: str, note: str, size: float = NORMAL) -> None:
    """The panel's name on the left; scale and n, small, in the corner on the right."""
    axes.set_title(f"({letter}) {title}", loc="left", pad=3, fontsize=size)
    axes.set_title(note, loc="right", pad=3, fontsize=SMALL - 0.5, color=NOTE_COLOUR)


def corner_note(drawing: Figure, text: str) -> None:
    """Words, small, in the figure's upper right corner: the scale, where panels have room for n alone."""
    drawing.suptitle(text, x=0.995, ha="right", fontsize=SMALL - 0.5, color=NOTE_COLOUR)


def centre_note(axes: Axes, text: str) -> None:
    """Words in an empty panel."""
    box: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=NOTE_COLOUR,
        bbox=box,
        zorder=9,
    )


def legend_below(
    drawing: Figure, handles: Sequence[Artist], labels: Sequence[str], note: str
) -> None:
    """A note and a legend below all panels, where they cover no data."""
    columns = drawing.get_figwidth() / COLUMN
    box = drawing.legend(
        handles,
        [wrapped(label, 30) for label in labels],
        loc="outside lower center",
        title=wrapped(note, int(NOTE_WIDTH * columns)),
        title_fontsize=SMALL - 0.5,
        alignment="left",
        ncols=int(2 * columns),
        frameon=False,
        handlelength=2.2,
        columnspacing=1.0,
        labelspacing=0.35,
    )
    box.get_title().set_color(NOTE_COLOUR)


def wrapped(text: str, width: int) -> str:
    """`text` broken into lines of at most `width` characters, not within parentheses."""
    kept = re.sub(r"\([^()]*\)", lambda found: found[0].replace(" ", "\u00a0"), text)
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\u00a0", " ")


def decimals_for(spread: float, value: float) -> int:
    """Digits after the point that show two digits of `spread`, or three of `value` without a spread."""
    if math.isfinite(spread) and spread > 0:
        return max(0, 1 - math.floor(math.log10(spread)))
    if math.isfinite(value) and value != 0:
        return min(3, max(0, 2 - math.floor(math.log10(abs(value)))))
    return 0


def number(value: float, decimals: int, signed: bool = False) -> str:
    """`value` with so many decimals and a true minus sign; a dash where it is not defined."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if not float(text):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def mean_and_std(mean: float, std: float) -> str:
    """ "1276 ± 67": as many digits as the spread deserves; the mean alone where there is no spread."""
    decimals = decimals_for(std, mean)
    if not math.isfinite(std):
        return number(mean, decimals)
    return f"{number(mean, decimals)} ± {number(std, decimals)}"


def interval(value: float, low: float, high: float, decimals: int) -> str:
    """ "0.80 [0.44, 1.00]"."""
    if not math.isfinite(low) or not math.isfinite(high):
        return number(value, decimals)
    return f"{number(value, decimals)} [{number(low, decimals)}, {number(high, decimals)}]"


def probability(p: float) -> str:
    """A p-value: three decimals, or "<0.001"."""
    if not math.isfinite(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def exact_probability(p: float) -> str:
    """A p-value of a discrete test, whose digits are exact: "0.0625"."""
    return f"{p:.4g}" if math.isfinite(p) else MISSING


def percent_interval(value: float, low: float, high: float) -> str:
    """ "+30% [−9, +81]": signed, with the digits that the 95 % interval deserves, one decimal at most."""
    if not math.isfinite(value):
        return MISSING
    if math.isnan(low) or math.isnan(high):
        return f"{number(value, 0, signed=True)}%"
    if math.isinf(low) or math.isinf(high):
        return f"{number(value, 0, signed=True)}% [unbounded]"
    decimals = min(1, decimals_for((high - low) / 4, value))
    first, *ends = (number(each, decimals, signed=True) for each in (value, low, high))
    return f"{first}% [{', '.join(ends)}]"


def percent(value: float, signed: bool = False) -> str:
    """A percentage with one decimal."""
    text = number(value, 1, signed)
    return text if text == MISSING else f"{text}%"
