"""What a language run may be told. Loads neither torch nor transformers: the Snakefile reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from algorithms.settings import Count, Labelling, NotNegative
from algorithms.specification import Strict, require_divisors

PROGRAMMATIC = "programmatic"
"""The name of our own scores of an answer (`envs.sentences`), where a path would name a checkpoint."""

Positive = Annotated[float, Field(gt=0)]


class OwnModel(Strict):
    """A GPT-2 of this size, trained on our own text first. `batch` answers an update, Adam."""

    layers: Count
    width: Count
    heads: Count
    updates: Count
    batch: Count
    learning_rate: Positive
    seed: NotNegative = 0


class Arm(Strict):
    """One way to improve: an objective of `improvement`, its α and β, and how the responses are labelled."""

    improvement: Literal["pmpo", "dpo", "ipo"] = "pmpo"
    labels: Labelling = "halves"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    beta: Annotated[float, Field(ge=0)]


class Training(Strict):
    """How every arm is trained and looked at.

    `model` is a folder with a checkpoint or our own; `reward` (training) and `judge` (never trained on; None: there is none) are
    folders with sequence classifiers of one output, or our own scores; `prompts_file` has a prompt a line, of which
    the last `held_out` are for evaluation. Our own scores know only our own prompts.

    `prompts` are drawn for each of `updates`, with `responses` each of `response_tokens` at most, sampled from the
    reference, which becomes the policy every `renewal` updates; those of `sampled_together`
    updates are sampled side by side. `prompts_at_once` cuts an update's passes into parts that fit
    into memory, which changes it by rounding only. Tables have `rows` times of training, and
    `evaluations` besides the one before it, of `evaluated` responses to held-out prompts.
    """

    model: OwnModel | str
    reward: str = PROGRAMMATIC
    judge: str | None = PROGRAMMATIC
    prompts_file: str | None = None
    held_out: Count | None = None
    updates: Count
    prompts: Count
    responses: Annotated[int, Field(ge=2)] = 4
    response_tokens: Count
    renewal: Count
    sampled_together: Count = 1
    learning_rate: Positive
    largest_gradient: Positive = 1.0
    prompts_at_once: Count | None = None
    rows: Count
    evaluations: Count
    evaluated: Count
    device: Literal["cpu", "cuda"] = "cpu"

    @model_validator(mode="after")
    def _own_scores_know_own_prompts(self) -> Training:
        if (self.prompts_file is None) != (self.held_out is None):
            raise ValueError("prompts_file and held_out go together: give both or neither")
        scores = {"reward": self.reward, "judge": self.judge}
        for name, value in scores.items():
            if value == PROGRAMMATIC and self.prompts_file is not None:
                raise ValueError(
                    f"{name}: our own scores know our own prompts only, and prompts_file is given; allowed: the folder of "
                    f"a sequence classifier{'' if name == 'reward' else ', or null'}"
                )
        return self

    @model_validator(mode="after")
    def _times_fit(self) -> Training:
        require_divisors("updates", self.updates, rows=self.rows, evaluations=self.evaluations)
        for name, value in (("renewal", self.renewal), ("updates", self.updates)):
            require_divisors(name, value, sampled_together=self.sampled_together)
        return self
