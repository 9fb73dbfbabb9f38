"""Names of policies and gradient estimators, and which go together. No torch: settings import it."""

from __future__ import annotations

from typing import Literal

Base = Literal["normal", "cauchy"]
Weights = Literal["learned", "uniform"]
EstimatorName = Literal["likelihood", "reparameterized", "half", "gumbel"]


def learns_weights(components: int, weights: Weights) -> bool:
    """Whether such a policy has weights to learn: a single component has none."""
    return weights == "learned" and components > 1


def has_baseline(estimator: EstimatorName) -> bool:
    """Whether it has a likelihood-ratio term, from which a baseline is taken (Appendix D.1)."""
    return estimator in ("likelihood", "half")


def check_estimator(estimator: EstimatorName, components: int, weights: Weights) -> None:
    """Raise ValueError unless `estimator` gives the gradient of every parameter of such a policy.

    `likelihood` serves every policy; `reparameterized` those whose weights are constants; `half` and `gumbel` those
    whose weights are learned (for others both are `reparameterized` with noise to spare).
    """
    if components < 1:
        raise ValueError(f"components: {components}: must be at least 1")
    learned = learns_weights(components, weights)
    policy = f"{components} component{'s' if components > 1 else ''} with {weights} weights"
    if estimator == "reparameterized" and learned:
        raise ValueError(
            f"estimator: 'reparameterized' leaves the weights of {policy} without a gradient; "
            "use 'likelihood', 'half' or 'gumbel'"
        )
    if estimator in ("half", "gumbel") and not learned:
        raise ValueError(
            f"estimator: '{estimator}' needs several components with learned weights, not {policy}; "
            "use 'reparameterized' or 'likelihood'"
        )
