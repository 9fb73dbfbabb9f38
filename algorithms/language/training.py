"""The loop: sample from the reference, label by reward, improve; every few updates the policy becomes the reference.

One seed of one arm. What is sampled and learnt is averaged over equal parts of training; before training and at equal
intervals the policy answers prompts that it is never trained on, which draws nothing that training draws.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from algorithms.improvement import IMPROVEMENTS, LABELS, Labels
from algorithms.language.checkpoints import Language
from algorithms.language.sampling import sample
from algorithms.language.settings import Arm, Training
from algorithms.language.task import Task
from algorithms.language.tokens import Model, Responses, TokenPolicy
from algorithms.seeding import Purpose, stream, words

Row = dict[str, Any]
EXAMPLES = 3
"""Answers of each evaluation that are kept as text."""


@dataclass
class Run:
    """What one seed of one arm leaves: rows of `updates`, `evaluations` and `examples`, each with its `step`."""

    updates: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)
    status: str = "done"


def train(task: Task, arm: Arm, settings: Training, seed: int) -> Run:
    """Train a copy of the base model. A run whose loss or gradient is not finite ends there, as `diverged`."""
    run, policy = Run(), copy.deepcopy(task.base.model)
    reference = copy.deepcopy(policy).requires_grad_(False)
    optimiser = torch.optim.Adam(policy.parameters(), settings.learning_rate)
    judged = Evaluation(task, settings, seed)
    judged.add(run, policy, 0)
    for update in range(settings.updates):
        if update % settings.renewal == 0:
            reference.load_state_dict(policy.state_dict())
        if update % settings.sampled_together == 0:
            sampled = collect(task, reference, settings, seed, update)
        batch = sampled[update % settings.sampled_together]
        labels = Labels(*(each.to(policy.device) for each in LABELS[arm.labels](batch.rewards)))
        learnt = improve(policy, reference, batch.responses, labels, arm, optimiser, settings)
        run.updates.append({"step": update + 1, **batch.seen, **learnt})
        if not math.isfinite(learnt["loss"] + learnt["gradient_norm"]):
            run.status = "diverged"
            break
        if (update + 1) % (settings.updates // settings.evaluations) == 0:
            judged.add(run, policy, update + 1)
    return run


class Batch(NamedTuple):
    """What one update learns from: responses, their rewards [M, B], and what is reported of them."""

    responses: Responses
    rewards: Tensor
    seen: dict[str, float]


def collect(
    task: Task, reference: Model, settings: Training, seed: int, update: int
) -> list[Batch]:
    """Batches of the next `sampled_together` updates, sampled side by side."""
    count = settings.prompts
    asked = [
        prompt
        for each in range(update, update + settings.sampled_together)
        for prompt in draw_prompts(task.prompts, count, seed, each)
    ]
    who = (settings.responses, seed, Purpose.ACTION_NOISE, update)
    responses = answers_to(task.base, reference, asked, settings, *who)
    said = task.base.decode(responses)
    rewards, scores = task.scores(asked, said)
    batches = []
    for part in parts(len(asked), count):
        own, texts = responses.of_prompts(part), [row[part] for row in said]
        means = {"reward": mean(rewards[:, part]), "score": mean(scores[:, part])}
        batches.append(Batch(own, rewards[:, part], {**means, **described(own, texts)}))
    return batches


def improve(
    policy: Model,
    reference: Model,
    responses: Responses,
    labels: Labels,
    arm: Arm,
    optimiser: torch.optim.Optimizer,
    settings: Training,
) -> dict[str, float]:
    """One update on all responses, in as many passes as memory asks for: loss, norm of the gradient, KL and entropy.

    Every prompt has as many accepted and rejected responses as every other, so the parts' losses average to the whole's.
    """
    count = responses.tokens.shape[1]
    alpha, beta = (torch.tensor(value, device=policy.device) for value in (arm.alpha, arm.beta))
    totals = dict.fromkeys(("loss", "kl_reference", "entropy"), 0.0)
    optimiser.zero_grad()
    for part in parts(count, settings.prompts_at_once):
        here = responses.of_prompts(part)
        with torch.no_grad():
            held = TokenPolicy(reference, here)
        moving = TokenPolicy(policy, here)
        given = Labels(*(each[:, part] for each in labels))
        share = here.tokens.shape[1] / count
        loss = IMPROVEMENTS[arm.improvement](moving, held, here, given, alpha, beta) * share
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = (loss.detach(), share * held.kl(moving).mean(), share * held.entropy())
        totals = {
            name: totals[name] + float(value) for name, value in zip(totals, found, strict=True)
        }
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), settings.largest_gradient)
    if math.isfinite(totals["loss"]) and torch.isfinite(norm):
        optimiser.step()
    return {**totals, "gradient_norm": float(norm)}


class Evaluation:
    """Answers to held-out prompts, always from the same streams, beside the base model's."""

    def __init__(self, task: Task, settings: Training, seed: int) -> None:
        self.task, self.settings, self.seed = task, settings, seed
        self.asked = [task.held_out[i % len(task.held_out)] for i in range(settings.evaluated)]
        base = self._answers(task.base.model, 0)
        self.scores = task.scores(self.asked, task.base.decode(base))[1]

    def add(self, run: Run, policy: Model, step: int) -> None:
        """Add what `policy` answers after `step` updates, and how often that beats the base model's (ties count half)."""
        responses = self._answers(policy, 1)
        said = self.task.base.decode(responses)
        rewards, scores = self.task.scores(self.asked, said)
        better = (scores > self.scores).float() + 0.5 * (scores == self.scores).float()
        wins = math.nan if self.task.judge is None else mean(better)
        run.evaluations.append(
            {"step": step, "reward": mean(rewards), "score": mean(scores), "wins": wins}
            | self._distance(policy, responses)
            | described(responses, said)
        )
        for i in range(min(EXAMPLES, len(self.asked))):
            each = {"prompt": self.asked[i], "answer": said[0][i]}
            run.examples.append(
                {"step": step, **each, "reward": float(rewards[0, i]), "score": float(scores[0, i])}
            )

    @torch.no_grad()
    def _distance(self, policy: Model, responses: Responses) -> dict[str, float]:
        """KL(policy ‖ base) of whole answers (Eq. 17), and the policy's entropy of a token, in nats."""
        kl, entropy = 0.0, 0.0
        for part in parts(len(self.asked), self.settings.prompts_at_once):
            here = responses.of_prompts(part)
            own, share = TokenPolicy(policy, here), here.tokens.shape[1] / len(self.asked)
            kl += share * mean(own.kl(TokenPolicy(self.task.base.model, here)))
            entropy += share * float(own.entropy())
        return {"kl_base": kl, "entropy": entropy}

    def _answers(self, model: Model, index: int) -> Responses:
        return answers_to(
            self.task.base,
            model,
            self.asked,
            self.settings,
            1,
            self.seed,
            Purpose.EVALUATION_ENVIRONMENT,
            index,
        )


def answers_to(
    base: Language,
    model: Model,
    asked: Sequence[str],
    settings: Training,
    count: int,
    seed: int,
    purpose: Purpose,
    index: int,
) -> Responses:
    """`count` responses of `model` to each prompt, from the stream of a seed, purpose and index."""
    random = torch.Generator(model.device).manual_seed(words(seed, purpose, index, 1)[0])
    return sample(
        model, base.encode(asked), count, settings.response_tokens, base.ends, base.pad, random
    )


def draw_prompts(prompts: Sequence[str], count: int, seed: int, update: int) -> list[str]:
    """Prompts of an update: epoch after epoch, each in an order of its own."""
    places = range(update * count, (update + 1) * count)
    orders = {
        epoch: stream(seed, Purpose.MINIBATCHES, epoch).permutation(len(prompts))
        for epoch in {place // len(prompts) for place in places}
    }
    return [prompts[orders[place // len(prompts)][place % len(prompts)]] for place in places]


def parts(count: int, at_once: int | None) -> Iterator[slice]:
    """[0, count) in slices of at most `at_once`."""
    size = at_once or count
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def described(responses: Responses, said: Sequence[Sequence[str]]) -> dict[str, float]:
    """Tokens of a response on average, and the share of an answer's words that it has not said before."""
    texts = [text.split() for row in said for text in row]
    shares = [len(set(words)) / len(words) for words in texts if words]
    distinct = sum(shares) / len(shares) if shares else math.nan
    return {"length": mean(responses.counted.sum(-1).float()), "distinct": distinct}


def mean(values: Tensor) -> float:
    """The mean of all."""
    return float(values.float().mean())
