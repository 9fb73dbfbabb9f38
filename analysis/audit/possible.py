"""Question 2, claim by claim: could any data give the printed numbers?

The bounds are in `checks/feasibility.py`; here each kind of claim meets those that apply to it. The plain reading is what the claim
says (its test, its kind of spread); where that excludes it, others are tried and named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from scipy import stats

from analysis.audit.checks import feasibility
from analysis.audit.checks.consistency import PLAIN
from analysis.audit.checks.feasibility import Arm, TTest
from analysis.audit.checks.optima import Payable, payable_readings
from analysis.audit.findings import Finding
from analysis.audit.spreads import Spread, ddofs, readings, sample_std_of
from analysis.claims import ById, Claim
from analysis.reported import Range

CHANCE = 1e-3
"""A mean above the optimum is called impossible where an optimal policy reaches it more rarely than this."""


@dataclass(frozen=True)
class Option:
    """One reading of a claim: its name, whether data can give it, whether they could fail to, and the numbers."""

    name: str
    holds: bool
    excludes: bool
    arithmetic: str


def possible(
    claim: Claim, by_id: ById, extremes: Mapping[str, Mapping[str, Claim]]
) -> Iterator[Finding]:
    """Every bound that applies to the claim; `extremes` has the minimum and maximum of an arm by its id."""
    if claim.kind == "mean":
        yield from _mean(claim, extremes.get(claim.id, {}))
    elif claim.kind in ("minimum", "maximum"):
        yield from _extreme(claim, by_id[claim.role("arm")[0]])
    elif claim.kind == "p_value":
        yield _choose(claim, "p-value", list(_p_values(claim, by_id)))
    elif claim.kind == "effect_size":
        sizes = list(_effect_sizes(claim, by_id))
        if sizes:
            yield _choose(claim, "effect size", sizes)


def _choose(claim: Claim, check: str, options: list[Option]) -> Finding:
    """The plain option where it holds, else the first that does."""
    plain, tried = options[0], tuple(option.name for option in options)
    if plain.holds:
        verdict = "possible" if plain.excludes else "no power"
        power = None if plain.excludes else "the bounds exclude nothing: every value is attainable"
        return Finding(
            claim.id, "possible", check, verdict, plain.arithmetic, power=power, tried=tried[:1]
        )
    for option in options[1:]:
        if option.holds:
            said = f"{plain.name}: {plain.arithmetic}; {option.name}: {option.arithmetic}"
            return Finding(
                claim.id,
                "possible",
                check,
                "possible under a reading",
                said,
                option.name,
                tried=tried,
            )
    said = "; ".join(f"{option.name}: {option.arithmetic}" for option in options)
    return Finding(claim.id, "possible", check, "impossible", said, tried=tried)


# Means


def _mean(claim: Claim, extremes: Mapping[str, Claim]) -> Iterator[Finding]:
    settings = payable_readings(claim.environment) if claim.environment else ()
    if settings and settings[0].binary and claim.outcome == "real":
        # An episode of this environment is a success or none, whether the file says so or not.
        claim = Claim.model_validate({**claim.model_dump(exclude_unset=True), "outcome": "binary"})
    printed = claim.reported
    if not (math.isfinite(printed.range.low) and math.isfinite(printed.range.high)):
        return
    if settings:
        yield _choose(
            claim, "what an episode pays", [_paid(claim, setting) for setting in settings]
        )
        known = [setting for setting in settings if setting.optimum is not None]
        above = list(_above(claim, known)) if known else []
        if above and printed.range.low > cast(float, known[0].optimum):
            yield _choose(claim, "above the optimum", above)
    if claim.outcome != "real" and claim.n is not None:
        yield _granular(claim, claim.n)
    if printed.spread_range is None or claim.n is None or claim.n < 2:
        return
    if claim.outcome == "binary" and claim.episodes == 1:
        yield _choose(claim, "DEBIT", list(_single_outcomes(claim, printed.spread_range, claim.n)))
    elif claim.outcome == "binary":
        yield _choose(claim, "spread of rates", list(_rates(claim, claim.n, settings)))
    elif settings:
        options = list(_bounded_spreads(claim, settings))
        yield _choose(claim, "spread of bounded returns", options)
    if len(extremes) == 2:
        yield _choose(claim, "spread between the extremes", list(_between(claim, extremes)))


def _single_outcomes(claim: Claim, spread: Range, n: int) -> Iterator[Option]:
    """Units that are single successes or failures: the mean fixes the spread (DEBIT)."""
    for ddof in ddofs(claim):
        found = feasibility.debit(claim.reported.range, spread, n, ddof)
        said = (
            f"{n} outcomes of 0 or 1 with mean {claim.reported.value} have a spread of {found.std}"
        )
        yield Option(f"ddof {ddof}", found.possible, found.power > 0, f"{said}; printed {spread}")


def _paid(claim: Claim, setting: Payable) -> Option:
    mean = claim.reported.range
    holds = mean.meets(Range(setting.low, setting.high))
    said = f"an episode pays {setting.low:g} to {setting.high:g} ({setting.source}); mean {claim.value}"
    return Option(setting.setting or PLAIN, holds, True, said)


def _above(claim: Claim, settings: list[Payable]) -> Iterator[Option]:
    """Readings of a mean above the optimum: chance, and other settings of the environment."""
    for setting in settings:
        optimum = cast(float, setting.optimum)
        found = feasibility.above_optimum(
            claim.reported.range,
            sample_std_of(claim),
            claim.n or 1,
            optimum,
            claim.episodes or 1,
            claim.outcome == "binary",
        )
        if found is None:
            continue
        said = (
            f"the best policy earns {optimum:.4g}; an optimal policy's mean over {found.trials} "
            f"is at least {claim.reported.value} with probability {found.probability:.3g}"
        )
        name = setting.setting or PLAIN
        yield Option(name, found.probability >= CHANCE, True, said)


def _granular(claim: Claim, n: int) -> Finding:
    """GRIM, and where units are single integers with a spread, GRIMMER."""
    mean, items = claim.reported.range, claim.episodes or 1
    if claim.outcome == "binary" and claim.episodes is None:
        said = "how many episodes stand behind a unit is not stated, so no total can be excluded"
        return Finding(claim.id, "possible", "GRIM", "no power", said)
    found = feasibility.grim(mean, n, items)
    said = f"totals of {n * items} integers between {found.low:.6g} and {found.high:.6g}"
    power = f"would reject {100 * found.power:.0f} % of means of this precision"
    if found.power == 0:
        return Finding(claim.id, "possible", "GRIM", "no power", said, power=power)
    verdict = "possible" if found.possible else "impossible"
    if found.possible and claim.outcome == "integer" and items == 1 and n >= 2:
        spread = claim.reported.spread_range
        if spread is not None:
            options = [
                Option(
                    f"ddof {ddof}",
                    (hit := feasibility.grimmer(mean, spread, n, ddof)).possible,
                    hit.power > 0,
                    f"{said}; sum of squares {hit.squares}",
                )
                for ddof in ddofs(claim)
            ]
            return _choose(claim, "GRIMMER", options)
    return Finding(claim.id, "possible", "GRIM", verdict, said, power=power)


def _rates(claim: Claim, n: int, settings: Sequence[Payable]) -> Iterator[Option]:
    """A spread of success rates over n units; of single outcomes; then over units in other settings.

    No unit's rate exceeds what the best policy reaches by chance, where the environment and its episodes are known.
    """
    mean, spread = claim.reported.range, cast(Range, claim.reported.spread_range)
    default, *others = settings or (None,)
    for ddof in ddofs(claim):
        yield _rate(claim, n, default, ddof)
    episodes = feasibility.rate_spread(mean, spread, n)
    said = (
        f"single outcomes with mean {claim.reported.value} have a spread of {episodes.per_episode}"
    )
    yield Option("spread over episodes", episodes.as_episodes, True, said)
    for setting in others:
        for ddof in ddofs(claim):
            yield _rate(claim, n, setting, ddof)


def _rate(claim: Claim, n: int, setting: Payable | None, ddof: int) -> Option:
    """A spread over units whose rates lie between 0 and the best that the setting allows."""
    mean, spread = claim.reported.range, cast(Range, claim.reported.spread_range)
    best, where = 1.0, ""
    if setting is not None and setting.optimum is not None and claim.episodes is not None:
        rare = stats.binom.isf(CHANCE / n, claim.episodes, setting.optimum)
        best = float(rare) / claim.episodes
        where = f"{setting.setting}, " if setting.setting else ""
    largest = feasibility.largest_std(mean, n, 0.0, best, ddof)
    patterns = "; ".join(
        f"{found.successes} of {n} units at 1 and the others at 0 give {found.mean:.2f} ± {found.std:.2f}"
        for found in feasibility.binary_patterns(mean, spread, n)
        if found.ddof == ddof and best >= 1
    )
    said = (
        f"{n} rates of at most {best:.3g} with mean {claim.reported.value} have a spread of at most "
        f"{largest:.3g}; printed {claim.reported.spread}; {patterns}"
    )
    holds = spread.meets(Range(0.0, largest))
    return Option(f"{where}spread over units, ddof {ddof}", holds, True, said.strip("; "))


def _bounded_spreads(claim: Claim, settings: Sequence[Payable]) -> Iterator[Option]:
    """The spread as it is described in every setting, then other kinds of spread in the default one."""
    (plain, *others), mean = readings(claim), claim.reported.range
    tried = [(setting, plain) for setting in settings] + [(settings[0], other) for other in others]
    for setting, (name, spread) in tried:
        ends = Range.exactly(setting.low), Range.exactly(setting.high)
        inside = mean if mean.meets(Range(setting.low, setting.high)) else None
        bounds = feasibility.range_spread(*ends, claim.n or 2, inside, attained=False)
        said = f"returns from {setting.low:g} to {setting.high:g} allow a spread of {bounds.std}; {name}: {spread}"
        label = name if (name, spread) != plain else setting.setting or PLAIN
        yield Option(label, spread.meets(bounds.std), True, said)


def _between(claim: Claim, extremes: Mapping[str, Claim]) -> Iterator[Option]:
    """The spread, given the printed minimum and maximum, for each kind of spread that it may be."""
    low, high = (extremes[kind].reported.range for kind in ("minimum", "maximum"))
    for name, spread in readings(claim):
        bounds = feasibility.range_spread(low, high, claim.n or 2, claim.reported.range)
        said = f"{claim.n} values from {low.middle:g} to {high.middle:g} with this mean allow a spread of {bounds.std}; printed {spread}"
        yield Option(name, spread.meets(bounds.std), True, said)


def _extreme(claim: Claim, arm: Claim) -> Iterator[Finding]:
    if arm.n is None or arm.n < 2 or arm.reported.spread_range is None:
        return
    options = []
    for name, spread in readings(arm):
        found = feasibility.sample_extremes(arm.reported.range, spread, arm.n)
        bounds = found.smallest if claim.kind == "minimum" else found.largest
        holds = claim.reported.range.meets(bounds)
        said = f"{arm.n} values with {arm.value} have a {claim.kind} in {bounds}; printed {claim.value}"
        options.append(Option(name, holds, True, said))
    yield _choose(claim, "extreme of a sample", options)


# Tests


Test = tuple[str, Callable[[Arm, Arm], TTest]]
TESTS: dict[str, Test] = {
    "paired t": ("paired t", feasibility.paired_range),
    "welch": ("Welch's t", feasibility.welch_range),
    "student": ("Student's t", feasibility.student_range),
}


def _p_values(claim: Claim, by_id: ById) -> Iterator[Option]:
    """The stated test, two-sided, on seeds and standard deviations; then with one thing at a time read otherwise."""
    printed = claim.reported.range
    new, old = (by_id[claim.role(role)[0]] for role in ("new", "old"))
    spreads = list(zip(readings(new), readings(old), strict=False))
    if not spreads:
        yield Option(PLAIN, True, False, "no spread is printed for one of the arms")
        return
    plain, *others = spreads
    stated = TESTS.get(claim.test, TESTS["paired t"])

    def outcome(test: Test, pair: tuple[Spread, Spread], episodes: int = 1) -> TTest | None:
        arms = [
            Arm(arm.reported.range, spread, cast(int, arm.n) * episodes)
            for arm, (_, spread) in zip((new, old), pair, strict=True)
        ]
        if test is TESTS["paired t"] and arms[0].n != arms[1].n:
            return None
        return test[1](*arms)

    yield from _tails(printed, outcome(stated, plain), stated[0])
    for pair in others:
        yield from _tails(printed, outcome(stated, pair), f"{stated[0]}, {pair[0][0]}")
    if new.episodes is not None and new.episodes == old.episodes:
        yield from _tails(
            printed, outcome(stated, plain, new.episodes), f"{stated[0]}, unit = episode"
        )
    for test in TESTS.values():
        if test is not stated:
            yield from _tails(printed, outcome(test, plain), test[0])


def _tails(printed: Range, found: TTest | None, name: str) -> Iterator[Option]:
    """Two-sided, then one-sided; nothing where the arms cannot be paired."""
    if found is None:
        return
    t = f"|t| in {found.t}" if found.bounded else f"|t| from {found.t.low:.4g} without a bound"
    for side, p in (("two-sided", found.two_sided), ("one-sided", found.one_sided)):
        yield Option(f"{name}, {side}", p.meets(printed), found.bounded, f"{t}, p in {p}")


def _effect_sizes(claim: Claim, by_id: ById) -> Iterator[Option]:
    printed = claim.reported.range
    new, old = (by_id[claim.role(role)[0]] for role in ("new", "old"))
    for (name, first), (_, second) in zip(readings(new), readings(old), strict=False):
        sizes = feasibility.cohen_d_range(
            Arm(new.reported.range, first, cast(int, new.n)),
            Arm(old.reported.range, second, cast(int, old.n)),
        )
        for kind, size in sizes.readings().items():
            yield Option(
                f"{kind}, {name}", size.meets(printed), size.high < math.inf, f"|d| in {size}"
            )
