"""Environments of our own: name → simulator of a batch of copies, made from their seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from envs.native import bandits, classic_control, functions
from envs.native.batch import Batch, Dynamics
from envs.native.probes import ProbeSign, ProbeTarget
from envs.registry import ENVIRONMENTS

if TYPE_CHECKING:
    from envs.pool import Simulator

DYNAMICS: dict[str, Dynamics] = {
    "Pendulum": classic_control.Pendulum(),
    "ShapedPendulum": classic_control.ShapedPendulum(),
    "GreedyACPendulum": classic_control.GreedyACPendulum(),
    "Acrobot": classic_control.Acrobot(),
    "ShapedAcrobot": classic_control.ShapedAcrobot(),
    "MountainCar": classic_control.MountainCar(),
    "ShapedMountainCar": classic_control.ShapedMountainCar(),
    "WeakMountainCar": classic_control.WeakMountainCar(),
    **{name: functions.Minimisation(name) for name in functions.FUNCTIONS},
}


def batch(
    name: str,
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Batch:
    """Copies of the environment `name` of DYNAMICS, one for each seed, computed on `device` in `dtype`."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    return Batch(DYNAMICS[name], ENVIRONMENTS[name].horizon, generators, device, dtype)


NATIVE: dict[str, Callable[[Sequence[int]], Simulator]] = {
    "ProbeTarget-v0": ProbeTarget,
    "ProbeSign-v0": ProbeSign,
    "MultimodalBandit": partial(bandits.MultimodalBandit, ENVIRONMENTS["MultimodalBandit"].horizon),
    **{name: partial(batch, name) for name in DYNAMICS},
}
