"""Initialisation and forward pass against torch.nn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from algorithms.networks import (
    TRUNK_GAIN,
    init_layer_norm_mlp,
    init_mlp,
    layer_norm_mlp,
    mlp,
    orthogonal,
)


@pytest.mark.parametrize(("rows", "columns"), [(64, 17), (64, 64), (6, 64), (1, 64), (3, 3)])
@pytest.mark.parametrize("gain", [2**0.5, 0.01, 1.0])
def test_orthogonal_rows_or_columns(rows: int, columns: int, gain: float) -> None:
    matrix = orthogonal(np.random.default_rng(0), rows, columns, gain)
    assert matrix.shape == (rows, columns)
    gram = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(rows, columns)), atol=1e-14)


def test_orthogonal_has_no_preferred_direction() -> None:
    """Uniform over rotations: entries have mean 0 and variance 1/3. A bare QR makes the first one negative.

    9 means and 9 variances of 2,000 draws, 5 standard errors each: about 1 in 100,000 fails by chance.
    """
    rng = np.random.default_rng(1)
    draws = np.stack([orthogonal(rng, 3, 3, 1.0) for _ in range(2000)])
    assert (abs(draws.mean(0)) < 5 * np.sqrt(1 / 3 / 2000)).all()
    # The square of an entry is Beta(½, 1): variance 4/45.
    assert (abs((draws**2).mean(0) - 1 / 3) < 5 * np.sqrt(4 / 45 / 2000)).all()


def test_init_mlp_names_shapes_gains_and_zero_biases() -> None:
    parameters = init_mlp(np.random.default_rng(2), "net", (17, 64, 64, 6), 0.01)
    shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    assert shapes == {
        "net.0.weight": (64, 17),
        "net.0.bias": (64,),
        "net.1.weight": (64, 64),
        "net.1.bias": (64,),
        "net.2.weight": (6, 64),
        "net.2.bias": (6,),
    }
    for layer, gain in enumerate((TRUNK_GAIN, TRUNK_GAIN, 0.01)):
        weight = parameters[f"net.{layer}.weight"]
        singular = torch.linalg.svdvals(weight)
        torch.testing.assert_close(singular, torch.full_like(singular, gain), rtol=1e-5, atol=0)
        assert not parameters[f"net.{layer}.bias"].any()
        assert weight.dtype == torch.float32
    assert pytest.approx(1.41421356) == TRUNK_GAIN


def test_init_depends_on_the_generator_alone() -> None:
    first, again, other = (
        init_mlp(np.random.default_rng(seed), "net", (4, 8, 2), 1.0) for seed in (3, 3, 4)
    )
    for name, value in first.items():
        assert torch.equal(value, again[name])
    assert not torch.equal(first["net.0.weight"], other["net.0.weight"])


@pytest.mark.parametrize("sizes", [(5, 2), (5, 7, 2), (5, 7, 6, 2)])
def test_mlp_equals_torch_sequential(sizes: tuple[int, ...]) -> None:
    parameters = init_mlp(np.random.default_rng(5), "net", sizes, 0.5)
    layers: list[torch.nn.Module] = []
    for index in range(len(sizes) - 1):
        layers += [torch.nn.Tanh()] if index else []
        layer = torch.nn.Linear(sizes[index], sizes[index + 1])
        parameters[f"net.{index}.bias"] = torch.linspace(-1, 1, sizes[index + 1])
        layer.load_state_dict({k: parameters[f"net.{index}.{k}"] for k in ("weight", "bias")})
        layers.append(layer)
    x = torch.from_numpy(np.random.default_rng(6).normal(size=(3, 4, 5))).float()
    expected = torch.nn.Sequential(*layers)(x)
    torch.testing.assert_close(mlp(parameters, "net", x, len(sizes) - 1), expected)


@pytest.mark.parametrize("sizes", [(5, 7, 2), (5, 7, 6, 2), (5, 7, 6, 8, 2)])
def test_a_normalised_mlp_equals_torch_sequential(sizes: tuple[int, ...]) -> None:
    """Linear, LayerNorm, tanh; then ELU layers; a linear one last."""
    parameters = init_layer_norm_mlp(np.random.default_rng(7), "net", sizes, 0.5)
    layers: list[torch.nn.Module] = []
    for index in range(len(sizes) - 1):
        layers += [torch.nn.ELU()] if index > 1 else []
        layer = torch.nn.Linear(sizes[index], sizes[index + 1])
        parameters[f"net.{index}.bias"] = torch.linspace(-1, 1, sizes[index + 1])
        layer.load_state_dict({k: parameters[f"net.{index}.{k}"] for k in ("weight", "bias")})
        layers.append(layer)
        if index == 0:
            norm = torch.nn.LayerNorm(sizes[1])
            parameters["net.norm.weight"] = torch.linspace(0.5, 2, sizes[1])
            parameters["net.norm.bias"] = torch.linspace(1, -1, sizes[1])
            norm.load_state_dict({k: parameters[f"net.norm.{k}"] for k in ("weight", "bias")})
            layers += [norm, torch.nn.Tanh()]
    x = torch.from_numpy(np.random.default_rng(8).normal(size=(3, 4, 5))).float()
    expected = torch.nn.Sequential(*layers)(x)
    torch.testing.assert_close(layer_norm_mlp(parameters, "net", x, len(sizes) - 1), expected)


def test_a_normalised_mlps_fresh_weights() -> None:
    """U(−b, b), b = √(3 · 0.333 / outputs), and N(0, scale / inputs) last; Kolmogorov and Smirnov at 10⁻⁴ for three layers."""
    parameters = init_layer_norm_mlp(np.random.default_rng(9), "net", (40, 64, 32, 50), 1e-4)
    laws = [stats.uniform(-b, 2 * b) for b in (np.sqrt(0.999 / 64), np.sqrt(0.999 / 32))]
    for layer, law in enumerate((*laws, stats.norm(0, np.sqrt(1e-4 / 32)))):
        weight = parameters[f"net.{layer}.weight"].double().flatten()
        assert stats.kstest(weight.numpy(), law.cdf).pvalue > 1e-4
        assert not parameters[f"net.{layer}.bias"].any()
    assert set(parameters) == {
        f"net.{x}.{k}" for x in (0, 1, 2, "norm") for k in ("weight", "bias")
    }
    assert parameters["net.norm.weight"].tolist() == [1.0] * 64
    assert parameters["net.norm.bias"].tolist() == [0.0] * 64
