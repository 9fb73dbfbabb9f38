"""How good a method is at each entropy scale α: with the best of its other hyperparameters, chosen in two ways.

`best_settings` chooses and shows on the same members, as the paper does: the largest of several chance results, hence
too high on average, the more so the more settings there are and the fewer members. `held_out` does not have that bias:
seeds are split into halves (every second one), the best is chosen on one half and shown on the other, both ways round,
so that every seed is shown once, at a setting chosen without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.effects import levels
from analysis.statistics import Scores, halves
from paper_figures.bootstrap import estimate
from paper_figures.style import LineStyle

ALPHA = "alpha"
ESTIMATE = ("n", "mean", "low", "high")


def with_levels(members: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """`members` with columns for the hyperparameters `names` that their column `setting` holds as JSON."""
    return members.assign(**levels(members).reindex(columns=list(names)))


def best_setting(members: pd.DataFrame, measure: str) -> str | None:
    """The setting with the largest mean of `measure`; the first of equals.

    All of its members must have a value, as where a sweep is chosen from (analysis.choice). None without such a setting.
    """
    values = members.groupby("setting", sort=False)[measure]
    means = values.mean()[values.count() == values.size()]
    return None if means.empty else str(means.idxmax())


def best_settings(members: pd.DataFrame, measure: str, within: Sequence[str]) -> pd.DataFrame:
    """The best setting of every combination of `within`, with its mean and the mean's 95 % bootstrap interval.

    `members` has a row for each planned one, with columns `within`, seed, setting and `measure`, NaN without a score.
    Columns: `within`, setting, n, mean, low, high.
    """
    rows = []
    for who, group in members.groupby(list(within), sort=False):
        best = best_setting(group, measure)
        if best is not None:
            rows.append((*who, best, *estimate(_values(group, measure, best))))
    return pd.DataFrame(rows, columns=[*within, "setting", *ESTIMATE])


def held_out(members: pd.DataFrame, measure: str, within: Sequence[str]) -> pd.DataFrame:
    """The same, each half of the seeds shown at the setting that is the best on the other half.

    Columns: `within`, setting (shown on the first half), other_setting (shown on the second), n, mean, low, high; the interval takes both choices as
    given. A setting of which any run is lost is neither chosen nor shown. Combinations with fewer than two seeds, or
    without a setting to choose, are left out.
    """
    rows = []
    for who, everyone in members.groupby(list(within), sort=False):
        whole = everyone.groupby("setting")[measure].transform(lambda own: own.notna().all())
        group = everyone[whole.astype(bool)]
        seeds = np.unique(group["seed"])
        first = group["seed"].isin(seeds[halves(len(seeds))[0]])
        chosen = [best_setting(group[part], measure) for part in (~first, first)]
        if chosen[0] is not None and chosen[1] is not None:
            parts = zip((first, ~first), chosen, strict=True)
            shown = [_values(group[part], measure, str(best)) for part, best in parts]
            rows.append((*who, *chosen, *estimate(np.concatenate(shown))))
    return pd.DataFrame(rows, columns=[*within, "setting", "other_setting", *ESTIMATE])


def _values(members: pd.DataFrame, measure: str, setting: str) -> Scores:
    found: Scores = (
        members.loc[members["setting"] == setting, measure].dropna().to_numpy(np.float64)
    )
    return found


def draw(axes: Axes, best: pd.DataFrame, looks: Mapping[str, LineStyle], key: str) -> None:
    """Each arm's estimates by α, with their intervals; arms, told apart by column `key`, stand beside each other."""
    arms = [name for name in looks if (best[key] == name).any()]
    for index, name in enumerate(arms):
        own, look = best[best[key] == name].sort_values(ALPHA), looks[name]
        at = own[ALPHA] * 10 ** (0.05 * (index - (len(arms) - 1) / 2))
        axes.plot(at, own["mean"], color=look.colour, ls=look.dashes, marker="o", ms=2.4, lw=0.9)
        axes.vlines(at, own["low"], own["high"], color=look.colour, lw=1.0)
    axes.set_xscale("log")
    axes.set_xlabel("entropy scale α", labelpad=1.5)
