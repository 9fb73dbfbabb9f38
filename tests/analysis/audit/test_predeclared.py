"""Claims about two methods, from records to verdicts: the declared test for each kind, by the experiment's own score."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from algorithms.cell import load_plan
from analysis.audit.cells import recorded
from analysis.audit.findings import Judged
from analysis.audit.replicated import Ours
from analysis.audit.verdicts import audit
from analysis.claims import Claim
from analysis.statistics import contrasts, load_experiment, read_imported

EXPERIMENTS = """\
scales:
  paper: &scale {note: a test, seeds: [0, 1, 2, 3, 4, 5, 6, 7], members_per_shard: 96, segments: 1,
    evaluation_episodes: 1, curve_rows: 4, weights: false}
  reduced: *scale
experiments:
  plain: &plain
    title: One setting
    baseline: ppo
    methods: [ppo, prefpoe, linear_fusion]
    contrasts: [[prefpoe, linear_fusion]]
    steps: &steps {paper: {ProbeTarget-v0: 4096, ProbeSign-v0: 4096}, reduced: {ProbeTarget-v0: 4096}}
  other:
    title: Another learning rate
    baseline: ppo
    methods: [ppo]
    settings: {learning_rate: 0.001}
    steps: *steps
  swept:
    title: Two values of a tuned hyperparameter at each of three clips
    baseline: ppo
    methods: [ppo, prefpoe]
    grid: {clip: [0.01, 0.1, 1.0], learning_rate: [1.0e-4, 1.0e-3]}
    steps: {paper: {ProbeTarget-v0: 4096}}
  by_area:
    title: Scored by the area under the curve
    baseline: ppo
    methods: [ppo]
    settings: {learning_rate: 0.002}
    score: auc
    steps: {paper: {ProbeTarget-v0: 4096}}
"""
SEEDS = 8
Score = Callable[[Any, np.random.Generator], float | None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "toy"
    place.mkdir()
    (place / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    return place


@pytest.fixture
def records(results: Path) -> Path:
    return results / "paper" / "toy" / "records"


@pytest.fixture
def plant(folder: Path, write: Callable[..., Path]) -> Callable[..., None]:
    """A function that writes the records of an experiment's method: each member scores what `of` says of its setting."""

    def planted(experiment: str, method: str, of: Score, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        for shard in load_plan(folder).shards("paper", experiment):
            if shard.cell.method == method:
                returns = [of(member.setting, generator) for member in shard.members]
                write(shard, [None if x is None else (x, x) for x in returns])

    return planted


def noisy(mean: float, spread: float = 0.1) -> Score:
    return lambda setting, generator: mean + spread * float(generator.normal())


def judged(folder: Path, results: Path, kind: str, **more: Any) -> Judged:
    about = {
        "id": "x", "place": "Figure 1", "quote": "…", "experiment": "plain", "first_method": "prefpoe",
        "second_method": "ppo", "environments": ["ProbeTarget-v0"],
    }  # fmt: skip
    claim = Claim.model_validate({**about, "kind": kind, **more})
    ours = Ours(recorded(folder, results), recorded(folder, results, "reduced"))
    (found,) = audit([claim], "toy", "Toy", {}, ours)
    return found


def test_an_ordering_is_tested_everywhere_and_its_intervals_are_the_tables(
    folder, results, records, plant
) -> None:
    both = ["ProbeTarget-v0", "ProbeSign-v0"]
    plant("plain", "prefpoe", noisy(-1.0), 1)
    order = {
        "kind": "ordering",
        "relation": "above",
        "second_method": "linear_fusion",
        "environments": both,
    }
    assert judged(folder, results, **order).replicated == "untested"
    plant("plain", "linear_fusion", noisy(-1.5), 2)
    plant("plain", "ppo", noisy(-1.5), 3)
    found = judged(folder, results, **order)
    assert found.replicated == "replicated"
    assert judged(folder, results, **{**order, "relation": "below"}).replicated == "contradicted"
    assert judged(folder, results, **{**order, "relation": "at least"}).replicated == "untested"
    (finding,) = found.findings
    assert "Holm-adjusted p: ProbeTarget-v0" in finding.arithmetic
    assert str(finding.power).count("is found with 80 %") == 2
    loaded = load_experiment(
        load_plan(folder), "paper", "plain", records, results / "scratch", read_imported([])
    )
    table = contrasts(
        loaded.scores, [("prefpoe", "linear_fusion")], np.random.default_rng(20251108)
    )
    for row in table.itertuples():
        ends = [f"[{low:.4g}, {high:.4g}]" for low, high in (
            (row.mean_difference_low, row.mean_difference_high), (row.poi_low, row.poi_high))]  # fmt: skip
        assert all(end in finding.arithmetic for end in ends)


def test_equivalence_is_held_against_random_play(folder, results, plant) -> None:
    """Random play scores −35/12 = −2.917; a tenth of what −1 is above it is 0.1917."""
    plant("plain", "prefpoe", noisy(-1.02, 0.05), 1)
    plant("plain", "ppo", noisy(-1.0, 0.05), 2)
    found = judged(folder, results, "equivalence", margin=0.1)
    assert found.replicated == "replicated"
    (finding,) = found.findings
    assert finding.check == "two one-sided tests"
    assert "margin ±0.19" in finding.arithmetic
    assert "where there is no true difference" in str(finding.power)
    plant("other", "ppo", noisy(-1.5, 0.05), 3)
    apart = judged(folder, results, "equivalence", margin=0.1, second_experiment="other")
    assert apart.replicated == "contradicted"


def test_the_margin_is_of_the_base_that_a_claim_names(folder, results, plant) -> None:
    """Two arms near random play, −2.917, differ by 0.05: more than a tenth of their own lead, less than of the base's, 0.1917."""
    plant("plain", "prefpoe", noisy(-2.70, 0.01), 1)
    plant("plain", "linear_fusion", noisy(-2.75, 0.01), 2)
    plant("plain", "ppo", noisy(-1.0, 0.01), 3)
    two = {"second_method": "linear_fusion", "margin": 0.1}
    assert judged(folder, results, "equivalence", **two).replicated == "contradicted"
    named = judged(folder, results, "equivalence", base_method="ppo", **two)
    assert named.replicated == "replicated"
    assert "margin ±0.19" in named.findings[0].arithmetic
    other = judged(
        folder, results, "equivalence", base_method="ppo", base_experiment="other", **two
    )
    assert other.replicated == "untested"
    with pytest.raises(ValueError, match="base_method is a third method"):
        judged(folder, results, "equivalence", base_method="linear_fusion", **two)


def test_arms_of_a_sweep_are_alike_at_their_best_settings(folder, results, plant) -> None:
    """Best settings differ by 0.05 and by 1, a tenth of what the base is above random play is 0.39; the others are a unit worse."""
    plant("swept", "ppo", peaked(lambda clip: 1.0 if clip == 0.1 else 0.0), 1)
    alike = {"experiment": "swept", "margin": 0.1}
    for best, verdict in ((0.95, "replicated"), (2.0, "contradicted")):
        plant("swept", "prefpoe", peaked(lambda clip, best=best: best if clip == 1.0 else 0.0), 2)
        found = judged(folder, results, "equivalence", **alike)
        assert found.replicated == verdict
        (finding,) = found.findings
        assert finding.check == "two one-sided tests, split-seed"
        assert "(10 % of 0.9765 − -2.917)" in finding.arithmetic
        for shard in load_plan(folder).shards("paper", "swept"):
            if shard.cell.method == "prefpoe":
                shutil.rmtree(results / "paper" / "toy" / "records" / shard.name)


def test_at_least_allows_for_a_margin_and_for_any_lead(folder, results, plant) -> None:
    """A tenth of what −1 is above random play is 0.1917: −1.1 is at least −1, −1.5 is not, −0.2 is and is not alike."""
    plant("plain", "ppo", noisy(-1.0, 0.05), 1)
    plant("plain", "prefpoe", noisy(-0.2, 0.05), 2)
    plant("plain", "linear_fusion", noisy(-1.1, 0.05), 3)
    plant("other", "ppo", noisy(-1.5, 0.05), 4)
    least = {"relation": "at least", "margin": 0.1}
    ahead = judged(folder, results, "ordering", **least)
    assert ahead.replicated == "replicated"
    assert ahead.findings[0].check == "one-sided test of the lower end"
    assert judged(folder, results, "equivalence", margin=0.1).replicated == "contradicted"
    near = {"first_method": "linear_fusion", **least}
    assert judged(folder, results, "ordering", **near).replicated == "replicated"
    far = {"first_method": "ppo", "experiment": "other", "second_experiment": "plain"}
    assert judged(folder, results, "ordering", **far, **least).replicated == "contradicted"
    most = {**far, "relation": "at most", "margin": 0.1}
    assert judged(folder, results, "ordering", **most).replicated == "replicated"
    with pytest.raises(ValueError, match="margin goes with relation: at least, at most"):
        judged(folder, results, "ordering", relation="above", margin=0.1)


def test_points_of_a_sweep_are_compared_as_arms_of_one_setting(folder, results, plant) -> None:
    plant("swept", "ppo", lambda setting, g: setting["clip"] + 0.01 * float(g.normal()), 1)
    one = {"clip": 1.0, "learning_rate": 1.0e-4}
    two = {"clip": 0.1, "learning_rate": 1.0e-4}
    same = {"experiment": "swept", "first_method": "ppo"}
    order = {**same, "relation": "above"}
    points = {"first_setting": one, "second_setting": two}
    found = judged(folder, results, "ordering", **order, **points)
    assert found.replicated == "replicated"
    assert "difference = 0.9" in found.findings[0].arithmetic
    assert found.findings[0].check == "Welch interval and probability of improvement"
    away = {"first_setting": two, "second_setting": one}
    assert judged(folder, results, "ordering", **order, **away).replicated == "contradicted"
    apart = judged(folder, results, "equivalence", margin=0.1, **same, **points)
    assert apart.replicated == "contradicted"


def test_a_run_that_diverged_counts_as_random_play(folder, results, plant) -> None:
    """Random play scores −2.917, so an arm that is lost is neither above nor like one that learnt, nor at least it."""
    plant("plain", "ppo", noisy(-1.0, 0.05), 1)
    plant("plain", "prefpoe", lambda setting, generator: None, 2)
    below = judged(folder, results, "ordering", relation="below")
    assert below.replicated == "replicated"
    said = below.findings[0].arithmetic
    assert "difference = -1.9" in said
    assert "8 of ProbeTarget-v0 / prefpoe diverged and count as random play, -2.917" in said
    assert judged(folder, results, "ordering", relation="above").replicated == "contradicted"
    alike = judged(folder, results, "equivalence", margin=0.1)
    assert alike.replicated == "contradicted"
    assert "8 of ProbeTarget-v0 / prefpoe diverged" in alike.findings[0].arithmetic
    least = {"relation": "at least", "margin": 0.1}
    assert judged(folder, results, "ordering", **least).replicated == "contradicted"


def test_a_lost_run_leaves_the_other_environments_decided(folder, results, plant) -> None:
    both = {"relation": "above", "environments": ["ProbeTarget-v0", "ProbeSign-v0"]}
    plant("plain", "ppo", noisy(-1.5), 1)
    plant("plain", "prefpoe", noisy(-1.0), 2)
    assert judged(folder, results, "ordering", **both).replicated == "replicated"
    (gone,) = [
        shard
        for shard in load_plan(folder).shards("paper", "plain")
        if (shard.cell.method, shard.cell.environment) == ("prefpoe", "ProbeSign-v0")
    ]
    shutil.rmtree(results / "paper" / "toy" / "records" / gone.name)
    found = judged(folder, results, "ordering", **both)
    assert found.replicated == "untested"
    (finding,) = found.findings
    assert "ProbeTarget-v0 (supported): difference = 0.48" in finding.arithmetic
    assert "ProbeSign-v0 (untested): ProbeSign-v0 / prefpoe: not recorded" in finding.arithmetic
    below = judged(folder, results, "ordering", **{**both, "relation": "below"})
    assert below.replicated == "contradicted"


def peaked(height: Callable[[float], float]) -> Score:
    """At the better of two learning rates what `height` says of the clip, a unit less at the other."""

    def of(setting: dict[str, float], generator: np.random.Generator) -> float:
        worse = setting["learning_rate"] < 1e-3
        return height(setting["clip"]) - worse + 0.05 * float(generator.normal())

    return of


CURVES = {"first_method": "prefpoe", "second_method": "ppo", "experiment": "swept", "over": "clip"}


def test_sweeps_answer_robustness_trend_and_order_at_every_level(folder, results, plant) -> None:
    """The first is flat at 1; the second falls from 1 by half a unit a decade: area ½ above, its lead grows by ½ a decade."""
    plant("swept", "prefpoe", peaked(lambda clip: 1.0), 1)
    plant("swept", "ppo", peaked(lambda clip: -0.5 * np.log10(clip)), 2)
    robust = judged(folder, results, "robustness", relation="above", **CURVES)
    assert robust.replicated == "replicated"
    height = robust.findings[0].arithmetic.partition("sensitivity curve = ")[2].partition(",")[0]
    assert float(height) == pytest.approx(0.5, abs=0.08)
    assert judged(folder, results, "trend", lead="grows", **CURVES).replicated == "replicated"
    assert judged(folder, results, "trend", lead="shrinks", **CURVES).replicated == "contradicted"
    # They start alike, so the first is not above at every clip; at the best setting of all they do not differ.
    every = judged(folder, results, "ordering", relation="above", **CURVES)
    assert every.replicated == "underpowered"
    assert [f"clip {x:g}" in every.findings[0].arithmetic for x in (0.01, 0.1, 1.0)] == [True] * 3
    best = judged(folder, results, "ordering", relation="above", **{**CURVES, "over": None})
    assert best.replicated == "underpowered"


def test_an_arm_that_falls_further_behind_has_no_lead_that_shrinks(folder, results, plant) -> None:
    """The first is behind by 1 at the smallest clip and by 2 at the largest: its signed lead falls, the gap grows."""
    plant("swept", "prefpoe", peaked(lambda clip: 0.0), 1)
    plant("swept", "ppo", peaked(lambda clip: 2 + 0.5 * np.log10(clip)), 2)
    found = judged(folder, results, "trend", lead="shrinks", **CURVES)
    assert found.replicated == "underpowered"
    assert "mean lead = -1" in found.findings[0].arithmetic


def test_why_a_sweep_answers_nothing(folder, results, plant, write) -> None:
    def said(kind: str, **more: Any) -> str:
        found = judged(folder, results, kind, relation="above", **{**CURVES, **more})
        assert found.replicated == "untested"
        return found.findings[-1].arithmetic

    assert said("robustness") == "ProbeTarget-v0 / prefpoe: not recorded at scale paper"
    plant("plain", "ppo", noisy(-1.0))
    plant("plain", "prefpoe", noisy(-1.0))
    assert "plain does not vary clip" in said("robustness", experiment="plain")
    plant("swept", "prefpoe", noisy(-1.0))
    plant("swept", "ppo", lambda setting, _: None if setting["clip"] == 0.1 else -1.0)
    assert "every setting has a run without a score at clip 0.1" in said("robustness")


def test_scores_are_what_the_experiment_says(folder, results, plant) -> None:
    """Curves of planted records are 1.5 throughout, whatever is evaluated."""
    plant("by_area", "ppo", noisy(-1.0))
    runs = recorded(folder, results)("by_area", "ProbeTarget-v0", "ppo")
    assert not isinstance(runs, str)
    assert runs.scores.tolist() == [[1.5] * SEEDS]
    plant("plain", "ppo", noisy(-1.0))
    evaluated = recorded(folder, results)("plain", "ProbeTarget-v0", "ppo")
    assert not isinstance(evaluated, str)
    assert evaluated.scores.max() < 0
    assert evaluated.seeds == tuple(range(SEEDS))


def test_a_reduced_record_is_shown_only(folder, results, plant) -> None:
    for method, mean in (("prefpoe", -1.0), ("ppo", -1.5)):
        plant("plain", method, noisy(mean))
    (results / "paper").rename(results / "reduced")
    found = judged(folder, results, "ordering", relation="above")
    assert found.replicated == "untested"
    assert [finding.verdict for finding in found.findings] == ["untested", "untested"]
    assert "the same rule would say replicated" in found.findings[1].arithmetic


def test_welch_is_scipys(folder, results, plant) -> None:
    plant("plain", "prefpoe", noisy(-1.0), 1)
    plant("plain", "ppo", noisy(-1.05), 2)
    cells = recorded(folder, results)
    x, y = (cells("plain", "ProbeTarget-v0", name).scores[0] for name in ("prefpoe", "ppo"))  # type: ignore[union-attr]
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    (finding,) = judged(folder, results, "ordering", relation="above").findings
    assert f"95 % interval [{low:.4g}, {high:.4g}] (n = 8 and 8)" in finding.arithmetic
