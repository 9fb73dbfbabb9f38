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

    def weight(inputs: int, outputs: int, last: bool) -> NDArray[np.float64]:
        return orthogonal(rng, outputs, inputs, output_gain if last else TRUNK_GAIN)

    return _layers(prefix, sizes, weight)


def init_relu_mlp(rng: np.random.Generator, prefix: str, sizes: Sequence[int]) -> Parameters:
    """As `init_mlp`, for ReLU between layers: Xavier-uniform weights with gain √2 (Glorot & Bengio 2010), biases 0.

    As GreedyAC's released code initialises its networks, outputs included.
    """

    def weight(inputs: int, outputs: int, last: bool) -> NDArray[np.float64]:
        bound = (2 * 6 / (inputs + outputs)) ** 0.5
        return rng.uniform(-bound, bound, (outputs, inputs))

    return _layers(prefix, sizes, weight)


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

    def weight(inputs: int, outputs: int, last: bool) -> NDArray[np.float64]:
        if last:
            normal = rng.standard_normal((outputs, inputs))
            normal *= (output_scale / inputs) ** 0.5
            return normal
        bound = (3 * 0.333 / outputs) ** 0.5
        return rng.uniform(-bound, bound, (outputs, inputs))

    norm = {"weight": torch.ones(sizes[1]), "bias": torch.zeros(sizes[1])}
    named = {f"{prefix}.norm.{name}": value for name, value in norm.items()}
    return _layers(prefix, sizes, weight) | named


def _layers(
    prefix: str, sizes: Sequence[int], weight: Callable[[int, int, bool], NDArray[np.float64]]
) -> Parameters:
    """Layers of these sizes with biases 0; `weight` gives [out, in] for inputs, outputs and whether it is the last."""
    pairs = list(pairwise(sizes))
    parameters: Parameters = {}
    for index, (inputs, outputs) in enumerate(pairs):
        drawn = weight(inputs, outputs, index == len(pairs) - 1)
        parameters[f"{prefix}.{index}.weight"] = torch.from_numpy(drawn).float()
        parameters[f"{prefix}.{index}.bias"] = torch.zeros(outputs)
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
