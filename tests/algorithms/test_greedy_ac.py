"""GreedyAC's losses against torch.distributions and quadrature, written out again in float64 for given random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, stats
from torch import Tensor
from torch import distributions as d

from algorithms.cell import Member, Shard
from algorithms.keys import Draws, integers, member_key, uniforms
from algorithms.methods import greedy_ac
from algorithms.methods.off_policy import Transitions
from algorithms.networks import Parameters
from algorithms.policies import Head, Mixture, Noise
from algorithms.population import Learners, OffPolicy
from algorithms.seeding import Purpose
from algorithms.settings import METHODS, GreedyAC, resolve
from envs.registry import ENVIRONMENTS, Environment
from tests.algorithms.replayed import BATCH, experience, numbers, some_batch
from tests.algorithms.small_runs import small_shard

CHEETAH, PENDULUM = ENVIRONMENTS["HalfCheetah-v4"], ENVIRONMENTS["GreedyACPendulum"]
WORLDS = pytest.mark.parametrize("world", [CHEETAH, PENDULUM], ids=lambda world: world.name)
SMALL: dict[str, Any] = {
    "hidden": (8, 6),
    "batch_size": BATCH,
    "proposal_actions": 7,
    "kept_actions": 2,
}
Array = NDArray[np.float64]


def settings_of(**overrides: Any) -> GreedyAC:
    return GreedyAC(**{**SMALL, **overrides})


def hyperparameters(settings: GreedyAC, **others: float) -> dict[str, Tensor]:
    return {
        name: torch.tensor(others.get(name, getattr(settings, name)), dtype=torch.float64)
        for name in settings.per_member()
    }


def agent(settings: GreedyAC, world: Environment, seed: int) -> tuple[Parameters, Parameters]:
    """Parameters in float64 with biases that matter, a proposal that is not the actor, and slow copies that lag."""
    rng = np.random.default_rng(seed)
    parameters = {
        name: 0.6 * value.double() + torch.from_numpy(rng.normal(0, 0.1, tuple(value.shape)))
        for name, value in greedy_ac.init(settings, world, rng).items()
    }
    slow = {
        name: value + torch.from_numpy(rng.normal(0, 0.2, tuple(value.shape)))
        for name, value in parameters.items()
        if name.startswith("critic.")
    }
    return parameters, slow


def leaves(parameters: Parameters) -> Parameters:
    return {name: value.clone().requires_grad_() for name, value in parameters.items()}


def gradients(loss: Tensor, parameters: Parameters) -> Parameters:
    """Of every parameter; zeros where the loss does not depend on it."""
    found = torch.autograd.grad(
        loss, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(parameters, found, strict=True))


def agree(ours: Parameters, theirs: Parameters) -> None:
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-7, atol=1e-11, msg=name)


# The same again, for one agent, without anything of ours


def network(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    for layer in range(3):
        weight, bias = (parameters[f"{name}.{layer}.{kind}"] for kind in ("weight", "bias"))
        x = x @ weight.T + bias
        x = torch.maximum(x, torch.zeros_like(x)) if layer < 2 else x
    return x


def q_values(parameters: Parameters, seen: Tensor, action: Tensor) -> Tensor:
    x = torch.cat((seen.expand(*action.shape[:-1], seen.shape[-1]), action), -1)
    return network(parameters, "critic", x)[..., 0]


class Theirs:
    """A Gaussian mixture of torch.distributions: tanh of the first outputs, log-stds, logits."""

    def __init__(self, raw: Tensor, components: int, actions: int) -> None:
        shape = (len(raw), components, actions)
        size = components * actions
        self.location = torch.tanh(raw[:, :size]).reshape(shape)
        self.scale = raw[:, size : 2 * size].clamp(-6.908, 6.908).exp().reshape(shape)
        logits = raw[:, 2 * size :] if components > 1 else torch.zeros(len(raw), 1).double()
        self.choice = d.Categorical(logits=logits)
        parts = d.Independent(d.Normal(self.location, self.scale), 1)
        self.mixture: Any = d.MixtureSameFamily(self.choice, parts)

    def sample(self, uniform: Tensor, *lead: int) -> Tensor:
        """Actions [*lead, B, A] before clipping, by Gumbel-max and Box and Muller from `uniform` in order."""
        batch, components, actions = self.location.shape
        rows = math.prod(lead) * batch
        which = torch.zeros(*lead, batch, dtype=torch.int64)
        if components > 1:
            first, uniform = uniform[: rows * components], uniform[rows * components :]
            gumbel = -(-first.log()).log().view(*lead, batch, components)
            which = (self.choice.logits + gumbel).argmax(-1)
        half = -(-rows * actions // 2)
        length = (-2 * uniform[:half].log()).sqrt()
        turn = 2 * math.pi * uniform[half : 2 * half]
        normal = torch.cat((length * turn.cos(), length * turn.sin()))[: rows * actions]
        index = which[..., None, None].expand(*lead, batch, 1, actions)
        whole = (*lead, batch, components, actions)
        location, scale = (
            x.expand(whole).gather(-2, index)[..., 0, :] for x in (self.location, self.scale)
        )
        return location + scale * normal.view(*lead, batch, actions)


def their_critic_loss(
    parameters: Parameters, slow: Parameters, batch: Transitions, uniform: Tensor, s: GreedyAC
) -> Tensor:
    with torch.no_grad():
        raw = network(parameters, "policies.actor", batch.successor)
        policy = Theirs(raw, s.components, batch.action.shape[1])
        action = torch.clamp(policy.sample(uniform), -1, 1)
        following = q_values(slow, batch.successor, action)
        target = batch.reward + batch.discount * following
    return ((q_values(parameters, batch.observation, batch.action) - target) ** 2).mean()


def their_policies_loss(
    parameters: Parameters, batch: Transitions, uniform: Tensor, s: GreedyAC, alpha: float
) -> tuple[Tensor, Tensor]:
    """The loss, and the mean Q of the kept actions; state by state and action by action."""
    actor, proposal = (
        Theirs(
            network(parameters, f"policies.{name}", batch.observation),
            s.components,
            batch.action.shape[1],
        )
        for name in ("actor", "proposal")
    )
    sampled = proposal.sample(uniform, s.proposal_actions).detach()
    inside = torch.clamp(sampled, -1, 1)
    q = q_values(parameters, batch.observation, inside).detach()
    ours = [p.mixture.log_prob(inside) for p in (actor, proposal)]
    kept: list[Tensor] = []
    values = []
    for state in range(BATCH):
        ranked = sorted(range(s.proposal_actions), key=lambda i: -float(q[i, state]))
        for i in ranked[: s.kept_actions]:
            kept.append(ours[0][i, state] + ours[1][i, state])
            values.append(q[i, state])
    log_prob = proposal.mixture.log_prob(sampled)
    bonus = -(log_prob.detach() * log_prob).mean()
    if s.entropy_gradient == "released":
        bonus = -ours[1][0].mean()
    return -(torch.stack(kept).mean() + alpha * bonus), torch.stack(values).mean()


@WORLDS
@pytest.mark.parametrize("components", [1, 3])
def test_the_critics_loss(components: int, world: Environment) -> None:
    settings = settings_of(components=components, gamma=0.9)
    parameters, slow = agent(settings, world, 1)
    batch, hyper = some_batch(world, 2), hyperparameters(settings)
    own, reference = leaves(parameters), leaves(parameters)
    loss, diagnostics = greedy_ac.critic_loss(own, slow, batch, Draws(numbers(3)), hyper, settings)
    expected = their_critic_loss(reference, slow, batch, numbers(3), settings)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)
    assert diagnostics["critic_loss"] == loss.detach()
    found = gradients(loss, own)
    agree(found, gradients(expected, reference))
    for name, gradient in found.items():
        assert gradient.any() == name.startswith("critic."), name


@WORLDS
@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("entropy", ["intended", "released"])
def test_the_policies_loss(entropy: str, components: int, world: Environment) -> None:
    settings = settings_of(components=components, entropy_gradient=entropy)
    parameters, slow = agent(settings, world, 4)
    batch, hyper = some_batch(world, 5), hyperparameters(settings, alpha=0.3)
    own, reference = leaves(parameters), leaves(parameters)
    loss, diagnostics = greedy_ac.policies_loss(
        own, slow, batch, Draws(numbers(6)), hyper, settings
    )
    expected, values = their_policies_loss(reference, batch, numbers(6), settings, 0.3)
    torch.testing.assert_close(loss, expected, rtol=1e-8, atol=1e-11)
    torch.testing.assert_close(diagnostics["value"], values, rtol=1e-8, atol=1e-11)
    assert not any(value.requires_grad for value in diagnostics.values())
    found = gradients(loss, own)
    agree(found, gradients(expected, reference))
    for name, gradient in found.items():
        assert gradient.any() == name.startswith("policies."), name


def test_alpha_moves_the_proposal_alone() -> None:
    settings = settings_of()
    parameters, slow = agent(settings, CHEETAH, 7)
    batch, found = some_batch(CHEETAH, 8), []
    for alpha in (0.0, 5.0):
        own, hyper = leaves(parameters), hyperparameters(settings, alpha=alpha)
        loss, _ = greedy_ac.policies_loss(own, slow, batch, Draws(numbers(9)), hyper, settings)
        found.append(gradients(loss, own))
    for name in parameters:
        same = torch.equal(found[0][name], found[1][name])
        assert same != name.startswith("policies.proposal"), name


# Sampling, clipping, ranking


def test_the_best_of_the_sampled_actions_by_hand() -> None:
    """Two states with four actions each of two dimensions; action i of state j is (10 j + i, −i)."""
    q = torch.tensor([[0.3, 5.0], [-1.0, 7.0], [2.0, 6.0], [1.0, -9.0]])
    action = torch.tensor([[[i, -i], [10 + i, -i]] for i in range(4)], dtype=torch.float64)
    best, values = greedy_ac.greatest(q, action, 3)
    assert best[..., 0].T.tolist() == [[2, 3, 0], [11, 12, 10]]
    assert best[..., 1].T.tolist() == [[-2, -3, 0], [-1, -2, 0]]
    assert values.T.tolist() == [[2.0, 1.0, pytest.approx(0.3)], [7.0, 6.0, 5.0]]


def test_three_of_thirty_are_kept_as_published() -> None:
    settings = METHODS["greedy_ac_gm_5"].settings
    assert isinstance(settings, GreedyAC)
    assert settings.kept_actions == math.ceil(0.1 * settings.proposal_actions) == 3
    assert settings.log_std_range == (-6.908, 6.908)
    assert math.log(1000) == pytest.approx(6.908, abs=3e-4)
    with pytest.raises(ValueError, match="kept_actions = 31 is more than proposal_actions = 30"):
        resolve("greedy_ac_gm_5", {"kept_actions": 31})
    with pytest.raises(ValueError, match=r"\(3\.0, 3\.0\) must be \(low, high\) with low < high"):
        resolve("greedy_ac_gm_5", {"log_std_range": (3.0, 3.0)})


def test_actions_that_are_taken_are_clipped() -> None:
    """N(0.5, 1): 31 % lie above 1, 6.7 % below −1 (Φ(−0.5) = 0.3085, Φ(−1.5) = 0.0668), the rest is untouched."""
    many = 20_000
    wide = Mixture(
        torch.zeros(many, 1), torch.full((many, 1, 1), 0.5), torch.ones(many, 1, 1), squashed=False
    )
    uniform = torch.from_numpy(np.random.default_rng(10).uniform(size=many)).float()
    taken = greedy_ac.explore(wide, Draws(uniform)).flatten()
    bare = wide.sample(greedy_ac.noise(Draws(uniform), wide)).value.flatten()
    assert torch.equal(taken, bare.clamp(-1, 1))
    for bound, share in ((1.0, 0.3085), (-1.0, 0.0668)):
        assert (taken == bound).double().mean() == pytest.approx(share, abs=0.01)


def test_a_proposal_starts_as_its_actor_and_apart_from_it() -> None:
    settings = GreedyAC(components=5)
    parameters = greedy_ac.init(settings, PENDULUM, np.random.default_rng(11))
    actors = [name for name in parameters if name.startswith("policies.actor.")]
    assert len(actors) == 6
    for name in actors:
        copy = parameters[name.replace("actor", "proposal")]
        assert torch.equal(parameters[name], copy)
        assert parameters[name].data_ptr() != copy.data_ptr()
    outputs = 5 * (2 + 1)
    policy = 2 * 64 + 64 + 64 * 64 + 64 + 64 * outputs + outputs
    critic = 3 * 64 + 64 + 64 * 64 + 64 + 64 + 1
    assert sum(x.numel() for x in parameters.values()) == 2 * policy + critic
    seen = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    drawn = greedy_ac.act(parameters, seen, {}, settings)
    assert drawn.location.shape == (4, 5, 1)
    assert float(drawn.location.abs().max()) < 1


def test_the_policys_heaviest_location_is_what_it_does_when_evaluated() -> None:
    settings = settings_of(components=3)
    parameters, _ = agent(settings, PENDULUM, 12)
    policy = greedy_ac.act(parameters, some_batch(PENDULUM, 13).observation, {}, settings)
    heaviest = policy.log_weights.argmax(-1)
    expected = policy.location[torch.arange(BATCH), heaviest]
    assert torch.equal(policy.mode(), expected)


def test_one_component_is_a_plain_gaussian() -> None:
    settings = settings_of()
    parameters, _ = agent(settings, CHEETAH, 14)
    batch = some_batch(CHEETAH, 15)
    policy = greedy_ac.act(parameters, batch.observation, {}, settings)
    raw = network(parameters, "policies.actor", batch.observation)
    normal = d.Independent(d.Normal(torch.tanh(raw[:, :6]), raw[:, 6:].exp()), 1)
    torch.testing.assert_close(policy.log_prob_of(batch.action), normal.log_prob(batch.action))
    noise = torch.from_numpy(np.random.default_rng(16).normal(size=(BATCH, 6)))
    drawn = policy.sample(Noise(torch.zeros(BATCH, 1).double(), noise)).value
    torch.testing.assert_close(drawn, torch.tanh(raw[:, :6]) + raw[:, 6:].exp() * noise)


@pytest.mark.parametrize("terminated", [True, False])
def test_no_value_follows_a_termination_and_no_entropy_a_step(terminated: bool) -> None:
    settings = settings_of(gamma=0.9)
    parameters, slow = agent(settings, PENDULUM, 17)
    discount = torch.full((BATCH,), 0.0 if terminated else 0.9, dtype=torch.float64)
    batch = some_batch(PENDULUM, 18)._replace(discount=discount)
    slow = {name: torch.zeros_like(value) for name, value in slow.items()}
    slow["critic.2.bias"] += 5.0
    hyper = hyperparameters(settings, alpha=10.0)
    loss, _ = greedy_ac.critic_loss(parameters, slow, batch, Draws(numbers(19)), hyper, settings)
    target = batch.reward + (0 if terminated else 0.9 * 5.0)
    expected = (q_values(parameters, batch.observation, batch.action) - target) ** 2
    torch.testing.assert_close(loss, expected.mean(), rtol=1e-9, atol=0)


# What the proposal climbs, by quadrature in one dimension


class Line:
    """A mixture on the real line as its raw outputs alone, and exact expectations under it."""

    def __init__(self, location: list[float], std: list[float], weight: list[float]) -> None:
        self.components = len(location)
        self.location, self.std, self.weight = location, std, np.array(weight) / sum(weight)
        logits = np.log(self.weight) if len(weight) > 1 else []
        self.raw = torch.tensor([*np.arctanh(location), *np.log(std), *logits])
        self.edges = sorted(m + k * s for m, s in zip(location, std, strict=True) for k in (-9, 9))

    def head(self, rows: int) -> tuple[Mixture, Tensor]:
        """The policy in `rows` equal states, and the raw output [outputs] that its gradient is for."""
        raw = self.raw.clone().requires_grad_()
        head = Head(self.components, 1, (-6.908, 6.908), squashed=False)
        return head.policy(raw.expand(rows, -1)), raw

    def score(self, action: Array) -> Array:
        """∇ log π [outputs, points] with respect to the raw output, by autograd over torch.distributions."""
        raw = self.raw.repeat(len(action), 1).requires_grad_()
        policy = Theirs(raw, self.components, 1)
        log_prob: Tensor = policy.mixture.log_prob(torch.from_numpy(action).unsqueeze(-1))
        return torch.autograd.grad(log_prob.sum(), raw)[0].T.numpy()

    def density(self, x: Array) -> Array:
        parts = zip(self.weight, self.location, self.std, strict=True)
        return np.sum([w * stats.norm.pdf(x, m, s) for w, m, s in parts], axis=0)

    def above(self, x: Array) -> Array:
        """P(a > x)."""
        parts = zip(self.weight, self.location, self.std, strict=True)
        return np.sum([w * stats.norm.sf(x, m, s) for w, m, s in parts], axis=0)

    def expectation(self, of: Callable[[Array], Array]) -> Array:
        """∫ π(a) of(a) da by Gauss–Legendre on pieces between bounds, ±1 and the components' centres."""
        inner = [x for x in (-1.0, 1.0, *self.location) if self.edges[0] < x < self.edges[-1]]
        knots = np.unique([self.edges[0], *inner, self.edges[-1]])
        fine = np.concatenate([np.linspace(a, b, 40)[:-1] for a, b in pairwise(knots)])
        ends = np.append(fine, knots[-1])
        nodes, weights = np.polynomial.legendre.leggauss(12)
        half, middle = np.diff(ends)[:, None] / 2, (ends[1:] + ends[:-1])[:, None] / 2
        points = (middle + half * nodes).ravel()
        measure = (half * weights).ravel() * self.density(points)
        found: Array = (of(points) * measure).sum(-1)
        return found


LINES = {
    "narrow": Line([0.2], [0.1], [1.0]),
    "wide": Line([0.2], [0.9], [1.0]),
    "mixture": Line([-0.5, 0.4], [0.15, 0.5], [0.7, 0.3]),
}
N, KEPT, STATES, REPEATS = 6, 2, 500, 80


def estimates(line: Line, settings: GreedyAC, alpha: float) -> Array:
    """Gradients [REPEATS, outputs] of what the proposal climbs, where Q rises with the action."""
    rng, found = np.random.default_rng(20), []
    for _ in range(REPEATS):
        proposal, raw = line.head(STATES)
        gumbel = torch.from_numpy(rng.gumbel(size=(N, STATES, line.components)))
        normal = torch.from_numpy(rng.normal(size=(N, STATES, 1)))
        sampled = proposal.detach().sample(Noise(gumbel, normal))
        inside = greedy_ac.clipped(sampled.value)
        best, _ = greedy_ac.greatest(sampled.value.squeeze(-1), inside, KEPT)
        bonus = greedy_ac.entropy_surrogate(proposal, sampled, settings).mean()
        climbed = proposal.log_prob_of(best).mean() + alpha * bonus
        found.append(torch.autograd.grad(climbed, raw)[0].numpy())
    return np.array(found)


def unbiased(found: Array, exact: Array) -> bool:
    """Whether each exact derivative lies within 4 standard errors of the mean of its estimates."""
    error = found.std(0, ddof=1) / math.sqrt(len(found))
    return bool((np.abs(found.mean(0) - exact) <= 4 * error + 1e-12).all())


def likelihood_of_the_best(line: Line) -> Array:
    """E[∇ log π(clip(a*))]: an action is among the best KEPT of N where fewer than KEPT of the others are above it."""

    def weighted(x: Array) -> Array:
        chance = stats.binom.cdf(KEPT - 1, N - 1, line.above(x))
        scores: Array = line.score(np.clip(x, -1, 1)) * chance * N / KEPT
        return scores

    return line.expectation(weighted)


def entropy_gradient(line: Line) -> Array:
    """∇H by central differences of H = −∫ π log π, which is the adaptive quadrature of SciPy."""

    def entropy(raw: Array) -> float:
        n = line.components
        logits = raw[2 * n :] if n > 1 else np.zeros(1)
        moved = Line(list(np.tanh(raw[:n])), list(np.exp(raw[n : 2 * n])), list(np.exp(logits)))
        low, high = moved.edges[0], moved.edges[-1]
        found, _ = integrate.quad(
            lambda x: -moved.density(x) * np.log(moved.density(x)), low, high, limit=400
        )
        return float(found)

    raw, step = line.raw.numpy(), 1e-4
    return np.array(
        [(entropy(raw + e) - entropy(raw - e)) / (2 * step) for e in step * np.eye(len(raw))]
    )


@pytest.mark.parametrize("name", LINES)
def test_the_intended_bonus_climbs_the_entropy(name: str) -> None:
    """∇(E[log π̃ of the best] + α H); without the bonus the same estimates miss it."""
    line, alpha = LINES[name], 1.5
    likelihood, entropy = likelihood_of_the_best(line), entropy_gradient(line)
    found = estimates(line, settings_of(), alpha)
    assert unbiased(found, likelihood + alpha * entropy)
    assert not unbiased(found, likelihood)
    assert unbiased(estimates(line, settings_of(), 0.0), likelihood)
    if line.components == 1:
        np.testing.assert_allclose(entropy, [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("name", LINES)
def test_the_released_bonus_has_no_entropy_in_it(name: str) -> None:
    """Its mean is −E[∇ log π̃(clip(a))]: 0 but for clipping, which widens a proposal that reaches beyond the bounds."""
    line, alpha = LINES[name], 1.5
    released = settings_of(entropy_gradient="released")
    found = estimates(line, released, alpha)
    likelihood = likelihood_of_the_best(line)
    clipping = -line.expectation(lambda x: line.score(np.clip(x, -1, 1)))
    assert unbiased(found, likelihood + alpha * clipping)
    assert not unbiased(found, likelihood + alpha * entropy_gradient(line))
    np.testing.assert_allclose(line.expectation(line.score), 0, atol=1e-9)
    if name == "narrow":
        np.testing.assert_allclose(clipping, 0, atol=1e-9)
    if name == "wide":
        assert clipping[1] > 0.3
        assert not unbiased(found, likelihood)


def test_the_factor_that_is_lost_would_not_have_widened_a_wide_proposal() -> None:
    """−log π̃ ∇ log π̃ at clipped actions narrows N(0, 1), whose entropy rises with its scale.

    With c = clip(z): E[(c²/2 + ½ log 2π)(c² − 1)], E[c²] = 0.516, E[c⁴] = 0.430: −0.49 instead of 1.
    """
    line = Line([0.0], [1.0], [1.0])

    def factor(x: Array) -> Array:
        inside = np.clip(x, -1, 1)
        found: Array = -stats.norm.logpdf(inside) * line.score(inside)
        return found

    assert line.expectation(factor)[1] == pytest.approx(-0.488, abs=2e-3)
    assert line.expectation(lambda x: -stats.norm.logpdf(x) * line.score(x))[1] == pytest.approx(1)


def test_from_one_on_alpha_widens_whatever_is_kept() -> None:
    """Of any kept actions, log π̃ rises by at least −1 with log σ, the entropy by 1."""
    proposal, raw = LINES["wide"].head(1)
    at_the_mean = proposal.log_prob_of(torch.tensor([[0.2]], dtype=torch.float64)).mean()
    assert float(torch.autograd.grad(at_the_mean, raw)[0][1]) == pytest.approx(-1)


# Populations


PLAY: dict[str, Any] = {"hidden": (8, 8), "batch_size": 16, "proposal_actions": 5}
MEMBERS = (
    Member(seed=3, setting={"critic_learning_rate": 1e-3, "alpha": 0.2}),
    Member(seed=5, setting={"critic_learning_rate": 3e-2, "actor_step_ratio": 0.1, "gamma": 0.5}),
    Member(seed=8, setting={"alpha": 10.0, "target_rate": 0.3}),
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as training sets it


def shard(members: tuple[Member, ...] = MEMBERS, method: str = "greedy_ac_gm_2", **o: Any) -> Shard:
    return replace(small_shard(method, "GreedyACPendulum", **{**PLAY, **o}), members=members)


def learn(
    which: Shard, dtype: torch.dtype = torch.float64, captured: bool = False
) -> tuple[Learners, dict[str, Tensor], OffPolicy]:
    """Five updates; if asked, the blocks' steps are captured as compiling does, without what takes a compiler minutes."""
    population = OffPolicy(which, torch.device("cpu"), compiled=False)
    for name, step in population._steps.items() if captured else ():
        population._steps[name] = torch.compile(
            step, dynamic=False, fullgraph=True, backend="aot_eager"
        )
    learners, replay = population.learners(), experience(population, dtype)
    for name in ("theta", "first_moment", "second_moment", "target"):
        setattr(learners, name, getattr(learners, name).to(dtype))
    hyper = {name: value.to(dtype) for name, value in population.scheduled(0).items()}
    for _ in range(5):
        diagnostics = population.update(learners, replay, hyper)
    return learners, diagnostics, population


def adam_alone(population: OffPolicy, index: int, data: Tensor) -> tuple[Tensor, Tensor]:
    """One member by three torch.optim.Adam, for critic, actor and proposal, on leaves of its own."""
    settings, seed = population.settings, population.shard.members[index].seed
    assert isinstance(settings, GreedyAC)
    hyper = {name: value[index].double() for name, value in population.scheduled(0).items()}
    fresh = population.layout.unflatten(population.learners().theta[index].double())
    own = leaves(fresh)
    slow = {n: x.detach().clone() for n, x in fresh.items() if n.startswith("critic")}
    step = float(hyper["critic_learning_rate"])
    rates = dict.fromkeys(
        ("policies.actor", "policies.proposal"), step * float(hyper["actor_step_ratio"])
    )
    adams = {
        name: torch.optim.Adam([x for n, x in own.items() if n.startswith(f"{name}.")], lr=rate)
        for name, rate in {"critic": step, **rates}.items()
    }
    counts = (16 * 2 + 16, 5 * (16 * 2 + 16))
    for number in range(5):
        key, now = member_key(seed, Purpose.UPDATES), torch.tensor(number)
        rows = data[integers(key, now, 0, torch.tensor(40), 16)]
        batch = Transitions.of(rows.unsqueeze(1), 2, 1, hyper["gamma"])
        parts = uniforms(key, now, 1, sum(counts)).split(counts)
        for loss, names, part in (
            (greedy_ac.critic_loss, ("critic",), parts[0]),
            (greedy_ac.policies_loss, tuple(rates), parts[1]),
        ):
            for adam in adams.values():
                adam.zero_grad()
            draws = Draws(part)
            total, _ = loss(own, slow, batch, draws, hyper, settings)
            assert draws.taken == len(part)
            total.backward()  # type: ignore[no-untyped-call]
            for name in names:
                adams[name].step()
        for name, copy in slow.items():
            copy += hyper["target_rate"] * (own[name].detach() - copy)
    theta, target = (torch.cat([x.detach().reshape(-1) for x in p.values()]) for p in (own, slow))
    return theta, target


def test_an_update_is_torchs_adam() -> None:
    learners, _, population = learn(shard())
    data = experience(population, torch.float64).data
    for index in range(len(MEMBERS)):
        theta, target = adam_alone(population, index, data[index])
        torch.testing.assert_close(learners.theta[index], theta, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(learners.target[index], target, rtol=1e-9, atol=1e-12)
    moved = (learners.theta - population.learners().theta.double()).abs()
    assert (moved > 0).double().mean() > 0.8


def test_a_member_learns_as_it_would_alone() -> None:
    together, diagnostics, _ = learn(shard())
    for index, member in enumerate(MEMBERS):
        alone, own, _ = learn(shard((member,)))
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(together.target[index], alone.target[0], rtol=1e-9, atol=1e-12)
        assert list(own) == ["critic_loss", "value", "log_prob", "proposal_entropy"]
        for name, value in own.items():
            torch.testing.assert_close(diagnostics[name][index], value[0], rtol=1e-9, atol=1e-12)


def test_each_step_is_one_graph_that_gives_the_same() -> None:
    (one, found, _), (other, others, _) = (learn(shard(), captured=each) for each in (False, True))
    torch.testing.assert_close(other.theta, one.theta, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(others, found, rtol=1e-9, atol=1e-12)
