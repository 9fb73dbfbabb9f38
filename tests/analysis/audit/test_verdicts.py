"""The engine: honest numbers always pass, each check can fail, and the verdict is the worst finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.audit.answers import Answer, Answered
from analysis.audit.cells import Cells, Runs, unrecorded
from analysis.audit.findings import VERDICTS, Judged
from analysis.audit.replicated import Ours
from analysis.audit.verdicts import SEVERITY, audit
from analysis.audit.witness import Witness
from analysis.claims import Claim


def claim(id: str, kind: str, value: str | None = None, **more: Any) -> Claim:
    return Claim.model_validate(
        {"id": id, "kind": kind, "value": value, "place": "Table 1", "quote": "…", **more}
        if value is not None
        else {"id": id, "kind": kind, "place": "Table 1", "quote": "…", **more}
    )


def verdicts(
    *claims: Claim,
    witnesses: dict[str, Witness] | None = None,
    cells: Cells = unrecorded,
    **more: Any,
) -> dict[str, Judged]:
    ours = Ours(cells, **more)
    return {one.claim.id: one for one in audit(claims, "toy", "Toy", witnesses or {}, ours)}


NEW = claim("new", "mean", "5375±581", n=5)
OLD = claim("old", "mean", "1276±67", n=5)
PAIR = {"new": "new", "old": "old"}


# Honest numbers


def printed(x: float, digits: int) -> str:
    return f"{x:,.{digits}f}"


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 20),
    st.integers(0, 3),
    st.floats(-2000, 6000),
    st.floats(0.1, 800),
    st.sampled_from([0, 1]),
    st.integers(0, 2**32 - 1),
)
def test_honestly_rounded_numbers_are_never_called_inconsistent_or_impossible(
    n: int, digits: int, centre: float, width: float, ddof: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, width, n)
    new, old = (
        (centre + shift + generator.normal() * shared + generator.normal(0, width, n)).round(6)
        for shift in (width, 0.0)
    )
    test = stats.ttest_rel(new, old)
    pooled = np.sqrt((new.var(ddof=1) + old.var(ddof=1)) / 2)
    half = stats.t.ppf(0.975, n - 1) * new.std(ddof=1) / np.sqrt(n)
    arms = {"n": n, "ddof": ddof}
    claims = [
        *(
            claim(name, "mean", f"{printed(x.mean(), digits)} ± {printed(x.std(ddof=ddof), digits)}", **arms)
            for name, x in (("new", new), ("old", old))
        ),
        claim("again", "mean", f"{printed(new.mean(), 1)} ± {printed(new.std(ddof=1 - ddof), 1)}", same_as="new", n=n),
        claim("least", "minimum", printed(new.min(), digits), of={"arm": "new"}),
        claim("most", "maximum", printed(new.max(), digits), of={"arm": "new"}),
        claim("cv", "cv", printed(100 * new.std(ddof=ddof) / abs(new.mean()), 1) + "%", of={"arm": "new"}),
        claim("gain", "improvement", f"{100 * (new.mean() - old.mean()) / abs(old.mean()):+,.1f}%", of=PAIR),
        claim("gap", "difference", printed(new.mean() - old.mean(), digits), of={"first": "new", "second": "old"}),
        claim("ci", "interval", f"[{printed(new.mean() - half, digits)}, {printed(new.mean() + half, digits)}]", of={"arm": "new"}),
        claim("width", "width", printed(2 * half, digits), of={"arm": "ci"}),
        claim("p", "p_value", f"{test.pvalue:.2e}", test="paired t", of=PAIR),
        claim("d", "effect_size", printed(abs(new.mean() - old.mean()) / pooled, 2), of=PAIR),
    ]  # fmt: skip
    for one in verdicts(*claims).values():
        said = [(f.check, f.arithmetic) for f in one.findings]
        assert one.consistent != "inconsistent", said
        assert one.possible != "impossible", said


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 12),
    st.integers(1, 30),
    st.floats(0, 1),
    st.integers(1, 3),
    st.integers(0, 10**6),
)
def test_honest_rates_are_never_called_impossible(
    n: int, episodes: int, chance: float, digits: int, seed: int
) -> None:
    rates = np.random.default_rng(seed).binomial(episodes, chance, n) / episodes
    one = claim(
        "rate", "mean", f"{rates.mean():.{digits}f}±{rates.std(ddof=1):.{digits}f}",
        n=n, episodes=episodes, outcome="binary", ddof=1,
    )  # fmt: skip
    judged = verdicts(one)["rate"]
    assert judged.possible != "impossible", judged.findings


# Each check can fail


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        (claim("x", "improvement", "+321%", of=PAIR), "consistent"),
        (claim("x", "improvement", "+331%", of=PAIR), "inconsistent"),
        (claim("x", "cv", "10.8%", of={"arm": "new"}), "consistent"),
        (claim("x", "cv", "9.7%", of={"arm": "new"}), "consistent under a reading"),
        (claim("x", "cv", "16.6%", of={"arm": "new"}), "inconsistent"),
        (claim("x", "interval", "[4654, 6096]", of={"arm": "new"}), "consistent"),
        (claim("x", "interval", "[4654, 6196]", of={"arm": "new"}), "inconsistent"),
        (claim("x", "minimum", "5400", of={"arm": "new"}), "inconsistent"),
        (claim("x", "maximum", "5400", of={"arm": "new"}), "consistent"),
        (claim("x", "mean", "1276±60", n=5, same_as="old"), "consistent under a reading"),
        (claim("x", "mean", "1276±50", n=5, same_as="old"), "inconsistent"),
        (claim("x", "comparison", relation="above", of={"first": "new", "second": "old"}), "consistent"),
        (claim("x", "comparison", relation="below", of={"first": "new", "second": "old"}), "inconsistent"),
        (claim("x", "comparison", relation="similar", of={"first": "new", "second": "old"}), "not checked"),
        (claim("x", "best", of={"best": "new", "others": ["old"]}), "consistent"),
        (claim("x", "best", of={"best": "old", "others": ["new"]}), "inconsistent"),
        (claim("x", "best", lower_is_better=True, of={"best": "old", "others": ["new"]}), "consistent"),
        (claim("x", "sum", "6651", of={"parts": ["new", "old"]}), "consistent"),
        (claim("x", "average", "3000", of={"parts": ["new", "old"]}), "inconsistent"),
        (claim("x", "number", "7"), "not checked"),
    ],
)  # fmt: skip
def test_consistency(extra: Claim, verdict: str) -> None:
    assert verdicts(NEW, OLD, extra)["x"].consistent == verdict


FUSION = claim("fusion", "mean", "1671±791", n=5, episodes=100)
EPISODES = claim("base", "mean", "1276±60", n=5, episodes=100)
EQUAL = claim("equal", "mean", "5375±67", n=5)


@pytest.mark.parametrize(
    ("arms", "extra", "verdict", "reading"),
    [
        # Spreads 581 and 67: s_diff lies between 513 and 649, t between 14.1 and 17.9.
        ((NEW, OLD), claim("x", "p_value", "<0.001", of=PAIR), "possible", None),
        ((NEW, OLD), claim("x", "p_value", "<1e-12", of=PAIR), "impossible", None),
        # Equal spreads leave t without a bound.
        ((EQUAL, OLD), claim("x", "p_value", "<0.001", of={"new": "equal", "old": "old"}), "no power", None),
        # 395 · √5 / 730 = 1.21, but with 500 episodes as units t reaches 12.
        ((FUSION, EPISODES), claim("x", "p_value", "<0.001", of={"new": "fusion", "old": "base"}),
         "possible under a reading", "paired t, unit = episode, two-sided"),
        ((NEW, OLD), claim("x", "effect_size", ">2", of=PAIR), "possible", None),
        ((FUSION, EPISODES), claim("x", "effect_size", ">2", of={"new": "fusion", "old": "base"}),
         "possible under a reading", "the old arm's deviation, spread is a std, ddof 1"),
        # No value lies further than 4/√5 · 581 = 1039 from the mean of five.
        ((NEW, OLD), claim("x", "maximum", "6400", of={"arm": "new"}), "possible", None),
        ((NEW, OLD), claim("x", "maximum", "6500", of={"arm": "new"}), "possible under a reading",
         "spread is a std, ddof 0"),
        ((NEW, OLD), claim("x", "maximum", "9999", of={"arm": "new"}), "impossible", None),
    ],
)  # fmt: skip
def test_possibility(
    arms: tuple[Claim, ...], extra: Claim, verdict: str, reading: str | None
) -> None:
    judged = verdicts(*arms, extra)["x"]
    assert judged.possible == verdict
    (finding,) = [f for f in judged.findings if f.question == "possible"]
    assert finding.reading == reading


def test_what_the_environment_can_pay() -> None:
    cart = {"environment": "CartPole-v1", "n": 5}
    assert verdicts(claim("x", "mean", "411±71", **cart))["x"].possible == "possible"
    assert verdicts(claim("x", "mean", "511±71", **cart))["x"].possible == "impossible"
    assert verdicts(claim("x", "mean", "411±400", **cart))["x"].possible == "impossible"


def test_a_mean_above_the_optimum_is_held_against_chance() -> None:
    """The slippery 4×4 map's optimum is 0.744: 0.78 over 5 × 100 episodes is 2 standard errors above it."""
    lake = {"environment": "FrozenLake-v1", "outcome": "binary", "n": 5, "episodes": 100}
    judged = verdicts(claim("x", "mean", "0.78", **lake))["x"]
    (above,) = [f for f in judged.findings if f.check == "above the optimum"]
    assert above.verdict == "possible"
    chance = stats.binom.sf(387, 500, 0.7441)
    assert float(above.arithmetic.rpartition(" ")[2]) == pytest.approx(chance, rel=0.05)
    (above,) = [
        f
        for f in verdicts(claim("x", "mean", "0.90", **lake))["x"].findings
        if f.check == "above the optimum"
    ]
    assert above.verdict == "possible under a reading"
    assert "not slippery" in str(above.reading)


# Witnesses, our runs, and the worst verdict


def test_a_witness_decides() -> None:
    theory = claim("t", "theory", witness="w")
    for outcome, verdict in (("holds", "consistent"), ("fails", "inconsistent")):
        told = Witness(outcome=outcome, said="Because.", numbers={"loss": -1.25})  # type: ignore[arg-type]
        judged = verdicts(theory, witnesses={"w": told})["t"]
        assert judged.consistent == verdict
        assert judged.findings[0].arithmetic == "Because. loss = -1.25"
    assert verdicts(theory)["t"].consistent == "not checked"


CELL = {"experiment": "e", "environment": "HalfCheetah-v4", "n": 5}
CELL_NEW = claim("new", "mean", "5375±581", method="prefpoe", **CELL)
CELL_OLD = claim("old", "mean", "1276±67", method="ppo", **CELL)


SPREAD = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * 190 / np.sqrt(2.5)
"""Five deviations with a standard deviation of 190 (ddof = 1)."""


def ours(**means: float) -> Cells:
    """Cells of one setting and five members with these means by method, whatever the environment."""

    def cells(experiment: str, environment: str, method: str) -> Runs | str:
        if method not in means:
            return "no record"
        scores = means[method] + SPREAD[None]
        lost = np.zeros(scores.shape, dtype=bool)
        return Runs(f"{environment} / {method}", experiment, ({},), (0, 1, 2, 3, 4), scores, lost)

    return cells


def test_replication_of_a_percentage_is_that_of_a_ratio() -> None:
    gain = claim("gain", "improvement", "+321%", of=PAIR)
    told = verdicts(CELL_NEW, CELL_OLD, gain, cells=ours(prefpoe=5300.0, ppo=1250.0))
    assert {name: one.replicated for name, one in told.items()} == {
        "new": "compatible", "old": "compatible", "gain": "replicated",
    }  # fmt: skip
    assert "claimed ratio [4.21" in told["gain"].findings[-1].arithmetic
    told = verdicts(CELL_NEW, CELL_OLD, gain, cells=ours(prefpoe=1300.0, ppo=1250.0))
    assert (told["new"].replicated, told["gain"].replicated) == ("incompatible", "contradicted")


def test_without_records_nothing_is_tested() -> None:
    judged = verdicts(CELL_NEW, cells=ours(ppo=1.0))["new"]
    assert judged.replicated == "untested"
    assert judged.findings[-1].arithmetic == "no record"


def test_orderings_are_tested_in_every_environment() -> None:
    order = claim(
        "o", "ordering", relation="above", first_method="prefpoe", second_method="ppo",
        environments=["HalfCheetah-v4", "Ant-v4"], experiment="e",
    )  # fmt: skip
    assert verdicts(order, cells=ours(prefpoe=900.0, ppo=100.0))["o"].replicated == "replicated"
    assert verdicts(order, cells=ours(prefpoe=100.0, ppo=900.0))["o"].replicated == "contradicted"
    assert verdicts(order, cells=ours(ppo=900.0))["o"].replicated == "untested"


def test_a_smaller_protocol_is_shown_and_never_counts() -> None:
    order = claim(
        "o", "ordering", relation="above", first_method="prefpoe", second_method="ppo",
        environments=["HalfCheetah-v4"], experiment="e",
    )  # fmt: skip
    judged = verdicts(order, shown=ours(prefpoe=900.0, ppo=100.0))["o"]
    assert judged.replicated == "untested"
    *_, shown = judged.findings
    assert shown.check.endswith(", scale reduced")
    assert shown.verdict == "untested"
    assert (
        "the same rule would say replicated: HalfCheetah-v4: difference = 800" in shown.arithmetic
    )
    # Beside a verdict of the published protocol it changes nothing.
    both = verdicts(
        order, cells=ours(prefpoe=100.0, ppo=900.0), shown=ours(prefpoe=900.0, ppo=100.0)
    )
    assert both["o"].replicated == "contradicted"
    single = verdicts(CELL_NEW, shown=ours(prefpoe=5300.0))["new"]
    assert (single.replicated, len(single.findings)) == ("untested", 2)


def test_a_study_decides_what_its_record_looks_at() -> None:
    found = claim("f", "finding", study="s", statement="rises")
    answers = {
        holds: {
            "s": Answered(
                record="abc", contents="def",
                statements={"rises": Answer(holds=holds, statement="It rises", found="1, 2")},
            )
        }
        for holds in (True, False, None)
    }  # fmt: skip
    told = {holds: verdicts(found, answers=given)["f"] for holds, given in answers.items()}
    assert {holds: one.replicated for holds, one in told.items()} == {
        True: "replicated", False: "contradicted", None: "untested",
    }  # fmt: skip
    assert told[True].findings[-1].arithmetic == "It rises: record abc; found: 1, 2"
    stale = verdicts(found, answers=answers[True], outdated={"s": "stale: from record abc"})["f"]
    assert stale.replicated == "untested"
    assert "stale: from record abc" in stale.findings[-1].arithmetic
    assert verdicts(found)["f"].replicated == "untested"
    other = claim("f", "finding", study="s", statement="falls")
    lost = verdicts(other, answers=answers[True])["f"]
    assert "nothing decides 'falls'; allowed: rises" in lost.findings[-1].arithmetic


def test_untestable_says_why() -> None:
    said = claim("s", "statement", untestable="judged by a model that is not public")
    judged = verdicts(said)["s"]
    assert judged.replicated == "untestable"
    assert judged.findings[0].arithmetic == "judged by a model that is not public"


def test_the_verdict_is_the_worst_finding() -> None:
    """The number agrees with its other report, the spread does not."""
    again = claim("x", "mean", "5375±400", n=5, same_as="new")
    judged = verdicts(NEW, again)["x"]
    assert [f.verdict for f in judged.findings][:2] == ["consistent", "inconsistent"]
    assert judged.consistent == "inconsistent"


def test_a_reading_that_saves_one_row_must_hold_for_the_table() -> None:
    """67 is 60 with n − 1 in the place of n; if that were so in the whole table, 581 could not stay 581."""
    first = [OLD, claim("fusion", "mean", "1671±878", n=5)]
    second = [
        claim("old2", "mean", "1276±60", n=5, same_as="old"),
        claim("fusion2", "mean", "1671±785", n=5, same_as="fusion"),
    ]
    assert verdicts(*first, *second)["old2"].consistent == "consistent under a reading"
    told = verdicts(NEW, claim("new2", "mean", "5375±581", n=5, same_as="new"), *first, *second)
    assert told["new2"].consistent == "consistent"
    assert told["old2"].consistent == told["fusion2"].consistent == "inconsistent"
    (finding,) = [f for f in told["old2"].findings if f.check.startswith("one reading")]
    assert finding.arithmetic.count("new2: 581 · 0.8944") == 1


def test_averages_of_one_place_are_of_one_kind() -> None:
    """Gains of 10, 20 and 60 %: mean 30, median 20; of 0, 0 and 30 %: mean 10, median 0."""
    old = [claim(f"old{i}", "mean", "1000") for i in range(3)]
    new = [claim(f"new{i}", "mean", str(x)) for i, x in enumerate((1100, 1200, 1600))]
    other = [claim(f"other{i}", "mean", str(x)) for i, x in enumerate((1000, 1000, 1300))]
    of = {"old": [one.id for one in old]}
    saved = claim("saved", "improvement", "20%", of=of | {"new": [one.id for one in new]})
    plain = claim("plain", "improvement", "10%", of=of | {"new": [one.id for one in other]})
    assert verdicts(*old, *new, saved)["saved"].consistent == "consistent under a reading"
    told = verdicts(*old, *new, *other, saved, plain)
    assert (told["saved"].consistent, told["plain"].consistent) == ("inconsistent", "consistent")


def test_a_mean_without_spread_is_not_tested_unless_it_stands_elsewhere_with_one() -> None:
    alone = claim("alone", "mean", "1276", method="ppo", **CELL)
    again = claim("again", "mean", "1276", method="ppo", same_as="old", **CELL)
    told = verdicts(CELL_OLD, alone, again, cells=ours(ppo=1250.0))
    assert (told["alone"].replicated, told["again"].replicated) == ("untested", "compatible")
    assert told["again"].findings[-1].arithmetic == told["old"].findings[-1].arithmetic


def test_a_printed_standard_error_is_read_as_one() -> None:
    """3000 ± 660 is a standard error of 5: the spread is 1476, and ours at 3900 ± 190 lies inside."""
    cell = {"experiment": "e", "environment": "HalfCheetah-v4", "method": "ppo", "n": 5}
    for spread, verdict in (("standard error", "compatible"), ("std", "incompatible")):
        one = claim("x", "mean", "3000±660", spread=spread, **cell)
        assert verdicts(one, cells=ours(ppo=3900.0))["x"].replicated == verdict


def test_a_p_value_is_replicated_where_ours_is_as_small() -> None:
    p = claim("p", "p_value", "<0.001", of=PAIR)
    for mean, verdict in (
        (5300.0, "replicated"),
        (1650.0, "same direction"),
        (1250.0, "contradicted"),
    ):
        told = verdicts(CELL_NEW, CELL_OLD, p, cells=ours(prefpoe=mean, ppo=1250.0))["p"]
        assert told.replicated == verdict
        assert "our Welch's p is" in told.findings[-1].arithmetic


def test_rates_are_capped_by_what_the_best_policy_reaches() -> None:
    """Slippery 4×4: no seed of 100 episodes passes 0.89, so 0.60 ± 0.49 over five seeds is none over seeds."""
    lake = {"environment": "FrozenLake-v1", "outcome": "binary", "n": 5}
    told = verdicts(
        claim("x", "mean", "0.60±0.49", episodes=100, **lake),
        claim("y", "mean", "0.60±0.49", **lake),
    )
    assert told["x"].possible == "possible under a reading"
    (rates,) = [f for f in told["x"].findings if f.check == "spread of rates"]
    assert rates.reading == "spread over episodes"
    assert stats.binom.sf(89, 100, 0.7442) <= 1e-3 / 5 < stats.binom.sf(88, 100, 0.7442)
    # Where the episodes are not stated, three seeds at 1 and two at 0 would do.
    (rates,) = [f for f in told["y"].findings if f.check == "spread of rates"]
    assert rates.verdict == "possible"


def test_severity_ranks_every_verdict() -> None:
    for question, words in VERDICTS.items():
        assert sorted(SEVERITY[question]) == sorted(words)
