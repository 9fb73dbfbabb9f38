"""What the trials of the numerical study found, policy by policy and α by α, and which of the paper's statements hold of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from algorithms.records import StudyRecord
from analysis.statistics import SIGNIFICANCE, wilson_interval
from paper_figures.mixture import POLICIES
from paper_figures.mixture.gaussian_mixtures import Array
from paper_figures.mixture.stationary import OUTCOMES

GAUSSIAN, MIXTURE = POLICIES
POINT = ("mean_1", "mean_2", "log_std_1", "log_std_2", "weight_1")
SAME_OBJECTIVE = 1e-3
"""Stationary points whose objectives are nearer than this are of one kind."""
ON_A_MODE, IN_THE_MIDDLE = 0.9, 0.1
"""A mean this far from 0 is on a mode of the reward (they are at ±1), and this near in the middle."""
SMALL, SHIFTED = 0.2, (0.26, 0.3)
"""Up to which α the optimal Gaussian is said to be on a mode, and at which ones in the middle (Figure 7)."""
DIFFERENT = (0.2, 0.5)
"""Between which α the two policies are said to differ; whether at these themselves is left open."""
VISIBLE = 0.01
"""Expected rewards that differ by more, the largest reward being 1, show as different in a figure."""
GOOD = 0.5
"""A stationary point is called good that earns more than half of the largest reward."""
COLUMNS = {
    "policy": "object",
    "alpha": "float64",
    "trials": "int64",
    **{outcome.replace(" ", "_"): "int64" for outcome in OUTCOMES},
    "stationary": "int64",
    "kinds": "int64",
    "bimodal": "int64",
    **dict.fromkeys(("bimodal_share", "low", "high"), "float64"),
    "interior_bimodal": "int64",
    **dict.fromkeys(("objective", "expected_reward", "entropy"), "float64"),
    "best_bimodal": "bool",
    **dict.fromkeys(POINT, "float64"),
}
"""Columns of `summary`. Trials by outcome; stationary points, their kinds (objectives), those with two modes and their share
with Wilson's 95 % interval, and those with two modes among the interior ones. From `objective` on: the optimal stationary
point, which has the largest objective; NaN where none was found."""


def read_trials(record: StudyRecord | None) -> pd.DataFrame:
    """The study's trials; an empty table where there is no record."""
    return pd.DataFrame() if record is None else record.table("trials")


def summary(trials: pd.DataFrame) -> pd.DataFrame:
    """A row for each α and policy, as COLUMNS says."""
    rows = []
    if len(trials):
        for (alpha, policy), group in trials.groupby(["alpha", "policy"]):
            rows.append({"policy": policy, "alpha": alpha} | _summarised(group))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _summarised(group: pd.DataFrame) -> dict[str, Any]:
    points = group[group["stationary"]].sort_values("objective", ascending=False, kind="stable")
    bimodal = int(points["bimodal"].sum())
    low, high = wilson_interval(bimodal, len(points))
    best = points.iloc[0].to_dict() if len(points) else {}
    return {
        "trials": len(group),
        **{name.replace(" ", "_"): int((group["outcome"] == name).sum()) for name in OUTCOMES},
        "stationary": len(points),
        "kinds": kinds(points["objective"].to_numpy(np.float64)),
        "bimodal": bimodal,
        "bimodal_share": bimodal / len(points) if len(points) else np.nan,
        "low": low,
        "high": high,
        "interior_bimodal": int((points["bimodal"] & (points["outcome"] == "interior")).sum()),
        **{name: best.get(name, np.nan) for name in ("objective", "expected_reward", "entropy")},
        "best_bimodal": bool(best.get("bimodal", False)),
        **{name: best.get(f"end_{name}", np.nan) for name in POINT},
    }


def kinds(objectives: Array) -> int:
    """How many groups objectives form whose neighbours are SAME_OBJECTIVE apart or more."""
    return int((np.diff(np.sort(objectives)) >= SAME_OBJECTIVE).sum()) + bool(len(objectives))


@dataclass(frozen=True)
class Statement:
    """A statement of the paper about the study: its claim, in short, which α it is about, and what decides it.

    `check` is given the rows of `summary` at these α, of the Gaussian and of the mixture, both by α; it returns
    whether the statement holds, and what was found.
    """

    claim: str
    says: str
    about: Callable[[float], bool]
    check: Callable[[pd.DataFrame, pd.DataFrame], tuple[bool, str]]


def statements(table: pd.DataFrame) -> pd.DataFrame:
    """Each of STATEMENTS, decided by a `summary`. Columns: claim, statement, alphas, holds (None: no such α), found."""
    rows = []
    for statement in STATEMENTS:
        here = table[table["alpha"].map(statement.about).astype(bool)]
        parts = [here[here["policy"] == name].set_index("alpha") for name in (GAUSSIAN, MIXTURE)]
        holds, found = statement.check(*parts) if len(here) else (None, "no such α")
        alphas = ", ".join(f"{alpha:g}" for alpha in parts[0].index)
        rows.append((statement.claim, statement.says, alphas, holds, found))
    return pd.DataFrame(rows, columns=["claim", "statement", "alphas", "holds", "found"])


def by_alpha(values: pd.Series, form: str = "g") -> str:
    """ "0.2: 13, 0.22: −14"."""
    said = (f"{alpha:g}: {value:{form}}" for alpha, value in values.items())
    return ", ".join(said).replace("-", "−")


def _none_found(points: pd.Series) -> tuple[bool, str]:
    return bool((points == 0).all()), f"stationary points: {by_alpha(points)}"


def _dominates(gaussian: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    ahead = mixture["expected_reward"].fillna(0) - gaussian["expected_reward"].fillna(0)
    return bool((ahead > 0).all()), f"mixture − Gaussian: {by_alpha(ahead, '+z.3f')}"


def _continues(_: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    earned = mixture["expected_reward"]
    return bool(earned.notna().all()), f"expected reward: {by_alpha(earned, 'z.3f')}"


def _middle(gaussian: pd.DataFrame, _: pd.DataFrame) -> tuple[bool, str]:
    means = gaussian["mean_1"]
    return bool((means.abs() < IN_THE_MIDDLE).all()), f"its mean: {by_alpha(means, 'z.3f')}"


def _shifts(gaussian: pd.DataFrame, _: pd.DataFrame) -> tuple[bool, str]:
    small = gaussian[gaussian.index <= SMALL]
    shifted = gaussian[gaussian.index > SMALL]
    holds = (
        (small["mean_1"].abs() > ON_A_MODE).all()
        and (shifted["mean_1"].abs() < IN_THE_MIDDLE).all()
        and shifted["expected_reward"].max() < small["expected_reward"].min()
        and shifted["entropy"].min() > small["entropy"].max()
    )
    said = (
        f"its {what}: {by_alpha(gaussian[column], 'z.3f')}"
        for what, column in (
            ("mean", "mean_1"),
            ("expected reward", "expected_reward"),
            ("entropy", "entropy"),
        )
    )
    return bool(holds), "; ".join(said)


def _good(_: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    earned = mixture["expected_reward"]
    said = (
        f"stationary points: {by_alpha(mixture['stationary'])}; expected reward of the optimal one: "
        f"{by_alpha(earned, 'z.3f')}"
    )
    return bool((earned > GOOD).all()), said


def _differs_between(gaussian: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    apart = mixture["expected_reward"].fillna(0) - gaussian["expected_reward"].fillna(0)
    shown, low, high = apart.abs() > VISIBLE, *DIFFERENT
    inside = shown[(apart.index > low) & (apart.index < high)]
    outside = shown[(apart.index < low) | (apart.index > high)]
    said = f"mixture − Gaussian, 0 where none is found: {by_alpha(apart, '+z.3f')}"
    return bool(len(inside) and inside.all() and not outside.any()), said


def _diverges_alone(gaussian: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    gone = (gaussian["stationary"] == 0) & (gaussian["diverged"] == gaussian["trials"])
    alone = gone & (mixture["stationary"] > 0)
    reverse = (mixture["stationary"] == 0) & (gaussian["stationary"] > 0)
    told = [
        f"{who} diverges alone at {', '.join(f'{alpha:g}' for alpha in at.index[at]) or 'no α'}"
        for who, at in (("the Gaussian", alone), ("the mixture", reverse))
    ]
    return bool(alone.any() and not reverse.any()), "; ".join(told)


def _two_modes(_: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    found = mixture[mixture["stationary"] > 0]
    one = [f"{alpha:g}" for alpha in found.index[~found["best_bimodal"]]]
    two = [f"{alpha:g}" for alpha in found.index[found["best_bimodal"]]]
    said = [f"{many} at {', '.join(at)}" for many, at in (("two", two), ("one", one)) if at]
    return bool(two) and not one, f"modes: {'; '.join(said) or 'no stationary point'}"


def _diverges(gaussian: pd.DataFrame, _: pd.DataFrame) -> tuple[bool, str]:
    gone, trials = gaussian["diverged"].sum(), gaussian["trials"].sum()
    return bool(gone == trials), f"{gone} of {trials} trials end at the bound of log σ"


def _rises(_: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    share = mixture["bimodal_share"].dropna()
    if len(share) < 3:
        return False, "fewer than three α with stationary points"
    tau = stats.kendalltau(share.index, share)
    falls = [f"{alpha:g}" for alpha in share.index[1:][np.diff(share) < 0]]
    return (
        bool(tau.statistic > 0 and tau.pvalue < SIGNIFICANCE),
        f"Kendall's τ of share and α {tau.statistic:+.2f} (p = {tau.pvalue:.1g}); falls at {', '.join(falls) or 'no α'}",
    )


def _all_bimodal(_: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    counts = [
        f"{alpha:g}: {row['bimodal']} of {row['stationary']}" for alpha, row in mixture.iterrows()
    ]
    same = (mixture["bimodal"] == mixture["stationary"]).all()
    return bool(same and mixture["stationary"].any()), f"with two modes: {', '.join(counts)}"


def _several_kinds(gaussian: pd.DataFrame, mixture: pd.DataFrame) -> tuple[bool, str]:
    often, said = True, []
    for name, rows in ((GAUSSIAN, gaussian), (MIXTURE, mixture)):
        found = rows[rows["stationary"] > 0]
        often &= 2 * (found["kinds"] > 1).sum() > len(found)
        said.append(f"{POLICIES[name]}: {by_alpha(found['kinds'])}")
    return bool(often), "; ".join(said)


def _within(low: float, high: float) -> Callable[[float], bool]:
    return lambda alpha: low < alpha <= high


STATEMENTS: Sequence[Statement] = (
    Statement(
        "figure_1.dominates",
        "On (0.2, 0.45] the optimal mixture has the larger expected reward",
        _within(0.2, 0.45),
        _dominates,
    ),
    Statement(
        "figure_1.middle",
        "On (0.2, 0.3] the optimal Gaussian is on neither mode",
        _within(0.2, 0.3),
        _middle,
    ),
    Statement(
        "figure_1.gaussian_at_0_3",
        "At 0.3 the optimal Gaussian is in the middle of the two modes",
        lambda alpha: alpha == 0.3,
        _middle,
    ),
    Statement(
        "figure_7.gaussian_shifts",
        "Up to 0.2 the optimal Gaussian is on a mode; at 0.26 and 0.3 it is in the middle, with less expected reward and more "
        "entropy than at any of these",
        lambda alpha: alpha <= SMALL or alpha in SHIFTED,
        _shifts,
    ),
    Statement(
        "figure_1.optimal_at_0_3",
        "At 0.3 the optimal mixture has two modes",
        lambda alpha: alpha == 0.3,
        _two_modes,
    ),
    Statement(
        "figure_7.two_modes",
        "At every α the optimal mixture has two modes",
        _within(0, np.inf),
        _two_modes,
    ),
    Statement(
        "figure_1.gaussian_none",
        "On (0.3, 0.45] the Gaussian has no stationary point",
        _within(0.3, 0.45),
        lambda gaussian, _: _none_found(gaussian["stationary"]),
    ),
    Statement(
        "appendix_c.gaussian_none",
        "From 0.325 on the Gaussian has no stationary point",
        lambda alpha: alpha >= 0.325,
        lambda gaussian, _: _none_found(gaussian["stationary"]),
    ),
    Statement(
        "figure_1.diverges_at_0_4",
        "At 0.4 the Gaussian's standard deviation always diverges",
        lambda alpha: alpha == 0.4,
        _diverges,
    ),
    Statement(
        "figure_1.mixture_at_0_4",
        "At 0.4 the mixture has stationary points, the optimal one with more than half of the largest reward",
        lambda alpha: alpha == 0.4,
        _good,
    ),
    Statement(
        "figure_1.mixture_continues",
        "On (0.3, 0.45] the mixture has stationary points",
        _within(0.3, 0.45),
        _continues,
    ),
    Statement(
        "appendix_c.difference_shown",
        "Between 0.2 and 0.5 the optimal policies' expected rewards differ by more than 0.01, below and above they do not",
        _within(0, np.inf),
        _differs_between,
    ),
    Statement(
        "appendix_c.mixture_none",
        "Beyond 0.5 the mixture has no stationary point",
        _within(0.5, np.inf),
        lambda _, mixture: _none_found(mixture["stationary"]),
    ),
    Statement(
        "figure_1.trend",
        "The share of the mixture's stationary points with two modes grows with α",
        _within(0, np.inf),
        _rises,
    ),
    Statement(
        "figure_1.bimodal",
        "Beyond 0.3 all of the mixture's stationary points have two modes",
        _within(0.3, np.inf),
        _all_bimodal,
    ),
    Statement(
        "section_6.robust",
        "At some α every trial of the Gaussian diverges and the mixture has stationary points, at none the other way round",
        _within(0, np.inf),
        _diverges_alone,
    ),
    Statement(
        "figure_7.types",
        "Both policies often have several kinds of stationary points",
        _within(0, np.inf),
        _several_kinds,
    ),
)
"""What the paper says of this study that its record decides, in the order of the text."""
