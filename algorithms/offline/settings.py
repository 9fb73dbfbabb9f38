"""What an offline run may be told. Loads neither torch nor h5py: the Snakefile reads it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from algorithms.settings import Count
from algorithms.specification import Strict, require_divisors
from envs.registry import ENVIRONMENTS, Continuous, Environment

ADVANTAGE = "advantage"
"""Labels by the sign of the advantage, where a name would be that of labels in the data."""

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Arm(Strict):
    """A mixture of losses: α and β of Eq. 10. Without α nothing is labelled, which leaves behaviour cloning."""

    alpha: Share | None = None
    beta: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _learns(self) -> Arm:
        if self.alpha is None and self.beta == 0:
            raise ValueError("an arm without alpha needs a beta above 0: it would learn nothing")
        return self

    @property
    def accepts(self) -> bool:
        """Whether accepted transitions count."""
        return self.alpha is not None and self.alpha > 0

    @property
    def rejects(self) -> bool:
        """Whether rejected transitions count."""
        return self.alpha is not None and self.alpha < 1


class Training(Strict):
    """How values are learnt, transitions labelled, and every arm trained and looked at.

    The data are `episodes` that our own behaviours collect in `environment`, or a `dataset` in Minari's format, a folder.
    Its first `labelled` episodes are labelled by the sign of the advantage, or by `labels`, the name of 0s and 1s among the
    data's infos. Values are learnt in `value_rounds` of `value_updates` minibatches each, from λ-returns that are
    computed anew for each round. Policies take `updates` of `batch` transitions of all episodes and as many of the labelled
    ones. Tables have `rows` times of training and `evaluations` of `evaluated` episodes, in `evaluation_copies` of the
    environment, the last of which is the score.
    """

    environment: str
    dataset: str | None = None
    episodes: Count | None = None
    labelled: Count
    labels: str = ADVANTAGE
    gamma: Share = 0.99
    gae_lambda: Share = 0.95
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256)
    batch: Count = 256
    learning_rate: Positive = 3e-4
    value_rounds: Count
    value_updates: Count
    updates: Count
    rows: Count
    evaluations: Count
    evaluated: Count
    evaluation_copies: Count = 20

    @property
    def world(self) -> Environment:
        """The environment that the data are of, and in which policies are evaluated."""
        return ENVIRONMENTS[self.environment]

    @model_validator(mode="after")
    def _continuous_world(self) -> Training:
        known = [name for name, each in ENVIRONMENTS.items() if isinstance(each.action, Continuous)]
        if self.environment not in known:
            raise ValueError(
                f"environment: {self.environment!r} is unknown or has no continuous actions; allowed: {', '.join(known)}"
            )
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Training:
        if (self.dataset is None) == (self.episodes is None):
            raise ValueError("episodes (collected here) or dataset (a folder): give one of them")
        if self.dataset is None and self.labels != ADVANTAGE:
            raise ValueError(
                f"labels: collected data have no {self.labels!r}; allowed: {ADVANTAGE}"
            )
        if self.episodes is not None and self.labelled > self.episodes:
            raise ValueError(
                f"labelled must be at most episodes = {self.episodes} (got {self.labelled})"
            )
        return self

    @model_validator(mode="after")
    def _times_fit(self) -> Training:
        require_divisors("updates", self.updates, rows=self.rows, evaluations=self.evaluations)
        require_divisors("evaluated", self.evaluated, evaluation_copies=self.evaluation_copies)
        return self
