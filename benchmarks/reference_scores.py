"""Best known returns of classic control, by search: where the reference anchors of MountainCar and Acrobot come from.

python -m benchmarks.reference_scores [ENVIRONMENT …]     (every one of them by default)

Dynamics and first states are known, so open-loop search needs no learning. What it finds is reached by a stated sequence
of actions, hence a lower bound on the optimum. Actions are the extreme ones throughout.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from envs.native import DYNAMICS
from envs.native.batch import Dynamics
from envs.native.classic_control import Acrobot
from envs.registry import ENVIRONMENTS

STARTS, LONGEST, LIMIT, BEAM = 200, 60, 200, 50_000
MOUNTAIN_CARS = ("MountainCar", "ShapedMountainCar", "WeakMountainCar")
ACROBOTS = ("Acrobot", "ShapedAcrobot")


def switching_return(dynamics: Dynamics, starts: int = STARTS) -> float:
    """Mean over first states of the best return of full force with at most two switches.

    First states: `starts` equally likely quantiles of the single uniform draw. One direction for 0 to LONGEST steps, the
    other for 0 to LONGEST, then the first again until the end; sequences that need more than LIMIT steps are left out.
    """
    phase = torch.arange(LONGEST + 1)
    sign, first, second = torch.meshgrid(torch.tensor([-1, 1]), phase, phase, indexing="ij")
    sign, first, switch = sign.flatten(), first.flatten(), (first + second).flatten()
    best = []
    for start in range(starts):
        draw = torch.full((1, len(sign)), (start + 0.5) / starts, dtype=torch.float64)
        state, total = dynamics.initial(draw), torch.zeros(len(sign), dtype=torch.float64)
        going = torch.ones(len(sign), dtype=torch.bool)
        for now in range(LIMIT):
            push = torch.where((now >= first) & (now < switch), -sign, sign)
            state, reward, terminated = dynamics.step(state, push[None].to(torch.float64))
            total += torch.where(going, reward, 0.0)
            going &= ~terminated
        best.append(float(total[~going].max()))
    return sum(best) / starts


def beam_return(dynamics: Acrobot, beam: int = BEAM, more: int = 10) -> float:
    """Best return that a beam search over full torques finds; Acrobot's first state is always the same.

    The `beam` states of most mechanical energy survive each step. The search ends `more` steps after the first
    sequence that reaches the goal.
    """
    state = dynamics.initial(torch.zeros((0, 1), dtype=torch.float64))
    total, best, left = torch.zeros(1, dtype=torch.float64), -torch.inf, more
    while left:
        push = torch.ones_like(state[:1])
        state, reward, terminated = dynamics.step(
            torch.cat((state, state), dim=1), torch.cat((push, -push), dim=1)
        )
        total = torch.cat((total, total)) + reward
        if terminated.any():
            best = max(best, float(total[terminated].max()))
        left -= best > -torch.inf
        kept = torch.where(terminated, -torch.inf, energy(state))
        chosen = kept.topk(min(beam, int((~terminated).sum()))).indices
        state, total = state[:, chosen], total[chosen]
    return best


def energy(state: Tensor) -> Tensor:
    """Mechanical energy [N] of Acrobot's `state` [4, N]: links of mass, length and inertia 1, gravity 9.8."""
    theta_1, theta_2, omega_1, omega_2 = state.unbind()
    bend = theta_2.cos()
    kinetic = (3.5 + bend) * omega_1**2 / 2 + (1.25 + bend / 2) * omega_1 * omega_2
    potential = -14.7 * theta_1.cos() - 4.9 * (theta_1 + theta_2).cos()
    return kinetic + 1.25 * omega_2**2 / 2 + potential


def main() -> None:
    """Print what is found beside the registry's anchor."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = (*MOUNTAIN_CARS, *ACROBOTS)
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT", default=[])
    for name in parser.parse_args().environments or names:
        if name not in names:
            parser.error(f"{name} is not one of {', '.join(names)}")
        dynamics = DYNAMICS[name]
        found = (
            beam_return(dynamics) if isinstance(dynamics, Acrobot) else switching_return(dynamics)
        )
        reference = ENVIRONMENTS[name].anchors.reference
        print(f"{name:20} {found:10.3f}   registry {reference:10.3f}", flush=True)


if __name__ == "__main__":
    main()
