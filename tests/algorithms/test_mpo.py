"""MPO and what learns from preferences in its place: losses written out with torch.distributions, whole updates, learning."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize, special
from torch import Tensor
from torch import distributions as d

from algorithms import checkpoint
from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.checkpoint import TrainingState
from algorithms.distributions import DiagonalGaussian, Discretised
from algorithms.keys import Draws, integers, member_key, uniforms
from algorithms.methods import mpo
from algorithms.methods.off_policy import Transitions
from algorithms.networks import Parameters
from algorithms.population import Learners, OffPolicy
from algorithms.progress import Progress
from algorithms.replay import CUT, GOES_ON, TERMINATED
from algorithms.seeding import Purpose
from algorithms.settings import METHODS, MPO, resolve
from algorithms.specification import SpecificationError
from algorithms.train import Resources, begin_segment, prepare, train_segment
from envs.registry import ENVIRONMENTS, Environment
from tests.algorithms.replayed import BATCH, as_type, experience, numbers, some_batch
from tests.algorithms.small_runs import small_shard

CPU, EAGER = torch.device("cpu"), Resources(mode="eager")
CHEETAH, PENDULUM, SPHERE = (ENVIRONMENTS[x] for x in ("HalfCheetah-v4", "Pendulum", "Sphere10"))
SAMPLED = 4
POLICIES: dict[str, dict[str, Any]] = {
    "gaussian": {},
    "discretised": {"policy": "discretised", "bins": 5},
}
IMPROVED: dict[str, dict[str, Any]] = {
    "mpo": {},
    "pmpo": {"improvement": "pmpo", "alpha": 0.3, "beta": 1.2},
    "dpo": {"improvement": "dpo", "labels": "extremes", "beta": 0.7},
    "ipo": {"improvement": "ipo", "beta": 0.4},
    "none": {"improvement": "none"},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as training sets it


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def settings_of(**overrides: Any) -> MPO:
    return MPO(**{"hidden": (8, 6), "batch_size": BATCH, **overrides})


def hyperparameters(settings: MPO) -> dict[str, Tensor]:
    return {name: number(getattr(settings, name)) for name in settings.per_member()}


def agent(settings: MPO, world: Environment, seed: int) -> tuple[Parameters, Parameters]:
    """Parameters in float64 with biases and duals that matter, and slow copies that lag behind."""
    rng = np.random.default_rng(seed)
    fresh = mpo.init(settings, world, rng)
    for name, value in fresh.items():
        if name.startswith("duals"):
            fresh[name] = 0.01 * value.clamp(max=50)
    parameters, slow = (
        {name: x + torch.from_numpy(rng.normal(0, 0.3, tuple(x.shape))) for name, x in of.items()}
        for of in [fresh] * 2
    )
    followed = mpo.followed(settings)
    return parameters, {n: x for n, x in slow.items() if n.partition(".")[0] in followed}


def leaves(parameters: Parameters) -> Parameters:
    return {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}


def gradients(loss: Tensor, parameters: Parameters) -> Parameters:
    """Of every parameter; zeros where the loss does not depend on it."""
    if not loss.requires_grad:
        return {name: torch.zeros_like(value) for name, value in parameters.items()}
    found = torch.autograd.grad(
        loss, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(parameters, found, strict=True))


# The same again, for one agent, without anything of ours


def network(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    for layer in range(3):
        weight, bias = (parameters[f"{name}.{layer}.{kind}"] for kind in ("weight", "bias"))
        x = x @ weight.T + bias
        if layer == 0:
            spread = x.var(-1, unbiased=False, keepdim=True)
            x = (x - x.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt()
            x = torch.tanh(x * parameters[f"{name}.norm.weight"] + parameters[f"{name}.norm.bias"])
        elif layer == 1:
            x = torch.where(x > 0, x, x.exp() - 1)
    return x


def their_policy(parameters: Parameters, seen: Tensor, settings: MPO, actions: int) -> Any:
    """Independent dimensions [B, A] of torch.distributions."""
    raw = network(parameters, "policy", seen)
    if settings.policy == "discretised":
        return d.Categorical(logits=raw.view(len(seen), actions, settings.bins))
    scale = torch.log1p(raw[:, actions:].exp()) * settings.initial_std / math.log(2) + 1e-6
    return d.Normal(raw[:, :actions], scale)


def their_samples(policy: Any, uniform: Tensor, settings: MPO, actions: int) -> Tensor:
    """What `policy` proposes [M, B, A], bins by their index: Gumbel's noise, or Box and Muller's."""
    shape = (settings.actions_per_state, BATCH, actions)
    if settings.policy == "discretised":
        first = uniform[: math.prod(shape) * settings.bins].view(*shape, settings.bins)
        return (policy.logits - (-first.log()).log()).argmax(-1)
    half = -(-math.prod(shape) // 2)
    length, turn = (-2 * uniform[:half].log()).sqrt(), 2 * math.pi * uniform[half : 2 * half]
    noise = torch.cat((length * turn.cos(), length * turn.sin()))[: math.prod(shape)]
    return policy.mean + policy.stddev * noise.view(shape)


def their_values(
    parameters: Parameters, seen: Tensor, action: Tensor, settings: MPO, world: Environment
) -> Tensor:
    action = torch.clamp(action, -1, 1)
    if settings.critic == "exact":
        return -(5.12 * action).pow(2).sum(-1)
    x = torch.cat((seen.expand(*action.shape[:-1], seen.shape[-1]), action), -1)
    return network(parameters, "critic", x)[..., 0]


def constant(value: Tensor) -> Tensor:
    return value.detach()


def their_temperature(raw: Tensor, scores: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    eta = torch.log1p(raw[0].exp()) + 1e-8
    means = (scores / eta).exp().mean(0).log()
    weights = torch.from_numpy(special.softmax((scores / constant(eta)).numpy(), 0))
    return weights, eta * bound + eta * means.mean()


def their_mpo(
    parameters: Parameters,
    policy: Any,
    reference: Any,
    samples: Tensor,
    action: Tensor,
    q: Tensor,
    settings: MPO,
) -> tuple[Tensor, Tensor]:
    """The policy's loss and that of the duals."""
    weights, of_duals = their_temperature(parameters["duals.temperature"], q, 0.1)
    if settings.policy == "gaussian":
        outside = (action.abs() - 1).clamp(min=0).square().sum(-1).sqrt()
        more, also = their_temperature(parameters["duals.penalty"], -outside, 1e-3)
        weights, of_duals = weights + more, of_duals + also
        parts = {
            "mean": (d.Normal(policy.mean, reference.stddev), 0.01),
            "std": (d.Normal(reference.mean, policy.stddev), 1e-6),
        }
    else:
        parts = {"policy": (policy, 0.0025)}
    of_policy = torch.zeros(())
    for name, (part, bound) in parts.items():
        log_prob = d.Independent(part, 1).log_prob(samples)
        divergence = d.kl_divergence(reference, part).mean(0)
        alpha = torch.log1p(parameters[f"duals.{name}"].exp()) + 1e-8
        of_policy = of_policy - (weights * log_prob).sum(0).mean()
        of_policy = of_policy + (constant(alpha) * divergence).sum()
        of_duals = of_duals + (alpha * (bound - constant(divergence))).sum()
    return of_policy, of_duals


def their_preferences(
    policy: Any, reference: Any, samples: Tensor, q: Tensor, settings: MPO
) -> Tensor:
    log_prob, prior = (d.Independent(x, 1).log_prob(samples) for x in (policy, reference))
    count = 1 if settings.labels == "extremes" else SAMPLED // 2
    order = q.argsort(0)
    better, worse = order[-count:], order[:count]
    alpha, beta = settings.alpha, settings.beta
    gain = log_prob.gather(0, better).mean(0) - log_prob.gather(0, worse).mean(0)
    lead = gain - prior.gather(0, better).mean(0) + prior.gather(0, worse).mean(0)
    if settings.improvement == "dpo":
        return -torch.log(torch.sigmoid(beta * lead)).mean()
    if settings.improvement == "ipo":
        return (beta * lead**2 - gain).mean()
    divergence = d.kl_divergence(reference, policy).sum(-1).mean()
    liked, disliked = (log_prob.gather(0, which).mean() for which in (better, worse))
    return -(alpha * liked - (1 - alpha) * disliked - beta * divergence)


def their_losses(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    uniform: Tensor,
    settings: MPO,
    world: Environment,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A loss for each group of parameters, and what is to be reported."""
    actions = batch.action.shape[1]
    with torch.no_grad():
        reference = their_policy(slow, batch.successor, settings, actions)
        samples = their_samples(reference, uniform, settings, actions)
        action = samples.double()
        if settings.policy == "discretised":
            action = torch.linspace(-1, 1, settings.bins).double()[samples]
        q = their_values(slow, batch.successor, action, settings, world)
    policy = their_policy(parameters, batch.successor, settings, actions)
    losses = {"policy": torch.zeros(()).double()}
    found = {
        "value": q.mean(),
        "entropy": policy.entropy().sum(-1).mean(),
        "kl": d.kl_divergence(reference, policy).sum(-1).mean(),
    }
    if settings.improvement == "mpo":
        losses["policy"], losses["duals"] = their_mpo(
            parameters, policy, reference, samples, action, q, settings
        )
        found["temperature"] = torch.log1p(parameters["duals.temperature"].exp())[0] + 1e-8
    elif settings.improvement != "none":
        losses["policy"] = their_preferences(policy, reference, samples, q, settings)
    if settings.critic == "learned" and settings.improvement != "none":
        target = batch.reward + batch.discount * q.mean(0)
        now = their_values(parameters, batch.observation, batch.action, settings, world)
        losses["critic"] = found["critic_loss"] = ((now - target) ** 2).mean() / 2
    return losses, found


CASES: list[tuple[str, Environment, dict[str, Any]]] = [
    *((name, CHEETAH, {}) for name in IMPROVED),
    ("mpo", PENDULUM, {}),
    ("mpo", SPHERE, {"critic": "exact"}),
    ("pmpo", SPHERE, {"critic": "exact"}),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("improvement", "world", "others"), CASES, ids=lambda x: getattr(x, "name", str(x))
)
def test_the_loss_and_its_gradients(
    improvement: str, world: Environment, others: dict[str, Any], policy: str
) -> None:
    """Each group of parameters has the gradient of its own loss and of nothing else."""
    settings = settings_of(**POLICIES[policy], **IMPROVED[improvement], **others)
    parameters, slow = agent(settings, world, 1)
    batch, hyper = some_batch(world, 2), hyperparameters(settings)
    own, draws = leaves(parameters), Draws(numbers(3))
    loss, diagnostics = mpo.loss(own, slow, batch, draws, hyper, settings, world)
    reference = leaves(parameters)
    expected, found = their_losses(reference, slow, batch, numbers(3), settings, world)
    torch.testing.assert_close(loss, sum(expected.values()), rtol=1e-9, atol=1e-12)
    ours = gradients(loss, own)
    for group, part in expected.items():
        for name, gradient in gradients(part, reference).items():
            if name.startswith(f"{group}."):
                torch.testing.assert_close(ours[name], gradient, rtol=1e-9, atol=1e-13, msg=name)
                assert gradient.any() == (improvement != "none"), name
    assert set(diagnostics) == set(found)
    for name, value in found.items():
        torch.testing.assert_close(diagnostics[name], value.detach(), rtol=1e-9, atol=1e-12)
        assert not diagnostics[name].requires_grad
    size = SAMPLED * BATCH * world.action.size
    assert draws.taken == size * (settings.bins if policy == "discretised" else 1)


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_leaks_between_critic_policy_and_duals(policy: str) -> None:
    """The critic's gradient is its own whatever the policy and the duals are; the policy's, whatever the critic is."""
    settings = settings_of(**POLICIES[policy])
    parameters, slow = agent(settings, CHEETAH, 4)
    batch, hyper = some_batch(CHEETAH, 5), hyperparameters(settings)

    def found(changed: str) -> Parameters:
        own = leaves({n: x + 0.5 * n.startswith(changed) for n, x in parameters.items()})
        loss, _ = mpo.loss(own, slow, batch, Draws(numbers(6)), hyper, settings, CHEETAH)
        return gradients(loss, own)

    plain = found("nothing")
    for changed, untouched in (
        ("critic", ("policy", "duals")),
        ("policy", ("critic",)),
        ("duals", ("critic",)),
    ):
        for name, gradient in found(changed).items():
            if name.startswith(untouched):
                assert torch.equal(gradient, plain[name]), (changed, name)
    assert not torch.equal(found("duals")["policy.2.bias"], plain["policy.2.bias"])


# MPO's duals and weights


def inverse_softplus(value: float) -> Tensor:
    value -= 1e-8
    return number(value + math.log(-math.expm1(-value))).reshape(1)


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_the_temperature_minimises_the_dual(scale: float) -> None:
    """g(η) = η ε + η mean_s log mean_a exp(Q/η), minimised by scipy; there the weights' KL from uniform is ε."""
    q, bound = scale * np.random.default_rng(7).normal(size=(20, 30)), 0.1

    def dual(log_eta: float) -> float:
        eta = math.exp(log_eta)
        means = special.logsumexp(q / eta, axis=0, b=1 / len(q))
        return float(eta * bound + eta * means.mean())

    best = optimize.minimize_scalar(
        dual, bounds=(math.log(scale) - 4, math.log(scale) + 6), options={"xatol": 1e-10}
    )
    for factor, sign in ((1.0, 0), (0.5, -1), (2.0, 1)):
        eta = factor * math.exp(best.x)
        raw = inverse_softplus(eta).requires_grad_()
        weights, loss, temperature = mpo.reweighted(
            {"duals.temperature": raw}, "temperature", torch.from_numpy(q), bound
        )
        assert float(temperature.detach()) == pytest.approx(eta)
        assert float(loss.detach()) == pytest.approx(dual(math.log(eta)))
        np.testing.assert_allclose(weights.numpy(), special.softmax(q / eta, 0), rtol=1e-9)
        assert not weights.requires_grad
        slope = float(torch.autograd.grad(loss, raw)[0] / torch.sigmoid(raw.detach()))
        if sign:
            assert slope * sign > 0.01
        else:
            assert abs(slope) < 1e-6
            divergence = (weights.numpy() * np.log(20 * weights.numpy())).sum(0).mean()
            assert divergence == pytest.approx(bound, rel=1e-4)


def gaussian(mean: list[float], std: list[float]) -> DiagonalGaussian:
    return DiagonalGaussian(*(torch.tensor([x], dtype=torch.float64) for x in (mean, std)))


RAW = {"temperature": 1.0, "penalty": 0.5, "mean": 0.2, "std": -0.4}


def raw_duals(actions: int, **others: float) -> Parameters:
    sizes = {"temperature": 1, "penalty": 1, "mean": actions, "std": actions, "policy": actions}
    raw = {**RAW, "policy": 0.7, **others}
    return {
        f"duals.{n}": torch.full((k,), raw[n]).double().requires_grad_() for n, k in sizes.items()
    }


def test_a_dual_grows_where_its_own_divergence_is_above_its_bound() -> None:
    """Two dimensions, N(0, 1) each. Means off by ½ and 0: KL ⅛ and 0. σ 1 and 2: KL 0 and ln 2 − ⅜; bounds 0.01, 10⁻⁶."""
    settings, duals = MPO(), raw_duals(2)
    samples, q = torch.zeros(3, 1, 2).double(), torch.zeros(3, 1).double()
    policy, reference = gaussian([0.5, 0.0], [1.0, 2.0]), gaussian([0.0, 0.0], [1.0, 1.0])
    loss, _ = mpo.mpo(duals, policy, reference, samples, q, settings)
    found = gradients(loss, duals)
    for name, divergences, bound in (
        ("mean", [0.125, 0.0], 0.01),
        ("std", [0.0, math.log(2) - 0.375], 1e-6),
    ):
        expected = [(bound - x) * special.expit(RAW[name]) for x in divergences]
        assert found[f"duals.{name}"].tolist() == pytest.approx(expected)
        falls = [x < 0 for x in expected]  # and descent lets the dual grow
        assert falls == [x > bound for x in divergences]


def test_bounds_hold_in_each_dimension() -> None:
    for actions in (1, 2, 6):
        same = gaussian([0.0] * actions, [1.0] * actions)
        bounds = {part.name: part.bound for part in mpo.decoupled(same, same, MPO())}
        assert bounds == {"mean": 0.01, "std": 1e-6}
    bins = Discretised.from_logits(torch.zeros(1, 6, 5).double())
    assert [(x.name, x.bound) for x in mpo.decoupled(bins, bins, MPO())] == [("policy", 0.0025)]


def test_a_discretised_policys_duals_are_its_dimensions() -> None:
    """Two dimensions of two bins: (¾, ¼) against (½, ½) in the first, the same in the second; bound 0.0025."""
    reference = Discretised(torch.full((1, 2, 2), 0.5).double().log())
    policy = Discretised(torch.tensor([[[0.75, 0.25], [0.5, 0.5]]]).double().log())
    settings, duals = MPO(policy="discretised", bins=2), raw_duals(2)
    samples, q = torch.ones(3, 1, 2).double(), torch.zeros(3, 1).double()
    loss, _ = mpo.mpo(duals, policy, reference, samples, q, settings)
    divergence = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    found = gradients(loss, duals)["duals.policy"] / special.expit(0.7)
    assert found.tolist() == pytest.approx([0.0025 - divergence, 0.0025])


@pytest.mark.parametrize(
    ("samples", "outside"),
    [
        ([[0.5, 0.0], [2.0, -3.0]], [0.0, math.sqrt(5)]),
        ([[-0.9, 1.0], [1.0, 0.3]], [0.0, 0.0]),
        ([[1.5, 0.0], [0.0, -4.0]], [0.5, 3.0]),
    ],
)
def test_actions_out_of_bounds_are_weighted_down(
    samples: list[list[float]], outside: list[float]
) -> None:
    """At the reference, N(0, 1), the mean's slope is −Σ w a: w a softmax of Q/η plus one of minus the distance."""
    duals, settings = raw_duals(2), MPO()
    q = torch.tensor([[0.3], [1.1]], dtype=torch.float64)
    mean = torch.zeros(1, 2).double().requires_grad_()
    policy, reference = DiagonalGaussian(mean, torch.ones(1, 2).double()), gaussian([0, 0], [1, 1])
    action = torch.tensor(samples, dtype=torch.float64)
    loss, _ = mpo.mpo(duals, policy, reference, action.unsqueeze(1), q, settings)
    eta, penalty = (math.log1p(math.exp(RAW[name])) for name in ("temperature", "penalty"))
    weights = special.softmax(np.array([0.3, 1.1]) / eta)
    weights = weights + special.softmax(-np.array(outside) / penalty)
    expected = -(weights[:, None] * np.array(samples)).sum(0)
    assert torch.autograd.grad(loss, mean)[0][0].tolist() == pytest.approx(list(expected))


def test_fresh_duals_and_policies() -> None:
    """Softplus of 10, 10, 10 and 1000, or of 3; the policy starts with σ = 0.5 about 0, a discretised one about uniform."""
    rng = np.random.default_rng(8)
    fresh = mpo.init(MPO(), CHEETAH, rng)
    duals = {n: x.tolist() for n, x in fresh.items() if n.startswith("duals")}
    assert duals == {
        "duals.temperature": [10.0],
        "duals.penalty": [10.0],
        "duals.mean": [10.0] * 6,
        "duals.std": [1000.0] * 6,
    }
    seen = torch.from_numpy(rng.normal(size=(50, 17))).float()
    policy = mpo.act(fresh, seen, {}, MPO())
    assert isinstance(policy, DiagonalGaussian)
    torch.testing.assert_close(policy.std, torch.full((50, 6), 0.5), rtol=0.1, atol=0)
    assert policy.mean.abs().max() < 0.1
    binned = MPO(policy="discretised")
    fresh = mpo.init(binned, CHEETAH, rng)
    assert fresh["duals.policy"].tolist() == [3.0] * 6
    assert fresh["duals.temperature"].tolist() == [3.0]
    chances = mpo.act(fresh, seen, {}, binned)
    assert isinstance(chances, Discretised)
    assert chances.log_probs.shape == (50, 6, 21)
    torch.testing.assert_close(
        chances.entropy(), torch.full((50,), 6 * math.log(21)), rtol=1e-2, atol=0
    )
    for improvement in ("pmpo", "dpo", "ipo", "none"):
        others = mpo.init(MPO(improvement=improvement), CHEETAH, rng)
        assert {name.partition(".")[0] for name in others} == {"critic", "policy"}


def test_a_free_vector_starts_anywhere_in_the_box() -> None:
    """A policy without layers: μ ~ U[−1, 1], σ = 0.25 whatever is seen; 2,000 means, their mean and variance within 5 SE."""
    settings = MPO(hidden=(), critic="exact", initial_std=0.25)
    rng, means = np.random.default_rng(9), []
    for _ in range(200):
        fresh = mpo.init(settings, SPHERE, rng)
        policy = mpo.act(fresh, torch.ones(3, 1), {}, settings)
        assert isinstance(policy, DiagonalGaussian)
        torch.testing.assert_close(policy.std, torch.full((3, 10), 0.25))
        assert torch.equal(policy.mean[0], policy.mean[2])
        means.append(policy.mean[0])
    drawn = torch.stack(means)
    assert drawn.abs().max() <= 1
    assert abs(float(drawn.mean())) < 5 * math.sqrt(1 / 3 / 2000)
    assert abs(float(drawn.square().mean()) - 1 / 3) < 5 * math.sqrt(4 / 45 / 2000)


@pytest.mark.parametrize("policy", POLICIES)
def test_exploration_is_a_clipped_sample(policy: str) -> None:
    settings = settings_of(**POLICIES[policy], initial_std=2.0)
    parameters, _ = agent(settings, CHEETAH, 10)
    own = mpo.act(parameters, some_batch(CHEETAH, 11).observation, {}, settings)
    action = mpo.explore(own, Draws(numbers(12)))
    expected = own.sample(mpo.noise(Draws(numbers(12)), own)).clamp(-1, 1)
    assert torch.equal(action, expected)
    assert action.abs().max() == 1


# Returns of several steps


def window(*endings: float) -> Tensor:
    """Rows [1, n, 2 + 1 + 2]: seen k, action 0, paid 1, 2, 4, …, reached k + ½."""
    rows = [[float(k), 0.0, 2.0**k, k + 0.5, ending] for k, ending in enumerate(endings)]
    return torch.tensor([rows], dtype=torch.float64)


@pytest.mark.parametrize(
    ("endings", "paid", "reached", "discount"),
    [
        ((GOES_ON,), 1, 0.5, 0.5),
        ((TERMINATED,), 1, 0.5, 0),
        ((CUT,), 1, 0.5, 0.5),
        ((GOES_ON, GOES_ON, GOES_ON), 3, 2.5, 0.125),
        ((TERMINATED, GOES_ON, GOES_ON), 1, 0.5, 0),
        ((GOES_ON, TERMINATED, GOES_ON), 2, 1.5, 0),
        ((GOES_ON, GOES_ON, TERMINATED), 3, 2.5, 0),
        ((CUT, GOES_ON, GOES_ON), 1, 0.5, 0.5),
        ((CUT, TERMINATED, CUT), 1, 0.5, 0.5),
        ((GOES_ON, CUT, TERMINATED), 2, 1.5, 0.25),
        ((GOES_ON, GOES_ON, CUT), 3, 2.5, 0.125),
        ((TERMINATED, CUT, GOES_ON), 1, 0.5, 0),
    ],
)
def test_returns_end_with_their_episode(
    endings: tuple[float, ...], paid: float, reached: float, discount: float
) -> None:
    """γ = ½ and rewards 1, 2, 4: a termination leaves no value; a time limit or a cut that of the state before it."""
    batch = Transitions.of(window(*endings), 1, 1, number(0.5))
    assert batch.observation.tolist() == [[0.0]]
    assert batch.reward.tolist() == [paid]
    assert batch.discount.tolist() == [discount]
    if discount:
        assert batch.successor.tolist() == [[reached]]


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_returns_step_by_step(steps: int) -> None:
    """400 windows in which every sixth transition terminates and every sixth is cut, added up in a loop."""
    rng = np.random.default_rng(13)
    rows = rng.normal(size=(400, steps, 2 * 2 + 1 + 2))
    rows[..., -1] = rng.choice([0.0, 0.0, 0.0, 0.0, 1.0, 2.0], (400, steps))
    batch = Transitions.of(torch.from_numpy(rows), 2, 1, number(0.9))
    for index in range(400):
        total, discount = 0.0, 1.0
        for row in rows[index]:
            total += discount * row[3]
            discount, reached = discount * 0.9, row[4:6]
            if row[-1] == TERMINATED:
                discount = 0.0
            if row[-1] != GOES_ON:
                break
        assert float(batch.reward[index]) == pytest.approx(total, rel=1e-12)
        assert float(batch.discount[index]) == pytest.approx(discount, rel=1e-12)
        if discount:
            np.testing.assert_array_equal(batch.successor[index], reached)
    np.testing.assert_array_equal(batch.observation, rows[:, 0, :2])
    np.testing.assert_array_equal(batch.action, rows[:, 0, 2:3])


def test_the_critics_target_is_the_discounted_mean_of_the_slow_critics_values() -> None:
    """A slow critic that says 5 everywhere; rewards 1, 2, 4 at γ = ½ with each ending: 3 + 5/8, 2 + 5/4 and 2."""
    settings = settings_of(improvement="pmpo", alpha=0.0, beta=0.0, batch_size=3)
    parameters, slow = agent(settings, PENDULUM, 14)
    slow = {n: torch.zeros_like(x) if n.startswith("critic.2") else x for n, x in slow.items()}
    slow["critic.2.bias"] += 5.0
    endings = ((GOES_ON,) * 3, (GOES_ON, CUT, GOES_ON), (GOES_ON, TERMINATED, GOES_ON))
    rows = torch.zeros(3, 3, 9).double()
    for index, ends in enumerate(endings):
        rows[index, :, 4], rows[index, :, -1] = window(*ends)[0, :, 2], torch.tensor(ends)
    batch = Transitions.of(rows, 3, 1, number(0.5))
    arguments: Any = (Draws(numbers(15)), hyperparameters(settings), settings, PENDULUM)
    _, found = mpo.loss(parameters, slow, batch, *arguments)
    now = their_values(parameters, batch.observation, batch.action, settings, PENDULUM)
    expected = ((now - torch.tensor([3.625, 3.25, 2.0])) ** 2).mean() / 2
    torch.testing.assert_close(found["critic_loss"], expected, rtol=1e-9, atol=0)


# Populations

SMALL: dict[str, Any] = {"hidden": (8, 6), "batch_size": BATCH, "target_period": 2}
MEMBERS = (
    Member(seed=3, setting={"learning_rate": 1e-2, "beta": 0.2}),
    Member(seed=5, setting={"dual_learning_rate": 0.3, "gamma": 0.5}),
    Member(seed=8, setting={"learning_rate": 3e-2, "alpha": 0.8, "target_rate": 0.3}),
)
BINS: dict[str, Any] = POLICIES["discretised"]


def shard(method: str, members: tuple[Member, ...] = MEMBERS, **overrides: Any) -> Shard:
    """A shard of `members`, each with those of its settings that the method reads."""
    fresh = small_shard(method, "Pendulum", **{**SMALL, **overrides})
    unread = fresh.cell.settings.unread
    kept = [{k: x for k, x in member.setting.items() if k not in unread} for member in members]
    own = (Member(seed=m.seed, setting=k) for m, k in zip(members, kept, strict=True))
    return replace(fresh, members=tuple(own))


def some_are_cut(rng: np.random.Generator) -> float:
    """Of ten transitions, one terminates and one is cut."""
    return float(rng.choice(3, p=(0.8, 0.1, 0.1)))


def learn(
    which: Shard, dtype: torch.dtype = torch.float64, updates: int = 5
) -> tuple[Learners, dict[str, Tensor], OffPolicy]:
    population = OffPolicy(which, CPU, False)
    learners, replay = (
        as_type(population.learners(), dtype),
        experience(population, dtype, some_are_cut),
    )
    hyper = {name: value.to(dtype) for name, value in population.scheduled(0).items()}
    for _ in range(updates):
        diagnostics = population.update(learners, replay, hyper)
    return learners, diagnostics, population


class Reference:
    """One member by torch.optim.Adam, with a group of parameters for the duals, on leaves of its own."""

    def __init__(self, population: OffPolicy, index: int) -> None:
        assert isinstance(population.settings, MPO)
        self.settings, self.seed = population.settings, population.shard.members[index].seed
        self.hyper = {n: value[index].double() for n, value in population.scheduled(0).items()}
        fresh = population.layout.unflatten(population.learners().theta[index].double())
        self.parameters = leaves(fresh)
        self.slow = {n: x.clone() for n, x in fresh.items() if not n.startswith("duals")}
        rest = [self.parameters[name] for name in self.slow]
        duals = [x for name, x in self.parameters.items() if name.startswith("duals")]
        groups = [{"params": rest, "lr": float(self.hyper["learning_rate"])}]
        if duals:
            groups.append({"params": duals, "lr": float(self.hyper["dual_learning_rate"])})
        self.adam = torch.optim.Adam(groups, eps=float(self.hyper["adam_epsilon"]))

    def update(self, data: Tensor, update: int) -> None:
        key, now, settings = (
            member_key(self.seed, Purpose.UPDATES),
            torch.tensor(update),
            self.settings,
        )
        steps = settings.return_steps
        first = integers(key, now, 0, torch.tensor(40 - steps + 1), BATCH)
        rows = torch.stack([data[first + k] for k in range(steps)], 1)
        batch = Transitions.of(rows, 3, 1, self.hyper["gamma"])
        count = SAMPLED * BATCH * (settings.bins if settings.policy == "discretised" else 1)
        draws = Draws(uniforms(key, now, 1, count))
        self.adam.zero_grad()
        total, _ = mpo.loss(
            self.parameters, self.slow, batch, draws, self.hyper, settings, PENDULUM
        )
        assert draws.taken == count
        total.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        if (update + 1) % settings.target_period == 0:
            for name, copy in self.slow.items():
                copy += self.hyper["target_rate"] * (self.parameters[name].detach() - copy)


def flat(parameters: Parameters) -> Tensor:
    return torch.cat([value.detach().reshape(-1) for value in parameters.values()])


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("mpo", {"return_steps": 1}),
        ("mpo", {"return_steps": 3, **BINS}),
        ("pmpo_ar", {"return_steps": 3}),
    ],
)
def test_an_update_is_torchs_adam_with_a_group_for_the_duals(
    method: str, overrides: dict[str, Any]
) -> None:
    learners, _, population = learn(shard(method, **overrides))
    data = experience(population, torch.float64, some_are_cut).data
    for index in range(len(MEMBERS)):
        reference = Reference(population, index)
        for update in range(5):
            reference.update(data[index], update)
        expected = flat(reference.parameters)
        torch.testing.assert_close(learners.theta[index], expected, rtol=1e-9, atol=1e-12)
        slow = flat(reference.slow)
        torch.testing.assert_close(learners.target[index], slow, rtol=1e-9, atol=1e-12)
    moved = (learners.theta - population.learners().theta.double()).abs()
    assert (moved > 0).double().mean() > 0.9
    assert learners.updates == 5


def test_slow_copies_are_renewed_after_every_period_and_only_then() -> None:
    """At rate 1 to the bit, in single precision too; 6 updates of period 3."""
    population = OffPolicy(shard("pmpo_ar", target_period=3, return_steps=2), CPU, False)
    learners, replay = population.learners(), experience(population, torch.float32, some_are_cut)
    hyper = population.scheduled(0) | {"target_rate": torch.tensor([1.0, 1.0, 0.25])}
    before = learners.target.clone()
    for update in range(1, 7):
        population.update(learners, replay, hyper)
        if update % 3:
            assert torch.equal(learners.target, before)
            continue
        latest = population.targets(learners.theta)
        assert torch.equal(learners.target[:2], latest[:2])
        mixed = before[2] + 0.25 * (latest[2] - before[2])
        torch.testing.assert_close(learners.target[2], mixed, rtol=1e-6, atol=1e-7)
        assert not torch.equal(learners.target[2], latest[2])
        assert not torch.equal(learners.target, before)
        before = learners.target.clone()


def test_duals_never_fall_below_their_least_value_and_rise_from_it() -> None:
    """Softplus of −18 is 1.5e-8; below, there would be hardly a slope to come back by."""
    population = OffPolicy(shard("mpo", dual_learning_rate=0.5), CPU, False)
    learners, replay = population.learners(), experience(population, torch.float32, some_are_cut)
    hyper, duals = population.scheduled(0), population.layout.columns("duals")
    floor = torch.full_like(learners.theta[:, duals], -18.0)
    mean = population.layout.unflatten(torch.arange(learners.theta.shape[1]).float())[
        "duals.mean"
    ].long()
    learners.theta[:, duals] = floor
    population.update(learners, replay, hyper)  # the policy is the reference: no divergence
    assert torch.equal(learners.theta[:, mean], floor[:, :1])
    assert learners.theta[:, : duals.start].min() > -18
    # Half a standard deviation and more from the reference, the bound is left.
    policy = population.layout.unflatten(learners.theta[0])
    policy["policy.2.bias"][0] += 3.0
    for _ in range(3):
        population.update(learners, replay, hyper)
    assert learners.theta[0, mean] > -17.9
    assert (learners.theta[:, duals] >= -18).all()


def test_step_sizes_and_what_slow_copies_follow() -> None:
    settings = settings_of(learning_rate=0.25, dual_learning_rate=0.5)
    for improvement, critic, groups in (
        ("mpo", "learned", {"critic", "policy", "duals"}),
        ("mpo", "exact", {"policy", "duals"}),
        ("pmpo", "learned", {"critic", "policy"}),
        ("none", "exact", {"policy"}),
    ):
        own = settings.model_copy(update={"improvement": improvement, "critic": critic})
        (block,) = mpo.blocks(own, SPHERE).values()
        found = {name: float(of(hyperparameters(own))) for name, of in block.learning_rates.items()}
        assert found == {name: 0.5 if name == "duals" else 0.25 for name in groups}
        assert set(mpo.followed(own)) == groups - {"duals"}


ARMS: list[tuple[str, dict[str, Any]]] = [
    ("mpo", {"return_steps": 3}),
    ("mpo", BINS),
    ("pmpo_ar", BINS | {"return_steps": 2}),
    ("dpo", {}),
    ("ipo", BINS),
]


@pytest.mark.parametrize(("method", "overrides"), ARMS)
def test_a_member_learns_as_it_would_alone(method: str, overrides: dict[str, Any]) -> None:
    together, diagnostics, _ = learn(shard(method, **overrides))
    for index, member in enumerate(MEMBERS):
        alone, own, _ = learn(shard(method, (member,), **overrides))
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(together.target[index], alone.target[0], rtol=1e-9, atol=1e-12)
        names = {"critic_loss", "value", "entropy", "kl"}
        assert (
            own.keys()
            == diagnostics.keys()
            == names | ({"temperature"} if method == "mpo" else set())
        )
        for name, value in own.items():
            torch.testing.assert_close(diagnostics[name][index], value[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["mpo", "pmpo_r"])
def test_permuting_members_permutes_results(method: str) -> None:
    forward, _, _ = learn(shard(method, return_steps=3))
    backward, _, _ = learn(shard(method, MEMBERS[::-1], return_steps=3))
    torch.testing.assert_close(forward.theta, backward.theta.flip(0), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(forward.target, backward.target.flip(0), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(forward.theta[0], forward.theta[1], atol=0.01)


def test_in_single_precision_alone_and_together_agree_to_1e_5() -> None:
    together, _, _ = learn(shard("mpo"), torch.float32)
    for index, member in enumerate(MEMBERS):
        alone, _, _ = learn(shard("mpo", (member,)), torch.float32)
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-5, atol=1e-6)


# A bin accepted as often as rejected has gradient 0, up to a rounding error that Adam's own ε makes a step of.
SMOOTH: dict[str, Any] = {**BINS, "adam_epsilon": 1e-3}


@pytest.mark.parametrize(("method", "overrides"), [("mpo", {}), ("pmpo_ar", SMOOTH)])
def test_compiled_equals_eager(method: str, overrides: dict[str, Any]) -> None:
    """After `warm_up` nothing is left to compile, whatever the number of the step or update and the replay's filling."""
    which = shard(method, hidden=(4,), return_steps=3, buffer_size=30, initial_steps=7, **overrides)
    compiled, eager = OffPolicy(which, CPU, True), OffPolicy(which, CPU, False)
    compiled.warm_up(compiled.replay())
    seen = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    results = []
    with torch.compiler.set_stance("fail_on_recompile"):
        for population in (eager, compiled):
            learners, replay = (
                population.learners(),
                experience(population, torch.float32, some_are_cut),
            )
            hyper, found = population.scheduled(0), []
            for count in (20, 30, 37, 40):
                replay.count = count
                found.append(population.update(learners, replay, hyper))
            actions = [population.explore(learners, seen, step, hyper) for step in (0, 7, 8, 99)]
            results.append((learners, found, actions))
    (one, found, actions), (other, others, theirs) = results
    torch.testing.assert_close(other.theta, one.theta, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(other.target, one.target, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(theirs, actions, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(others, found, rtol=1e-5, atol=1e-6)
    assert not torch.equal(one.theta, eager.learners().theta)


# The replay's order


@pytest.mark.parametrize("count", [5, 9, 10, 11, 13, 20, 27])
def test_windows_follow_time_around_the_replays_end(count: int) -> None:
    """Ten places: every window of three steps that are stored is drawn, none across the place that is written next."""
    which = shard("mpo", return_steps=3, buffer_size=10, batch_size=8)
    population = OffPolicy(which, CPU, False)
    replay = population.replay()
    for step in range(count):
        at = torch.full((3,), float(step))
        replay.add(
            at[:, None].expand(3, 3), at[:, None], at, at[:, None].expand(3, 3) + 0.5, 0 * at
        )
    stored = min(count, 10)
    assert (replay.stored, replay.oldest) == (stored, max(0, count - 10) % 10)
    in_order = [float(replay.data[0, (replay.oldest + k) % 10, 0]) for k in range(stored)]
    assert in_order == list(range(count - stored, count))
    hyper, seen = population.scheduled(0) | {"gamma": torch.ones(3)}, set()
    drawn: list[Transitions] = []
    prepare_batch = population._prepare

    def watched(*arguments: Any) -> Any:
        batch, uniform = prepare_batch(*arguments)
        drawn.append(batch)
        return batch, uniform

    population._prepare = watched
    learners = population.learners()
    for _ in range(12):
        population.update(learners, replay, hyper)
    for batch in drawn:
        first = batch.observation[..., 0]
        assert torch.equal(batch.reward, 3 * first + 3)
        assert torch.equal(batch.successor[..., 0], first + 2.5)
        assert torch.equal(batch.action[..., 0], first)
        seen |= set(first.flatten().tolist())
    assert seen == set(range(count - stored, count - 2))


# In environments


def begin(method: str, environment: str, steps: int = 100, **overrides: Any) -> Any:
    which = small_shard(method, environment, (0, 1, 2), steps, 1, **overrides)
    state, population = prepare(which, Path("no-scratch"), EAGER)
    assert isinstance(population, OffPolicy)
    return begin_segment(population, state, 0, threads=1), state, population


@pytest.mark.parametrize(
    ("period", "update_after", "return_steps", "updates"),
    [(5, 20, 1, 17), (4, 23, 1, 20), (50, 8, 1, 2), (1, 92, 1, 9), (20, 8, 41, 3)],
)
def test_an_update_follows_every_so_many_steps(
    period: int, update_after: int, return_steps: int, updates: int
) -> None:
    """The first after so many transitions, and where a window of returns is stored."""
    wanted = {"update_period": period, "update_after": update_after, "return_steps": return_steps}
    loop, state, _ = begin("pmpo_ar", "ProbeTarget-v0", batch_size=8, initial_steps=1000, **wanted)
    means = loop.iterate(0)
    assert state.learners.updates == updates
    assert loop.settings.updates_per_iteration == 100 // period
    assert all(bool(value.isfinite().all()) for value in means.values())


@pytest.mark.parametrize("buffer_size", [70, 10_000])
def test_a_run_resumed_at_every_boundary_gives_the_same_bits(
    buffer_size: int, tmp_path: Path
) -> None:
    """Pendulum in segments of 100 steps: the first boundary cuts an episode, the second is a time limit's."""
    settings: dict[str, Any] = {"update_after": 90, "buffer_size": buffer_size, "return_steps": 3}
    which = small_shard("mpo", "Pendulum", steps=300, segments=3, target_period=7, **settings)
    states: list[TrainingState] = []
    for stops in ((), (1, 2)):
        scratch = tmp_path / str(len(stops))
        state, population = prepare(which, scratch, EAGER)
        progress = Progress(which, scratch, bar=False)
        for segment in range(3):
            if segment in stops:
                state, population = prepare(which, scratch, EAGER)
                assert (state.segment, state.resumed) == (segment, segment)
            train_segment(which, population, state, segment, 1, progress)
            assert state.replay is not None
            last = state.replay.data[:, (state.replay.count - 1) % state.replay.capacity, -1]
            assert last.tolist() == [CUT, CUT]
            checkpoint.save(state, scratch, which.key)
        progress.close()
        states.append(state)
    whole, resumed = states
    assert whole.replay is not None
    assert resumed.replay is not None
    pairs = [(getattr(s.learners, n) for s in states) for n in ("theta", "target", "alive")]
    for first, second in (*pairs, (whole.replay.data, resumed.replay.data)):
        assert torch.equal(first, second)
    assert whole.learners.updates == resumed.learners.updates == 53
    if buffer_size > 300:
        endings = whole.replay.data[0, :, -1]
        assert endings.nonzero().flatten().tolist() == [99, 199, 299]


# Learning

BANDIT: dict[str, Any] = {
    **{"critic": "exact", "hidden": (), "batch_size": 8, "learning_rate": 0.05},
    **{"initial_steps": 0, "update_after": 0, "update_period": 1, "return_steps": 1},
    **{"target_period": 10},
}
LEARNERS = [
    ("mpo", {"dual_learning_rate": 0.3}),
    ("mpo_20", {"dual_learning_rate": 0.3}),
    ("pmpo_ar", {}),
    ("pmpo_a", {}),
    ("pmpo_r", {}),
    ("pmpo_ar_extremes", {}),
    ("dpo", {"beta": 1.0}),
    ("ipo", {}),
]


def minimise(method: str, steps: int, **overrides: Any) -> tuple[np.ndarray, Any, OffPolicy]:
    """f of Sphere2 at the mode of each of three members after so many pulls; 0 is the least."""
    loop, state, population = begin(method, "Sphere2", steps, **{**BANDIT, **overrides})
    for iteration in range(steps // 100):
        loop.iterate(iteration)
    mode = population.mode(state.learners, torch.ones(3, 1))
    return mode.reshape(3, 2).square().sum(1).numpy(), state, population


@pytest.mark.parametrize("policy", ["gaussian", "discretised"])
@pytest.mark.parametrize(("method", "overrides"), LEARNERS)
def test_every_arm_minimises_the_sphere(
    method: str, overrides: dict[str, Any], policy: str
) -> None:
    """Less than a twentieth of a uniform point's 17.5, from means or bins far off; three seeds, 300 pulls."""
    found, state, _ = minimise(method, 300, policy=policy, **overrides)
    assert found.max() < 17.5 / 20
    assert state.learners.alive.all()


def test_rejecting_without_a_divergence_learns_nothing() -> None:
    """PMPO-R with β = 0 runs away: far out of the box, while β = 2 settles in it."""
    found, _, _ = minimise("pmpo_r_no_kl", 300)
    assert found.min() > 2 * 5.12**2


@pytest.mark.parametrize("policy", ["gaussian", "discretised"])
def test_the_initial_policy_stays_as_it_was_drawn(policy: str) -> None:
    """Bit for bit, and so does a critic that it might have."""
    learned = {"critic": "learned", "hidden": (8,)}
    for overrides in ({}, learned):
        _, state, population = minimise("initial_policy", 100, policy=policy, **overrides)
        assert torch.equal(state.learners.theta, population.learners().theta)
        assert state.learners.updates == 93
        assert state.learners.alive.all()


# Settings


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"hidden": ()},
            "hidden is empty, and a policy that sees no state goes with critic = 'exact' alone",
        ),
        ({"update_period": 3}, "update_period = 3 must divide 100, the steps of an iteration"),
        (
            {"return_steps": 300, "buffer_size": 299},
            "buffer_size = 299 is less than return_steps = 300",
        ),
        ({"batch_size": 64, "buffer_size": 50}, "buffer_size = 50 is less than batch_size = 64"),
        ({"actions_per_state": 1}, "actions_per_state: Input should be greater than or equal to 2"),
        ({"bins": 1}, "bins: Input should be greater than or equal to 2"),
        ({"alpha": 1.5}, "alpha: Input should be less than or equal to 1"),
        ({"beta": -0.1}, "beta: Input should be greater than or equal to 0"),
        ({"mean_bound": 0}, "mean_bound: Input should be greater than 0"),
        ({"target_period": 0}, "target_period: Input should be greater than or equal to 1"),
        (
            {"improvement": "simpo"},
            "improvement: Input should be 'mpo', 'pmpo', 'dpo', 'ipo' or 'none'",
        ),
        ({"labels": "thirds"}, "labels: Input should be 'halves' or 'extremes'"),
    ],
)
def test_bad_settings_are_one_clear_error(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecificationError) as error:
        make_cell("mpo", "Pendulum", overrides, 1000, Protocol(1, 1, 1))
    text = str(error.value)
    assert text.startswith("settings of mpo: ")
    assert message in text
    assert "\n" not in text


def test_mpo_has_no_discrete_actions() -> None:
    with pytest.raises(SpecificationError, match="'mpo' serves continuous actions; CartPole-v1"):
        make_cell("mpo", "CartPole-v1", {}, 1000, Protocol(1, 1, 1))


def test_arms_are_the_papers() -> None:
    """Section 5: (α, β) is (½, ½), (1, 0), (0, 2), and (0, 0) in Figure 3; four actions; DPO of the best and the worst, β = 20."""
    found = {
        name: (s.improvement, s.labels, s.alpha, s.beta, s.actions_per_state)
        for name, method in METHODS.items()
        if isinstance(s := method.settings, MPO) and name.startswith(("pmpo", "dpo"))
    }
    assert found == {
        "pmpo_ar": ("pmpo", "halves", 0.5, 0.5, 4),
        "pmpo_a": ("pmpo", "halves", 1.0, 0.0, 4),
        "pmpo_r": ("pmpo", "halves", 0.0, 2.0, 4),
        "pmpo_r_no_kl": ("pmpo", "halves", 0.0, 0.0, 4),
        "pmpo_ar_extremes": ("pmpo", "extremes", 0.5, 0.5, 4),
        "dpo": ("dpo", "extremes", 0.5, 20.0, 4),
    }


@pytest.mark.parametrize(
    ("method", "overrides", "message"),
    [
        ("mpo", {"beta": 1.0}, "nothing reads beta, since improvement is mpo"),
        ("mpo", {"policy_bound": 0.1}, "nothing reads policy_bound, since policy is gaussian"),
        (
            "mpo",
            {"policy": "discretised", "mean_bound": 0.1},
            "nothing reads mean_bound, since policy is discretised",
        ),
        ("dpo", {"alpha": 0.2}, "nothing reads alpha, since improvement is dpo"),
        ("pmpo_ar", {"bins": 5}, "nothing reads bins, since policy is gaussian"),
        (
            "pmpo_ar",
            {"dual_learning_rate": 0.1},
            "nothing reads dual_learning_rate, since improvement is pmpo",
        ),
        (
            "initial_policy",
            {"labels": "extremes"},
            "nothing reads labels, since improvement is none",
        ),
    ],
)
def test_a_setting_that_nothing_reads_is_refused(
    method: str, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecificationError, match=f"^settings of {method}: {message}$"):
        make_cell(method, "Pendulum", overrides, 1000, Protocol(1, 1, 1))


def test_a_grid_of_what_nothing_reads_is_refused() -> None:
    members = tuple(Member(seed=0, setting={"beta": beta}) for beta in (0.1, 0.2))
    with pytest.raises(SpecificationError, match=r"^grid of mpo: nothing reads beta, since"):
        Shard(make_cell("mpo", "Pendulum", {}, 1000, Protocol(1, 1, 1)), members)


@pytest.mark.parametrize(
    "name", [name for name, own in METHODS.items() if own.settings.family == "mpo"]
)
def test_what_is_read_is_accepted(name: str) -> None:
    """Every setting that the method itself changes from the defaults is one that it reads."""
    own = METHODS[name].settings
    changed = {
        key: value for key, value in own.model_dump().items() if value != getattr(MPO(), key)
    }
    assert resolve(name, changed) == own
