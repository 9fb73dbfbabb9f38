"""Objectives of preference optimisation: by hand, written out with torch.distributions, integrated and enumerated."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import Tensor
from torch import distributions as d

from algorithms import improvement
from algorithms.distributions import Categorical, DiagonalGaussian, Discretised
from algorithms.improvement import (
    Labels,
    SampledReference,
    above,
    dpo,
    extremes,
    given,
    halves,
    ipo,
    pmpo,
)
from paper_figures.pmpo import equations

AR, A, R = (0.5, 0.5), (1.0, 0.0), (0.0, 2.0)
"""(α, β) of the paper's three variants."""
OBJECTIVES: dict[str, tuple[improvement.Improvement, float, float]] = {
    "pmpo_ar": (pmpo, *AR),
    "pmpo_a": (pmpo, *A),
    "pmpo_r": (pmpo, *R),
    "pmpo": (pmpo, 0.3, 1.7),
    "dpo": (dpo, 0.5, 0.7),
    "ipo": (ipo, 0.5, 0.4),
}


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def column(*values: float) -> Tensor:
    """One state's samples, [M, 1]."""
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def slope(loss: Tensor, *of: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, of, allow_unused=True, materialize_grads=True))


# Labels


def kept(labels: Labels) -> tuple[list[list[int]], list[list[int]]]:
    """Of each state, which samples are accepted and which rejected; weights are 0 and 1."""
    for kind in labels:
        assert set(kind.flatten().tolist()) <= {0.0, 1.0}
        assert kind.dtype == torch.float64
    accepted, rejected = (
        [x.nonzero().flatten().tolist() for x in kind.unbind(1)] for kind in labels
    )
    return accepted, rejected


def test_halves_and_extremes_by_hand() -> None:
    scores = torch.stack((column(3, 0, 2, 1)[:, 0], column(-1, -2, 5, 4)[:, 0]), 1)
    assert kept(halves(scores)) == ([[0, 2], [2, 3]], [[1, 3], [0, 1]])
    assert kept(extremes(scores)) == ([[0], [2]], [[1], [1]])


def test_an_odd_sample_in_the_middle_is_neither() -> None:
    scores = column(5, 1, 4, 2, 3)
    assert kept(halves(scores)) == ([[0, 2]], [[1, 3]])
    assert kept(extremes(scores)) == ([[0]], [[1]])
    assert kept(halves(column(1, 3, 2))) == ([[1]], [[0]])


@pytest.mark.parametrize(
    ("scores", "accepted", "rejected", "best", "worst"),
    [
        ((7, 7, 7, 7), [2, 3], [0, 1], 3, 0),
        ((1, 2, 2, 2), [2, 3], [0, 1], 3, 0),
        ((2, 2, 2, 1), [1, 2], [0, 3], 2, 3),
        ((5, 5), [1], [0], 1, 0),
        ((0, 0, 0), [2], [0], 2, 0),
    ],
)
def test_of_equal_scores_a_later_one_is_the_better(
    scores: tuple[float, ...], accepted: list[int], rejected: list[int], best: int, worst: int
) -> None:
    assert kept(halves(column(*scores))) == ([accepted], [rejected])
    assert kept(extremes(column(*scores))) == ([[best]], [[worst]])


@pytest.mark.parametrize("count", range(2, 10))
def test_ranks_are_those_of_a_stable_sort(count: int) -> None:
    """40 states with many ties."""
    scores = np.random.default_rng(count).integers(0, count, (count, 40)).astype(float)
    order = scores.argsort(0, kind="stable")
    accepted, rejected = kept(halves(torch.from_numpy(scores)))
    for state in range(40):
        assert accepted[state] == sorted(order[-(count // 2) :, state])
        assert rejected[state] == sorted(order[: count // 2, state])


def test_a_score_at_the_threshold_is_accepted() -> None:
    """Section 4: f ≥ b(x), with a threshold for each state."""
    scores = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], dtype=torch.float64)
    labels = above(scores, torch.tensor([2.0, 3.5], dtype=torch.float64))
    assert kept(labels) == ([[1, 2], []], [[0], [0, 1, 2]])


def test_given_labels_stay_as_they_are() -> None:
    assert kept(given(column(1, 0, 0, 1))) == ([[0, 3]], [[1, 2]])


# Values by hand


@dataclass(frozen=True)
class Told:
    """A policy of which log-likelihoods and KL are told."""

    logs: Tensor
    divergence: Tensor

    def log_prob(self, samples: Any) -> Tensor:
        return self.logs

    def kl(self, other: Any) -> Tensor:
        return self.divergence


def test_pmpo_by_hand_with_unequal_numbers_of_labels() -> None:
    """Means over all of a kind: accepted (−1 − 2 − 4 − 6)/4, rejected −3, KL (0.1 + 0.3)/2; α = ¼, β = 2."""
    policy = Told(number(0) + torch.tensor([[-1, -2], [-3, -4], [-5, -6]]), torch.zeros(2))
    reference = Told(torch.zeros(3, 2), torch.tensor([0.1, 0.3], dtype=torch.float64))
    labels = Labels(
        torch.tensor([[1.0, 1], [0, 1], [0, 1]]).double(),
        torch.tensor([[0.0, 0], [1, 0], [0, 0]]).double(),
    )
    loss = pmpo(policy, reference, None, labels, number(0.25), number(2))
    assert float(loss) == pytest.approx(2 * 0.2 + 0.25 * 3.25 - 0.75 * 3)


def test_dpo_and_ipo_by_hand() -> None:
    """Log-ratios (1, −½): the lead is 1.5, that of log π 2. β = 2: ln(1 + e⁻³) and 2 · 1.5² − 2."""
    policy, reference = (Told(column(*x), torch.zeros(1)) for x in ((-1, -3), (-2, -2.5)))
    arguments: Any = (policy, reference, None, extremes(column(1, 0)), number(0.5), number(2))
    assert float(dpo(*arguments)) == pytest.approx(math.log1p(math.exp(-3)))
    assert float(ipo(*arguments)) == pytest.approx(2.5)


# Labels of one kind


@pytest.mark.parametrize(
    ("ones", "expected"),
    [([1, 1, 1], -0.3 * -2 + 5 * 0.7), ([0, 0, 0], 0.7 * -2 + 5 * 0.7)],
    ids=["accepted", "rejected"],
)
def test_labels_of_one_kind_leave_the_others_term_out(ones: list[int], expected: float) -> None:
    """log π = (−1, −2, −3), KL 0.7, α = 0.3, β = 5."""
    logs = column(-1, -2, -3).requires_grad_()
    reference = Told(torch.zeros(3, 1), number(0.7).unsqueeze(0))
    labels = given(column(*ones))
    loss = pmpo(Told(logs, torch.zeros(1)), reference, None, labels, number(0.3), number(5))
    assert float(loss.detach()) == pytest.approx(expected)
    weight = -0.3 / 3 if ones[0] else 0.7 / 3
    torch.testing.assert_close(slope(loss, logs)[0], torch.full_like(logs, weight))


def test_without_labels_only_the_divergence_is_left() -> None:
    logs = column(-1, -2).requires_grad_()
    nothing = Labels(column(0, 0), column(0, 0))
    reference = Told(torch.zeros(2, 1), number(0.7).unsqueeze(0))
    loss = pmpo(Told(logs, torch.zeros(1)), reference, None, nothing, number(0.3), number(5))
    assert float(loss.detach()) == pytest.approx(3.5)
    assert not slope(loss, logs)[0].any()


@pytest.mark.parametrize("objective", [dpo, ipo])
def test_dpo_and_ipo_need_both_kinds_in_every_state(objective: improvement.Improvement) -> None:
    """A state without a pair gives NaN, at which training stops; it is not quietly left out."""
    policy = Told(torch.full((2, 2), -1.0).double(), torch.zeros(2))
    one_sided = given(torch.tensor([[1.0, 1.0], [0.0, 1.0]]).double())
    assert objective(policy, policy, None, one_sided, number(0.5), number(1)).isnan()


# Gradients against the formulas written out

SAMPLES, STATES, ACTIONS, BINS = 4, 6, 2, 5


@dataclass(frozen=True)
class Kind:
    """A kind of policy: ours and torch's from raw parameters, and samples of it with what torch calls them."""

    raw: tuple[tuple[int, ...], ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    samples: Callable[[np.random.Generator], tuple[Tensor, Tensor]]


def gaussian_samples(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    drawn = torch.from_numpy(rng.normal(size=(SAMPLES, STATES, ACTIONS)))
    return drawn, drawn


def binned_samples(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    choice = rng.integers(BINS, size=(SAMPLES, STATES, ACTIONS))
    return torch.from_numpy(np.linspace(-1, 1, BINS)[choice]), torch.from_numpy(choice)


def categorical_samples(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    choice = torch.from_numpy(rng.integers(BINS, size=(SAMPLES, STATES)))
    return choice, choice


def normal(mean: Tensor, log_std: Tensor) -> Any:
    return d.Independent(d.Normal(mean, log_std.exp()), 1)


KINDS = {
    "gaussian": Kind(
        ((STATES, ACTIONS),) * 2,
        lambda mean, log_std: DiagonalGaussian(mean, log_std.exp()),
        normal,
        gaussian_samples,
    ),
    "discretised": Kind(
        ((STATES, ACTIONS, BINS),),
        Discretised.from_logits,
        lambda logits: d.Independent(d.Categorical(logits=logits), 1),
        binned_samples,
    ),
    "categorical": Kind(
        ((STATES, BINS),),
        Categorical.from_logits,
        lambda logits: d.Categorical(logits=logits),
        categorical_samples,
    ),
}


def written_out(name: str, policy: Any, reference: Any, samples: Tensor, labels: Labels) -> Tensor:
    """The published losses, a mean over states of differences between picked samples."""
    _, alpha, beta = OBJECTIVES[name]
    log_prob = policy.log_prob(samples)
    accepted, rejected = (kind == 1 for kind in labels)
    if name.startswith("pmpo"):
        divergence = d.kl_divergence(reference, policy).mean()
        liked, disliked = log_prob[accepted].mean(), log_prob[rejected].mean()
        return -(alpha * liked - (1 - alpha) * disliked - beta * divergence)
    ratio, losses = log_prob - reference.log_prob(samples), []
    for state in range(log_prob.shape[1]):
        best, worst = accepted[:, state], rejected[:, state]
        lead = ratio[best, state].mean() - ratio[worst, state].mean()
        gain = log_prob[best, state].mean() - log_prob[worst, state].mean()
        dpo_loss = -torch.log(torch.sigmoid(beta * lead))
        losses.append(dpo_loss if name == "dpo" else -gain + beta * lead**2)
    return torch.stack(losses).mean()


@pytest.mark.parametrize("labelled", [halves, extremes])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_the_formula_written_out(
    name: str, kind: str, labelled: Callable[[Tensor], Labels]
) -> None:
    rng, of = np.random.default_rng(len(name) + 10 * len(kind)), KINDS[kind]
    raw = [torch.from_numpy(0.7 * rng.normal(size=shape)) for shape in of.raw]
    fixed = [torch.from_numpy(0.7 * rng.normal(size=shape)) for shape in of.raw]
    samples, their_samples = of.samples(rng)
    labels = labelled(torch.from_numpy(rng.normal(size=(SAMPLES, STATES))))
    objective, alpha, beta = OBJECTIVES[name]
    own, other = ([x.clone().requires_grad_() for x in raw] for _ in range(2))
    loss = objective(of.ours(*own), of.ours(*fixed), samples, labels, number(alpha), number(beta))
    expected = written_out(name, of.theirs(*other), of.theirs(*fixed), their_samples, labels)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)
    for mine, theirs in zip(slope(loss, *own), slope(expected, *other), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-13)
        assert mine.abs().max() > 1e-3


# Expectations: integrated in one dimension, enumerated for five responses

REFERENCE, POLICY = (0.3, 0.8), (-0.1, 0.6)
"""Mean and standard deviation in one dimension."""


def score_function(y: Any) -> tuple[Any, Any]:
    """∂ log π / ∂ (mean, log σ) of the policy at y."""
    z = (y - POLICY[0]) / POLICY[1]
    return z / POLICY[1], z**2 - 1


def expected_gradient(accepts: Callable[[Any], Any], alpha: float, beta: float) -> list[float]:
    """Of Eq. 10, negated, by quadrature: labels are accepted with a known chance that depends on y."""
    law = stats.norm(*REFERENCE)

    def mean(weight: Callable[[float], Any]) -> np.ndarray:
        """E[weight] and E[weight · both scores]."""
        values = (lambda y: 1.0, lambda y: score_function(y)[0], lambda y: score_function(y)[1])
        return np.array(
            [
                integrate.quad(lambda y, f: law.pdf(y) * weight(y) * f(y), -7, 8, (f,))[0]
                for f in values
            ]
        )

    accepted, rejected, everything = (
        mean(weight) for weight in (accepts, lambda y: 1 - accepts(y), lambda y: 1)
    )
    liked, disliked = (each[1:] / each[0] for each in (accepted, rejected))
    return list(-alpha * liked + (1 - alpha) * disliked - beta * everything[1:])


def sampled_gradient(y: Tensor, labels: Labels, alpha: float, beta: float) -> list[float]:
    mean, log_std = (
        number(x).reshape(1, 1).requires_grad_() for x in (POLICY[0], math.log(POLICY[1]))
    )
    policy = DiagonalGaussian(mean, log_std.exp())
    reference = DiagonalGaussian(*(number(x).reshape(1, 1) for x in REFERENCE))
    loss = pmpo(policy, reference, y.unsqueeze(-1), labels, number(alpha), number(beta))
    return [float(x) for x in slope(loss, mean, log_std)]


def estimate(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Of each state's share in a mean of `value` [M, B] by `weight`; states are independent. A ratio's first order."""
    total = weight.sum(0)
    mean = (weight * value).sum() / weight.sum()
    return np.asarray(((weight * value).sum(0) - mean * total) / total.mean())


@pytest.mark.parametrize(("alpha", "beta"), [AR, A, R, (0.3, 1.7)])
@pytest.mark.parametrize("rule", ["chance", "halves"])
def test_samples_have_the_expectations_gradient(rule: str, alpha: float, beta: float) -> None:
    """100,000 states of one sample accepted by chance, or of four of which the better two are.

    Both slopes within five standard errors of the integral; of 16 comparisons, 1 in 100,000 fails by chance.
    """
    rng = np.random.default_rng(7)
    if rule == "chance":
        y = rng.normal(*REFERENCE, (1, 100_000))
        labels = given(torch.from_numpy((rng.random(y.shape) < special.expit(2 * y + 0.5)) * 1.0))
        expected = expected_gradient(lambda x: special.expit(2 * x + 0.5), alpha, beta)
    else:
        y = rng.normal(*REFERENCE, (4, 100_000))
        labels = halves(torch.from_numpy(np.exp(y)))
        law = stats.norm(*REFERENCE)
        expected = expected_gradient(
            lambda x: equations.accepted_among_four(law.cdf(x)), alpha, beta
        )
    found = sampled_gradient(torch.from_numpy(y), labels, alpha, beta)
    for which in (0, 1):
        value = score_function(y)[which]
        shares = [estimate(value, kind.numpy()) for kind in labels]
        error = (-alpha * shares[0] + (1 - alpha) * shares[1]).std() / math.sqrt(100_000)
        assert error < 0.02
        assert abs(found[which] - expected[which]) < 5 * error


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_mean_over_samples_covers_the_enumerated_gradient(name: str) -> None:
    """Three draws of five responses, the extremes labelled: all 125 outcomes against 50,000 states.

    Each of five slopes within five of its exact standard errors; of 30 comparisons, 1 in 50,000 fails by chance.
    """
    rng = np.random.default_rng(8)
    objective, alpha, beta = OBJECTIVES[name]
    logits, fixed = (torch.from_numpy(rng.normal(size=(1, 5))) for _ in range(2))
    chances = torch.softmax(fixed[0], 0).numpy()
    quality = np.array([0.3, -1.0, 2.0, 0.1, 0.7])

    def gradient(samples: np.ndarray) -> np.ndarray:
        own = logits.clone().requires_grad_()
        labels = extremes(torch.from_numpy(quality[samples]))
        states = samples.shape[1]
        policy, reference = (Categorical.from_logits(x.expand(states, 5)) for x in (own, fixed))
        loss = objective(
            policy, reference, torch.from_numpy(samples), labels, number(alpha), number(beta)
        )
        return slope(loss, own)[0][0].numpy()

    outcomes = list(itertools.product(range(5), repeat=3))
    weights = np.array([chances[list(outcome)].prod() for outcome in outcomes])
    each = []
    for outcome in outcomes:  # written out for this outcome alone
        own = logits.clone().requires_grad_()
        best, worst = (pick(outcome, key=quality.__getitem__) for pick in (max, min))
        pair = torch.tensor([[best], [worst]])
        policy, reference = (d.Categorical(logits=x) for x in (own, fixed))
        loss = written_out(name, policy, reference, pair, extremes(column(1, 0)))
        each.append(slope(loss, own)[0][0].numpy())
    exact = weights @ np.array(each)
    deviation = np.sqrt(weights @ (np.array(each) - exact) ** 2)
    found = gradient(rng.choice(5, (3, 50_000), p=chances))
    assert deviation.min() > 1e-3
    assert deviation.max() > 0.1
    assert (abs(found - exact) < 5 * deviation / math.sqrt(50_000)).all()


# Accepted samples alone


def one_gaussian(mean: float, std: float) -> tuple[Tensor, Tensor, DiagonalGaussian]:
    """Its mean, log σ (leaves), and the policy of one state and dimension."""
    leaves = [number(x).reshape(1, 1).requires_grad_() for x in (mean, math.log(std))]
    return leaves[0], leaves[1], DiagonalGaussian(leaves[0], leaves[1].exp())


def data(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.4, 1.3, count)


def test_accepting_all_samples_is_maximum_likelihood() -> None:
    """Its maximiser is the samples' mean and standard deviation; whatever the reference says, with β = 0."""
    y = data(9, 50)
    samples, ones = torch.from_numpy(y).reshape(50, 1, 1), torch.ones(50, 1).double()
    reference = DiagonalGaussian(*(number(x).reshape(1, 1) for x in REFERENCE))
    rest = (reference, samples, given(ones), number(1), number(0))
    mean, log_std, best = one_gaussian(y.mean(), y.std())
    loss = pmpo(best, *rest)
    assert float(loss.detach()) == pytest.approx(-stats.norm(*stats.norm.fit(y)).logpdf(y).mean())
    for gradient in slope(loss, mean, log_std):
        assert abs(float(gradient)) < 1e-12
    for other in ((y.mean() + 0.1, y.std()), (y.mean(), 0.9 * y.std()), (y.mean(), 1.1 * y.std())):
        assert pmpo(one_gaussian(*other)[2], *rest) > loss + 1e-3


def minimised(loss: Callable[[DiagonalGaussian], Tensor]) -> tuple[float, float]:
    """Mean and σ at the minimum, from N(0, 1)."""
    mean, log_std, _ = one_gaussian(0.0, 1.0)
    descent = torch.optim.LBFGS(
        [mean, log_std],
        max_iter=300,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def again() -> Tensor:
        descent.zero_grad()
        value = loss(DiagonalGaussian(mean, log_std.exp()))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    descent.step(again)  # type: ignore[no-untyped-call]
    return float(mean.detach()), float(log_std.detach().exp())


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (1.0, 2.0), (0.4, 3.0)])
def test_a_sampled_reference_is_behaviour_cloning(alpha: float, beta: float) -> None:
    """α on accepted, β on all data, −(1 − α) on rejected: moments of the likelihood so weighted."""
    y, everything = data(10, 30), data(11, 200) - 1
    labels = given(column(*(y > 0.2).astype(float)))
    samples = torch.from_numpy(y).reshape(30, 1, 1)
    reference = SampledReference(torch.from_numpy(everything).reshape(200, 1, 1))
    found = minimised(
        lambda policy: pmpo(policy, reference, samples, labels, number(alpha), number(beta))
    )
    parts = ((alpha, y[y > 0.2]), (alpha - 1, y[y <= 0.2]), (beta, everything))
    total = sum(weight for weight, _ in parts)
    first, second = (sum(w * (x**k).mean() for w, x in parts) / total for k in (1, 2))
    assert found == pytest.approx((first, math.sqrt(second - first**2)), rel=1e-6)
    if (alpha, beta) == (1.0, 0.0):
        assert found == pytest.approx((y[y > 0.2].mean(), y[y > 0.2].std()), rel=1e-6)


@pytest.mark.parametrize("objective", [dpo, ipo])
def test_a_sampled_reference_has_no_likelihood(objective: improvement.Improvement) -> None:
    reference = SampledReference(torch.zeros(3, 1, 1).double())
    policy, labels = one_gaussian(0, 1)[2], extremes(column(1, 2))
    samples = torch.zeros(2, 1, 1).double()
    with pytest.raises(TypeError, match="known by samples alone has no log-likelihood"):
        objective(policy, reference, samples, labels, number(0.5), number(1))


# Rejected samples alone


def rejected_only(beta: float) -> Callable[[DiagonalGaussian], Tensor]:
    """Four samples of N(0, 1), the lower two rejected: −0.5 and −1.5."""
    samples, labels = column(-1.5, 0.7, -0.5, 1.3).unsqueeze(-1), given(column(0, 1, 0, 1))
    reference = DiagonalGaussian(*(number(x).reshape(1, 1) for x in (0, 1)))
    return lambda policy: pmpo(policy, reference, samples, labels, number(0), number(beta))


def descended(beta: float, steps: int, rate: float) -> tuple[list[float], float, float]:
    """E_rej[log π] after each step of gradient descent from the reference, the last mean and σ."""
    mean, log_std, policy = one_gaussian(0.0, 1.0)
    likelihoods = []
    for _ in range(steps):
        policy = DiagonalGaussian(mean, log_std.exp())
        moves = slope(rejected_only(beta)(policy), mean, log_std)
        with torch.no_grad():
            mean -= rate * moves[0]
            log_std -= rate * moves[1]
        likelihoods.append(float(rejected_only(0)(DiagonalGaussian(mean, log_std.exp())).detach()))
    return likelihoods, float(mean.detach()), float(log_std.detach().exp())


def test_rejecting_without_a_divergence_has_no_end() -> None:
    """A Gaussian's log π of the rejected samples falls at every step, and within 200 is no number any more."""
    likelihoods, _, _ = descended(0, 200, 0.003)
    finite = [x for x in likelihoods if math.isfinite(x)]
    assert 100 < len(finite) < 200
    assert all(b < a for a, b in itertools.pairwise(finite))
    assert finite[-1] < -1e6


def test_a_rejected_response_falls_as_long_as_it_is_pushed() -> None:
    """Of five responses, the rejected one's logit falls by the step size at every step, those of the others rise."""
    logits, labels = torch.zeros(1, 5).double().requires_grad_(), given(column(0))
    reference, likelihoods = Categorical.from_logits(torch.zeros(1, 5).double()), []
    for _ in range(400):
        policy = Categorical.from_logits(logits)
        loss = pmpo(policy, reference, torch.tensor([[2]]), labels, number(0), number(0))
        with torch.no_grad():
            logits -= 0.5 * slope(loss, logits)[0]
        likelihoods.append(float(loss.detach()))
    assert all(b < a for a, b in itertools.pairwise(likelihoods))
    # At π(y) ≈ 0 the slope of log π(y) is −1 for y and ¼ for each other.
    assert likelihoods[-1] - likelihoods[-101] == pytest.approx(-100 * 0.5 * 1.25, rel=1e-3)


@pytest.mark.parametrize("beta", [5.0, 20.0, 400.0])
def test_rejecting_with_a_large_beta_stays_near_the_reference(beta: float) -> None:
    """Moments are (β · the reference's − the rejected ones')/(β − 1): here (0, 1) and (−1, 1.25)."""
    first, second = 1 / (beta - 1), (beta - 1.25) / (beta - 1)
    likelihoods, mean, std = descended(beta, 400, 0.5 / beta)
    assert (mean, std) == pytest.approx((first, math.sqrt(second - first**2)), rel=1e-4)
    assert likelihoods[-1] == pytest.approx(likelihoods[300], abs=1e-5)
    assert abs(mean) + abs(std - 1) < 2 / (beta - 1)


# IPO


def test_ipos_regulariser_is_twice_the_variance_of_the_log_ratio() -> None:
    """Appendix E, on all ordered pairs of 40 samples: exact with divisor n. PMPO's is minus the mean."""
    rng = np.random.default_rng(12)
    y = torch.from_numpy(rng.normal(*REFERENCE, 40))
    pairs = torch.stack((y.repeat_interleave(40), y.repeat(40))).unsqueeze(-1)
    policy, reference = (
        DiagonalGaussian(*(number(x).expand(1600, 1) for x in law)) for law in (POLICY, REFERENCE)
    )
    labels = Labels(*(x.expand(2, 1600) for x in (column(1, 0), column(0, 1))))
    with_it, without = (
        ipo(policy, reference, pairs, labels, number(0.5), number(beta)) for beta in (1, 0)
    )
    ratio = stats.norm(*POLICY).logpdf(y) - stats.norm(*REFERENCE).logpdf(y)
    assert float(with_it - without) == pytest.approx(2 * ratio.var(), rel=1e-9)
    assert float(without) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0])
def test_ipo_is_the_published_square_up_to_a_constant(beta: float) -> None:
    """Azar et al.'s (h − 1/(2β))², times β, less 1/(4β), less what the reference alone decides."""
    rng = np.random.default_rng(13)
    labels = extremes(torch.from_numpy(rng.normal(size=(2, STATES))))
    samples = torch.from_numpy(rng.integers(5, size=(2, STATES)))
    fixed = Categorical.from_logits(torch.from_numpy(rng.normal(size=(STATES, 5))))
    better, worse = ((kind * torch.arange(2)[:, None]).sum(0).long() for kind in labels)
    for seed in range(3):
        logits = np.random.default_rng(seed).normal(size=(STATES, 5))
        policy = Categorical.from_logits(torch.from_numpy(logits))
        ours = ipo(policy, fixed, samples, labels, number(0.5), number(beta))
        published, constant = [], []
        for state in range(STATES):
            chosen, other = samples[better[state], state], samples[worse[state], state]
            gain, prior = (
                x.log_probs[state, chosen] - x.log_probs[state, other] for x in (policy, fixed)
            )
            published.append(beta * float(gain - prior - 1 / (2 * beta)) ** 2)
            constant.append(float(prior) + 1 / (4 * beta))
        assert float(ours) == pytest.approx(np.mean(published) - np.mean(constant), rel=1e-9)


# How large β must be


def over_all(logits: Tensor, alpha: float, beta: float, given_: tuple[np.ndarray, ...]) -> Tensor:
    """PMPO's loss where every response is a sample, weighted as it is accepted and rejected in expectation."""
    reference, accepted, rejected = (torch.from_numpy(np.asarray(x)) for x in given_)
    labels = Labels(accepted.unsqueeze(1), rejected.unsqueeze(1))
    everything = torch.arange(len(reference)).unsqueeze(1)
    policy, fixed = Categorical.from_logits(logits[None]), Categorical(reference.log()[None])
    return pmpo(policy, fixed, everything, labels, number(alpha), number(beta))


def soft_labels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(14)
    reference, preferred = special.softmax(rng.normal(size=5)), rng.uniform(0.1, 0.9, 5)
    return (
        reference,
        equations.condition(reference, preferred),
        equations.condition(reference, 1 - preferred),
    )


@pytest.mark.parametrize("problem", [soft_labels, equations.hard_labels])
@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 0.75])
def test_above_its_threshold_beta_bounds_the_loss_and_below_it_does_not(
    problem: Callable[[], tuple[np.ndarray, ...]], alpha: float
) -> None:
    """As the probability of any one response goes to 0; above, descent ends at what the equations say, c / Σ c."""
    about = problem()
    threshold = float(equations.beta_threshold(*about, alpha))
    if problem is equations.hard_labels:
        # Responses of which half are always rejected; with means over both sets 1 − α is not enough.
        assert threshold == pytest.approx(2 * (1 - alpha))
    size = len(about[0])
    for beta, bounded in ((threshold + 0.1, True), (threshold - 0.1, False)):
        rays = []
        for response in range(size):
            at = [torch.zeros(size).double() for _ in range(3)]
            for logits, depth in zip(at, (10.0, 100.0, 1000.0), strict=True):
                logits[response] = -depth
            rays.append([float(over_all(logits, alpha, beta, about)) for logits in at])
        falls = [far < middle < near for near, middle, far in rays]
        assert any(falls) != bounded
        assert (min(far for _, _, far in rays) < -1) != bounded
    weights = equations.coefficients(*about, alpha, threshold + 0.1)
    optimum = torch.from_numpy(weights / weights.sum()).log().requires_grad_()
    loss = over_all(optimum, alpha, threshold + 0.1, about)
    assert slope(loss, optimum)[0].abs().max() < 1e-12
