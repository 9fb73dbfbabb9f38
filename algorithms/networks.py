"""Multilayer perceptrons as pure functions of a parameter dictionary, for one agent.

Shapes: B batch (any leading dimensions), sizes[0] inputs, sizes[-1] outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

Parameters = dict[str, Tensor]
TRUNK_GAIN = 2**0.5


def orthogonal(
    rng: np.random.Generator, rows: int, columns: int, gain: float
) -> NDArray[np.float64]:
    """A [rows, columns] matrix with orthonormal rows or columns, times `gain` (Saxe et al. 2014)."""
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diagonal(r))
    return gain * (q if rows >= columns else q.T)


def init_mlp(
    rng: np.random.Generator, prefix: str, sizes: Sequence[int], output_gain: float
) -> Parameters:
    """Parameters "{prefix}.{layer}.weight" [out, in] and ".bias" [out]; orthogonal weights, biases 0.

    Every layer but the last has gain √2, as CleanRL initialises its networks.
    """
    layers = list(pairwise(sizes))
    parameters: Parameters = {}
    for index, (inputs, outputs) in enumerate(layers):
        gain = output_gain if index == len(layers) - 1 else TRUNK_GAIN
        weight = orthogonal(rng, outputs, inputs, gain)
        parameters[f"{prefix}.{index}.weight"] = torch.from_numpy(weight).float()
        parameters[f"{prefix}.{index}.bias"] = torch.zeros(outputs)
    return parameters


def init_relu_mlp(rng: np.random.Generator, prefix: str, sizes: Sequence[int]) -> Parameters:
    """As `init_mlp`, for ReLU between layers: Xavier-uniform weights with gain √2 (Glorot & Bengio 2010), biases 0.

    As GreedyAC's released code initialises its networks, outputs included.
    """
    parameters: Parameters = {}
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        bound = (2 * 6 / (inputs + outputs)) ** 0.5
        weight = rng.uniform(-bound, bound, (outputs, inputs))
        parameters[f"{prefix}.{index}.weight"] = torch.from_numpy(weight).float()
        parameters[f"{prefix}.{index}.bias"] = torch.zeros(outputs)
    return parameters


def mlp(
    parameters: Parameters,
    prefix: str,
    x: Tensor,
    layers: int,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Tensor:
    """Apply `layers` layers with `activation` between them (none after the last). [B, in] → [B, out]."""
    for index in range(layers):
        x = activation(x) if index else x
        x = linear(x, parameters[f"{prefix}.{index}.weight"], parameters[f"{prefix}.{index}.bias"])
    return x
