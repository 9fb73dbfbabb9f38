"""Every number that a table prints, each from one function here.

Members are the sampling unit: a member's score is the mean of its evaluation episodes, and n counts members.
Functions take arrays of scores, shape [n] for an arm's n members, and return NaN where a quantity is not
defined (n < 2, no spread, a mean that is not positive) instead of failing. Whatever draws random numbers
takes a numpy Generator. Standard deviations have ddof = 1. Intervals are 95 %; bootstrap intervals undercover
at n = 5, which is what these papers have.

Command line: the scores, curves and statistics of one experiment, from the records of its members.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import optimize, stats

from algorithms.cell import load_plan
from algorithms.records import atomic_path
from algorithms.settings import METHODS
from algorithms.specification import SpecificationError
from analysis.fieller import Part, ratio_interval
from analysis.load import STATUSES, load_experiment, read_imported, require_experiment
from envs.registry import ENVIRONMENTS, Anchors

Scores = NDArray[np.float64]
Indices = NDArray[np.int64]

SEED = 20251108
CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
POWER = 0.80
BOOTSTRAP_RESAMPLES = 2000
ROUNDING = 1e-12
"""Spread below this fraction of the scores' size is rounding error and counts as none."""


class Interval(NamedTuple):
    """The two ends of a 95 % interval."""

    low: float
    high: float


class Outcome(NamedTuple):
    """A two-sided test: its statistic, degrees of freedom and p-value."""

    statistic: float
    df: float
    p: float


UNDEFINED = Interval(np.nan, np.nan)
UNTESTED = Outcome(np.nan, np.nan, np.nan)


def halves(n: int) -> tuple[Indices, Indices]:
    """Every second of n seeds, and the others: what a split-seed estimate chooses on and scores on."""
    return np.arange(0, n, 2), np.arange(1, n, 2)


# One arm


def mean(x: Scores) -> float:
    """Mean of the members' scores; NaN without members."""
    return float(np.mean(x)) if len(x) else np.nan


def std(x: Scores) -> float:
    """Standard deviation over members, ddof = 1; 0 where scores differ by rounding only."""
    if len(x) < 2:
        return np.nan
    return 0.0 if np.ptp(x) <= ROUNDING * np.max(np.abs(x)) else float(np.std(x, ddof=1))


def coefficient_of_variation(x: Scores) -> float:
    """std / mean in percent; NaN unless the mean is positive."""
    return 100 * std(x) / mean(x) if mean(x) > 0 else np.nan


def mean_interval(x: Scores) -> Interval:
    """Student's t interval of the mean."""
    if len(x) < 2:
        return UNDEFINED
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 1)) * std(x) / np.sqrt(len(x))
    return Interval(mean(x) - half, mean(x) + half)


def wilson_interval(count: int, n: int) -> Interval:
    """Wilson's interval of a proportion of which `count` of n were observed."""
    if not n:
        return UNDEFINED
    found = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def iqm(x: Scores) -> float:
    """Interquartile mean: mean of what remains after cutting ⌊n/4⌋ scores from either end.

    The number that `rliable.metrics.aggregate_iqm` gives, in a tenth of the time, which the bootstrap
    spends two thousand times.
    """
    cut = len(x) // 4
    return mean(np.sort(x)[cut : len(x) - cut])


def iqm_interval(x: Scores, generator: np.random.Generator) -> Interval:
    """Percentile bootstrap interval of the IQM over members (rliable)."""
    return bootstrap_interval([x], lambda sample: iqm(sample[:, 0]), generator)


def normalised(score: float, anchors: Anchors) -> float:
    """A score on the scale where random play is 0 and the reference is 1.

    The map is affine and increasing, so it takes the IQM and its bootstrap interval to those of the
    normalised scores.
    """
    return (score - anchors.random) / (anchors.reference - anchors.random)


# An arm x against the baseline y


def improvement(x: Scores, y: Scores) -> float:
    """(mean of x − mean of y) / mean of y in percent; NaN unless the baseline's mean is positive."""
    return 100 * (mean(x) - mean(y)) / mean(y) if mean(y) > 0 else np.nan


def improvement_interval(x: Scores, y: Scores) -> Interval:
    """Fieller's interval of `improvement`: the ratio of means of two independent arms (analysis.fieller).

    (−∞, ∞) where the baseline's mean is not significantly different from zero; NaN where the improvement is, and
    without any spread.
    """
    if min(len(x), len(y)) < 2 or not mean(y) > 0:
        return UNDEFINED
    above, below = (Part(std(arm) ** 2 / len(arm), len(arm) - 1) for arm in (x, y))
    if not above.variance + below.variance > 0:
        return UNDEFINED
    low, high = ratio_interval(mean(x), mean(y), [above], [below])
    return Interval(100 * (low - 1), 100 * (high - 1))


def probability_of_improvement(x: Scores, y: Scores) -> float:
    """Share of pairs (xᵢ, yⱼ) with xᵢ > yⱼ, a tie counting one half.

    The number that `rliable.metrics.probability_of_improvement` gives, without computing a Mann-Whitney
    p-value for each bootstrap sample, which takes a hundred times as long.
    """
    if not len(x) or not len(y):
        return np.nan
    difference = np.subtract.outer(x, y)
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def probability_interval(x: Scores, y: Scores, generator: np.random.Generator) -> Interval:
    """Bootstrap interval of the probability of improvement; either arm is resampled alone (rliable)."""
    return percentile_interval(probability_values(x, y, generator))


def probability_values(x: Scores, y: Scores, generator: np.random.Generator) -> Scores:
    """The probability of improvement in each resample behind `probability_interval`."""

    def probability(a: Scores, b: Scores) -> float:
        return probability_of_improvement(a[:, 0], b[:, 0])

    return bootstrap_values([x, y], probability, generator)


def bootstrap_interval(
    arms: Sequence[Scores], function: Callable[..., float], generator: np.random.Generator
) -> Interval:
    """Percentile interval of `function` under rliable's stratified bootstrap over members.

    `function` receives each arm as an array of shape [n, 1]: its members on one environment. NaN where
    an arm has fewer than two members.
    """
    return percentile_interval(bootstrap_values(arms, function, generator))


def bootstrap_values(
    arms: Sequence[Scores], function: Callable[..., float], generator: np.random.Generator
) -> Scores:
    """`function` of each of rliable's stratified resamples, shape [BOOTSTRAP_RESAMPLES]; empty with under two members.

    Its arguments are those of `bootstrap_interval`.
    """
    if min(len(arm) for arm in arms) < 2:
        return np.empty(0)
    # Here: it takes long to load, and what only draws resamples nothing.
    from rliable import library

    columns = [arm[:, None] for arm in arms]
    kind = library.StratifiedBootstrap if len(arms) == 1 else library.StratifiedIndependentBootstrap
    with global_seed(generator):
        values: Scores = kind(*columns).apply(
            lambda *sample: np.array([function(*sample)]), BOOTSTRAP_RESAMPLES
        )
    return values[:, 0]


def percentile_interval(values: Scores) -> Interval:
    """The middle 95 % of bootstrap `values`; NaN without any."""
    if not len(values):
        return UNDEFINED
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Interval(float(low), float(high))


def percentile_p(values: Scores, nothing: float) -> float:
    """The two-sided p-value of `nothing` that goes with `percentile_interval`: twice the smaller share on one side of it.

    At least 2 / (resamples + 1); NaN without values.
    """
    if not len(values):
        return np.nan
    sides = np.sum(values <= nothing), np.sum(values >= nothing)
    return float(min(1.0, 2 * (min(sides) + 1) / (len(values) + 1)))


@contextmanager
def global_seed(generator: np.random.Generator) -> Iterator[None]:
    """Seed numpy's global stream from `generator` for the block, then put its old state back.

    rliable 1.2.0 resamples from the global stream and ignores its `random_state` argument.
    """
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(generator.integers(2**32)))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def pairs(x: pd.Series, y: pd.Series) -> tuple[Scores, Scores]:
    """The scores of x and y, indexed by seed, in the same order of seeds.

    Both are empty unless either side has every seed once and both have the same seeds: nothing is
    dropped to make them match. Sharing a seed means equal initial weights where two methods have the
    same networks, and equal first states; it does not make later experience equal.
    """
    matched = x.index.is_unique and y.index.is_unique and set(x.index) == set(y.index)
    if not matched:
        return np.empty(0), np.empty(0)
    return x.to_numpy(np.float64), y.loc[x.index].to_numpy(np.float64)


def paired_t(x: Scores, y: Scores) -> Outcome:
    """Paired t-test of members matched by position; NaN where the differences have no spread."""
    n = len(x)
    difference = _differences(x, y)
    spread = std(difference)
    if n < 2 or spread == 0:
        return UNTESTED
    return _t_test(mean(difference), spread / np.sqrt(n), n - 1)


def wilcoxon(x: Scores, y: Scores) -> float:
    """p-value of the two-sided Wilcoxon signed-rank test of members matched by position (scipy)."""
    difference = _differences(x, y)
    if len(x) < 2 or not difference.any():
        return np.nan
    return float(stats.wilcoxon(difference).pvalue)


def wilcoxon_smallest(n: int) -> float:
    """The smallest p that a two-sided signed-rank test of n pairs can give: 2 / 2ⁿ."""
    return 2.0 ** (1 - n) if n >= 2 else np.nan


def welch_t(x: Scores, y: Scores) -> Outcome:
    """Welch's t-test: unpaired, unequal variances, Satterthwaite's degrees of freedom."""
    variances = std(x) ** 2 / max(len(x), 1), std(y) ** 2 / max(len(y), 1)
    if not sum(variances) > 0:
        return UNTESTED
    df = _satterthwaite(variances, (len(x), len(y)))
    return _t_test(mean(x) - mean(y), np.sqrt(sum(variances)), df)


def welch_interval(x: Scores, y: Scores) -> Interval:
    """Welch's interval of the difference of means, mean(x) − mean(y)."""
    test = welch_t(x, y)
    if not np.isfinite(test.df):
        return UNDEFINED
    error = np.sqrt(std(x) ** 2 / len(x) + std(y) ** 2 / len(y))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, test.df) * error)
    return Interval(mean(x) - mean(y) - half, mean(x) - mean(y) + half)


def holm(p: Scores) -> Scores:
    """Holm's step-down adjustment of a family of p-values, shape [k].

    NaN marks a comparison that could not be made; it stays NaN and does not count in the family.
    """
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p[index])))
        adjusted[index] = largest
    return adjusted


def pooled_std(x: Scores, y: Scores) -> float:
    """Square root of the variance pooled over two arms, weighted by their degrees of freedom."""
    if len(x) < 2 or len(y) < 2:
        return np.nan
    squares = (len(x) - 1) * std(x) ** 2 + (len(y) - 1) * std(y) ** 2
    return float(np.sqrt(squares / (len(x) + len(y) - 2)))


def cohens_d(x: Scores, y: Scores) -> float:
    """Difference of means in pooled standard deviations; NaN without spread."""
    spread = pooled_std(x, y)
    return (mean(x) - mean(y)) / spread if spread > 0 else np.nan


def power(
    difference: float, spread: float, n_x: int, n_y: int, level: float = SIGNIFICANCE
) -> float:
    """Chance that a two-sided two-sample t-test at `level` finds a true `difference` of means.

    `spread` is the standard deviation within either arm; the statistic is noncentral t.
    """
    df = n_x + n_y - 2
    critical = stats.t.ppf(1 - level / 2, df)
    shift = difference / (spread * np.sqrt(1 / n_x + 1 / n_y))
    return float(stats.nct.sf(critical, df, shift) + stats.nct.sf(critical, df, -shift))


def minimum_detectable_difference(
    spread: float, n_x: int, n_y: int, level: float = SIGNIFICANCE
) -> float:
    """The true difference of means that the t-test of `power` finds with 80 % probability."""
    if not spread > 0 or min(n_x, n_y) < 2:
        return np.nan
    standardised = optimize.brentq(lambda d: power(d, 1.0, n_x, n_y, level) - POWER, 0.0, 50.0)
    return float(standardised) * spread


def _differences(x: Scores, y: Scores) -> Scores:
    """x − y, with differences at the level of rounding set to zero."""
    difference = x - y
    difference[np.abs(difference) <= ROUNDING * np.maximum(np.abs(x), np.abs(y))] = 0.0
    return difference


def _satterthwaite(variances: tuple[float, float], sizes: tuple[int, int]) -> float:
    """Degrees of freedom of the sum of two means' `variances`, each estimated from so many members."""
    weights = [v**2 / (n - 1) for v, n in zip(variances, sizes, strict=True)]
    return float(sum(variances) ** 2 / sum(weights))


def _t_test(difference: float, error: float, df: float) -> Outcome:
    statistic = difference / error
    return Outcome(float(statistic), float(df), float(2 * stats.t.sf(abs(statistic), df)))


# One experiment


def statistics(
    scores: pd.DataFrame, baseline: str, methods: Sequence[str], generator: np.random.Generator
) -> pd.DataFrame:
    """One row for each environment, method and setting of `scores`, all arms against `baseline`.

    Rows keep the order of environments in `scores` and of `methods`; imported arms come last. An arm is
    compared with the baseline on the same environment and setting. Holm's family is every comparison
    of our own arms with the baseline in this table; imported arms are a family of their own, so that
    joining one changes no number of ours.
    """
    root, arms = int(generator.integers(2**63)), _arms(scores)
    table = pd.DataFrame([_row(group, arms, baseline, root) for group in _groups(scores, methods)])
    return _adjusted(table, [table["imported"], ~table["imported"]])


def contrasts(
    scores: pd.DataFrame, pairs_of_arms: Sequence[tuple[str, str]], generator: np.random.Generator
) -> pd.DataFrame:
    """One row for each environment and declared pair (arm, against); a Holm family of their own.

    Columns are those of `statistics` and, third, `against`: the other arm's method. Without pairs, a table
    of the same columns without rows.
    """
    root, arms = int(generator.integers(2**63)), _arms(scores)
    groups = _groups(scores[~scores["imported"]], ())
    found = [
        (group, against)
        for arm, against in pairs_of_arms
        for group in groups
        if group["method"].iloc[0] == arm
    ]
    shown = found or [(scores.iloc[:1], "")]
    table = pd.DataFrame([_row(group, arms, against, root) for group, against in shown])
    table.insert(2, "against", [against for _, against in shown])
    return _adjusted(table.iloc[: len(found)].copy(), [pd.Series(True, index=range(len(found)))])


Arms = dict[tuple[str, str, str], pd.DataFrame]
"""Members by environment, setting and method."""


def _arms(scores: pd.DataFrame) -> Arms:
    keys = ["environment", "setting", "method"]
    return {
        (str(environment), str(setting), str(method)): members
        for (environment, setting, method), members in scores.groupby(keys, sort=False)
    }


def _row(group: pd.DataFrame, arms: Arms, against: str, root: int) -> dict[str, Any]:
    """One arm on one environment: what it scored, and how that compares with the arm `against`.

    Its random streams depend on what the row is about, not on where it stands, so that the same records
    give the same intervals in every table.
    """
    first = group.iloc[0]
    environment, imported = str(first["environment"]), bool(first["imported"])
    about = (environment, first["method"], first["setting"], imported)
    other = arms.get((environment, str(first["setting"]), against), group.iloc[:0])
    if first["method"] == against:
        other = other.iloc[:0]
    # An imported score is of training returns, and shares no random numbers with ours.
    measure = "training_score" if imported else "score"
    x, y = _scored(group, "score"), _scored(other, measure)
    training = _scored(group, "training_return").to_numpy()
    return {
        **_counts(group),
        **_describe(x, environment, _stream(root, *about)),
        "training_mean": mean(training),
        "training_std": std(training),
        **_compare(x, y, _stream(root, *about, against), paired=not imported),
    }


def comparison_stream(
    environment: str, method: str, setting: str, against: str
) -> np.random.Generator:
    """The random stream of a comparison of two of our arms in every table: the same records give the same interval."""
    root = int(np.random.default_rng(SEED).integers(2**63))
    return _stream(root, environment, method, setting, False, against)


def _stream(root: int, *about: Any) -> np.random.Generator:
    """The random stream of one estimate, named by what it is about."""
    return np.random.default_rng([root, zlib.crc32("|".join(map(str, about)).encode())])


def _adjusted(table: pd.DataFrame, families: Sequence[pd.Series]) -> pd.DataFrame:
    """Fill in the p-values that Holm's correction gives within each family of rows."""
    for test in ("paired_p", "welch_p"):
        for family in families:
            inside = family.to_numpy(dtype=bool)
            values = table.loc[inside, test].to_numpy(np.float64)
            table.loc[inside, f"{test}_holm"] = holm(values)
    return table


def _groups(scores: pd.DataFrame, methods: Sequence[str]) -> list[pd.DataFrame]:
    keys = ["imported", "environment", "method", "setting"]
    environments = list(dict.fromkeys(scores["environment"]))
    arms = list(dict.fromkeys([*methods, *scores["method"]]))
    found = [group for _, group in scores.groupby(keys, sort=False)]

    def place(group: pd.DataFrame) -> tuple[bool, int, int]:
        first = group.iloc[0]
        return (
            bool(first["imported"]),
            environments.index(first["environment"]),
            arms.index(first["method"]),
        )

    return sorted(found, key=place)


def _scored(members: pd.DataFrame, measure: str) -> pd.Series:
    scored = members[members[measure].notna()]
    return pd.Series(scored[measure].to_numpy(np.float64), index=scored["seed"])


def _counts(group: pd.DataFrame) -> dict[str, Any]:
    first = group.iloc[0]
    method, imported = str(first["method"]), bool(first["imported"])
    return {
        "environment": first["environment"],
        "method": method,
        "setting": first["setting"],
        "label": f"{method} (imported)" if imported else METHODS[method].label,
        "imported": imported,
        "planned": len(group),
        "n": int(group["score"].notna().sum()),
        **{status: int((group["status"] == status).sum()) for status in STATUSES[1:]},
    }


def _describe(
    scored: pd.Series, environment: str, generator: np.random.Generator
) -> dict[str, Any]:
    x, anchors = scored.to_numpy(np.float64), ENVIRONMENTS[environment].anchors
    inner, middle = iqm_interval(x, generator), iqm(x)
    outer = mean_interval(x)
    return {
        "mean": mean(x),
        "std": std(x),
        "cv": coefficient_of_variation(x),
        "mean_low": outer.low,
        "mean_high": outer.high,
        "iqm": middle,
        "iqm_low": inner.low,
        "iqm_high": inner.high,
        "normalized_iqm": normalised(middle, anchors),
        "normalized_iqm_low": normalised(inner.low, anchors),
        "normalized_iqm_high": normalised(inner.high, anchors),
    }


def _compare(
    scored: pd.Series, baseline: pd.Series, generator: np.random.Generator, paired: bool
) -> dict[str, Any]:
    x, y = scored.to_numpy(np.float64), baseline.to_numpy(np.float64)
    paired_x, paired_y = pairs(scored, baseline) if paired else (x[:0], y[:0])
    matched, welch = paired_t(paired_x, paired_y), welch_t(x, y)
    chance, gap = probability_interval(x, y, generator), welch_interval(x, y)
    relative = improvement_interval(x, y)
    return {
        "n_against": len(y),
        "mean_difference": mean(x) - mean(y),
        "mean_difference_low": gap.low,
        "mean_difference_high": gap.high,
        "improvement": improvement(x, y),
        "improvement_low": relative.low,
        "improvement_high": relative.high,
        "poi": probability_of_improvement(x, y),
        "poi_low": chance.low,
        "poi_high": chance.high,
        "paired_n": len(paired_x),
        "paired_t": matched.statistic,
        "paired_p": matched.p,
        "paired_p_holm": np.nan,
        "welch_t": welch.statistic,
        "welch_df": welch.df,
        "welch_p": welch.p,
        "welch_p_holm": np.nan,
        "wilcoxon_p": wilcoxon(paired_x, paired_y),
        "wilcoxon_p_smallest": wilcoxon_smallest(len(paired_x)),
        "cohens_d": cohens_d(x, y),
        "mde": minimum_detectable_difference(pooled_std(x, y), len(x), len(y)),
    }


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Replace `path` atomically; equal tables give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), temporary)


def main(argv: Sequence[str] | None = None) -> int:
    """Write scores, curves and statistics of one experiment; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.statistics", description=main.__doc__)
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--records", type=Path, required=True, help="folder of the records")
    parser.add_argument("--scratch", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--imported", type=Path, nargs="*", default=[], help="csv of other runs")
    arguments = parser.parse_args(argv)
    try:
        plan = load_plan(arguments.paper)
        require_experiment(plan, arguments.scale, arguments.experiment, arguments.paper)
        loaded = load_experiment(
            plan,
            arguments.scale,
            arguments.experiment,
            arguments.records,
            arguments.scratch,
            read_imported(arguments.imported),
        )
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    entry = plan.experiments[arguments.experiment]
    scores = loaded.scores
    tables = {
        **loaded._asdict(),
        "statistics": statistics(
            scores, entry.baseline, entry.methods, np.random.default_rng(SEED)
        ),
        "contrasts": contrasts(scores, entry.contrasts, np.random.default_rng(SEED)),
    }
    for name, data in tables.items():
        write_parquet(data, arguments.output / f"{name}.parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
