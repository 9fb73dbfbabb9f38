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
from torch.nn.functional import elu, layer_norm, linear

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


def init_layer_norm_mlp(
    rng: np.random.Generator, prefix: str, sizes: Sequence[int], output_scale: float
) -> Parameters:
    """As `init_mlp`, with the first layer's normalisation "{prefix}.norm.weight" and ".bias"; as acme's LayerNormMLP.

    Variance-scaling weights, biases 0: uniform with variance 0.333 / outputs in hidden layers, normal with variance
    `output_scale` / inputs in the last.
    """
    layers = list(pairwise(sizes))
    parameters: Parameters = {}
    for index, (inputs, outputs) in enumerate(layers):
        if index == len(layers) - 1:
            weight = rng.standard_normal((outputs, inputs)) * (output_scale / inputs) ** 0.5
        else:
            bound = (3 * 0.333 / outputs) ** 0.5
            weight = rng.uniform(-bound, bound, (outputs, inputs))
        parameters[f"{prefix}.{index}.weight"] = torch.from_numpy(weight).float()
        parameters[f"{prefix}.{index}.bias"] = torch.zeros(outputs)
    parameters[f"{prefix}.norm.weight"] = torch.ones(sizes[1])
    parameters[f"{prefix}.norm.bias"] = torch.zeros(sizes[1])
    return parameters


def layer_norm_mlp(parameters: Parameters, prefix: str, x: Tensor, layers: int) -> Tensor:
    """A first layer, normalised and through tanh, then ELU layers and a linear one, as acme's: [B, in] → [B, out]."""
    for index in range(layers):
        x = elu(x) if index > 1 else x
        x = linear(x, parameters[f"{prefix}.{index}.weight"], parameters[f"{prefix}.{index}.bias"])
        if index == 0:
            scale, shift = (parameters[f"{prefix}.norm.{name}"] for name in ("weight", "bias"))
            x = torch.tanh(layer_norm(x, x.shape[-1:], scale, shift))
    return x
