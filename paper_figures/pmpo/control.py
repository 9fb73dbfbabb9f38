"""The control tasks as figures show them: those that the text names, and one of each domain that it pictures."""

from __future__ import annotations

from collections.abc import Sequence

from paper_figures.evaluation_curves import Layout, arms

TITLES = {
    "CartpoleSwingup-v1": "cartpole swingup",
    "ReacherEasy-v1": "reacher easy",
    "CheetahRun-v1": "cheetah run",
    "WalkerWalk-v1": "walker walk",
    "AcrobotSwingup-v1": "acrobot swingup",
    "HumanoidStand-v1": "humanoid stand",
    "HumanoidWalk-v1": "humanoid walk",
    "HumanoidRun-v1": "humanoid run",
    "ManipulatorBringBall-v1": "manipulator bring ball",
}
ARMS = (
    "pmpo_ar",
    "pmpo_ar_extremes",
    "pmpo_a",
    "pmpo_r",
    "pmpo_r_no_kl",
    "mpo",
    "mpo_20",
    "dpo",
    "initial_policy",
)


def curves_of(name: str, tasks: Sequence[str] = tuple(TITLES), renewal: int = 10) -> Layout:
    """Figure 2 for one kind of policy, on these tasks, with references renewed every `renewal` updates."""
    note = f"A return of 1,000 is the largest possible. Reference policies are renewed every {renewal} updates."
    return Layout(name, tuple(tasks), 3, arms(*ARMS), note=note, titles=TITLES)
