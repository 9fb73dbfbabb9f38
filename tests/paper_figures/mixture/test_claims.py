"""Claims that compare methods name the runs that will answer them, or say why none can."""

from __future__ import annotations

from pathlib import Path

from algorithms.cell import load_plan
from analysis.audit.replicated import COMPARISONS
from analysis.claims import load_claims
from paper_figures.mixture import figure_2, figure_8, figure_15

PAPER = Path(__file__).parents[3] / "paper_figures" / "mixture"
UNANSWERED = {
    "figure_3.seeds",
    "figure_4.shaped_like",
    "figure_4.unshaped_like",
    "figure_11.gumbel",
    "figure_12.eight_worse",
    "section_6.failed",
}
"""What no planned experiment can answer; loading the claims checks that those linked name arms of the plan."""


def test_only_what_no_experiment_can_answer_names_none() -> None:
    compared = [claim for claim in load_claims(PAPER) if claim.kind in COMPARISONS]
    unlinked = {claim.id: claim.note for claim in compared if claim.experiment is None}
    assert set(unlinked) == UNANSWERED
    assert all(unlinked.values())


def test_linked_claims_are_answered_at_scale_paper() -> None:
    plan = load_plan(PAPER)
    for claim in load_claims(PAPER):
        if claim.kind in COMPARISONS and claim.experiment is not None:
            arms = (
                (claim.experiment, claim.first_method),
                (claim.second_experiment or claim.experiment, claim.second_method),
            )
            for experiment, method in arms:
                cells = {(c.environment, c.method) for c in plan.cells("paper", experiment)}
                assert {(x, method) for x in claim.environments} <= cells, claim.id


def test_margins_are_of_base_policies() -> None:
    """A tenth of what the best of the base policies, which are no mixtures, is above random play."""
    equal = [claim for claim in load_claims(PAPER) if claim.kind == "equivalence"]
    linked = [claim for claim in equal if claim.experiment is not None]
    assert {claim.compared[-1][1] for claim in linked} == {"rep_squashed", "greedy_ac_gm_1"}
    assert {claim.margin for claim in equal} == {0.1}


def test_what_a_figure_shows_is_what_its_claims_are_about() -> None:
    claims = {claim.id: claim for claim in load_claims(PAPER)}
    swingup = claims["figure_2.half_swingup"].environments
    for name in ("half", "gumbel"):
        similar = claims[f"figure_2.{name}_similar"].environments
        assert sorted((*similar, *swingup)) == sorted(figure_2.ENVIRONMENTS)
    for name in ("figure_8.similar", "figure_8.gumbel_similar"):
        assert sorted(claims[name].environments) == sorted(figure_8.ENVIRONMENTS)
    told = {claims[f"figure_15.{name}"].environments for name in ("small", "slide_half")}
    assert sorted(x for part in told for x in part) == sorted(figure_15.LAYOUT.environments)


def test_the_figures_experiments_share_their_records() -> None:
    plan = load_plan(PAPER)
    drawn, claimed = (
        {shard.hash for name in names for shard in plan.shards("paper", name)}
        for names in (("mujoco", "dmc"), ("selected", "remaining"))
    )
    assert drawn == claimed
