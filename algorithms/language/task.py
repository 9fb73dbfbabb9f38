"""What arms are trained from: a base model, prompts to train on and prompts held out, the reward and an independent judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from algorithms.language.checkpoints import (
    Language,
    checksums,
    load_language,
    load_reward,
    read_prompts,
    require_fit,
)
from algorithms.language.own import own_model
from algorithms.language.settings import PROGRAMMATIC, OwnModel, Training
from algorithms.specification import SpecificationError
from envs import sentences

Score = Callable[[Sequence[str], Sequence[str]], list[float]]
"""(prompts, answers) → a number for each."""


@dataclass(frozen=True)
class Task:
    """A base model, two scores and prompts. `sources` are checksums of the weights that were loaded, by file."""

    base: Language
    reward: Score
    judge: Score | None
    prompts: Sequence[str]
    held_out: Sequence[str]
    sources: Mapping[str, str]

    def scores(
        self, prompts: Sequence[str], answers: Sequence[Sequence[str]]
    ) -> tuple[Tensor, Tensor]:
        """Reward and the judge's score, NaN without a judge, of M answers to each of B prompts: both [M, B]."""
        told = [prompt for _ in answers for prompt in prompts]
        said = [text for row in answers for text in row]
        judged = [math.nan] * len(said) if self.judge is None else self.judge(told, said)
        shape = (len(answers), len(prompts))
        return torch.tensor(self.reward(told, said)).view(shape), torch.tensor(judged).view(shape)


def prepare(settings: Training) -> Task:
    """Load or make all of it. Raises SpecificationError for whatever cannot be, before a model is trained."""
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise SpecificationError("device: cuda is not available here; allowed: cpu")
    device = torch.device(settings.device)
    reward = _score(settings.reward, sentences.praise, device)
    judge = None if settings.judge is None else _score(settings.judge, sentences.merit, device)
    if isinstance(settings.model, OwnModel):
        base = own_model(settings.model, device)
    else:
        base = load_language(Path(settings.model), device)
    prompts, held_out = _prompts(settings, base)
    return Task(base, reward, judge, prompts, held_out, _sources(settings))


def _score(given: str, own: Score, device: torch.device) -> Score:
    return own if given == PROGRAMMATIC else load_reward(Path(given), device)


def _prompts(settings: Training, base: Language) -> tuple[list[str], list[str]]:
    """To train on, and held out."""
    if settings.prompts_file is None or settings.held_out is None:
        own = (sentences.prompts(held_out=False), sentences.prompts(held_out=True))
        for prompt in own[0] + own[1]:
            require_fit("envs/sentences.py", prompt, base, settings.response_tokens)
        return own
    path = Path(settings.prompts_file)
    prompts = read_prompts(path, base, settings.response_tokens)
    if len(prompts) <= settings.held_out:
        raise SpecificationError(
            f"{path}: has {len(prompts)} prompts, of which held_out = {settings.held_out} are not trained on; none is left"
        )
    return prompts[: -settings.held_out], prompts[-settings.held_out :]


def _sources(settings: Training) -> dict[str, str]:
    named = {"model": settings.model, "reward": settings.reward, "judge": settings.judge}
    return {
        f"{name}/{file}": checksum
        for name, given in named.items()
        if isinstance(given, str) and given != PROGRAMMATIC
        for file, checksum in checksums(Path(given)).items()
    }
