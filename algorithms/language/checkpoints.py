"""Causal models, tokenizers and reward models from local folders: safetensors only, nobody's code, nothing downloaded.

Whatever is wrong with a checkpoint, its tokenizer or a file of prompts is one SpecificationError, before any training.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from algorithms.header import sha256
from algorithms.language.sampling import Prompts, padded
from algorithms.language.tokens import Model, Responses
from algorithms.specification import SpecificationError

Tokenizer = Any
"""A tokenizer of `transformers`."""

INSTALL = "pip install -c constraints.txt -e '.[language]'"
ROUNDED_UP = 0.02
"""Models have up to this share more embeddings than their tokenizer has tokens, to round their number up."""
REWARD_BATCH = 64


@dataclass(frozen=True)
class Language:
    """A causal model and its tokenizer. Padding is the end of sequence where a tokenizer has none of its own."""

    model: Model
    tokenizer: Tokenizer

    @property
    def ends(self) -> int:
        """The token that ends a response."""
        return int(self.tokenizer.eos_token_id)

    @property
    def pad(self) -> int:
        """The token that fills up; no pass attends to it."""
        own = self.tokenizer.pad_token_id
        return self.ends if own is None else int(own)

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Prompts as tokens."""
        return padded(
            [self.tokenizer(text)["input_ids"] for text in prompts], self.pad, self.model.device
        )

    def decode(self, responses: Responses) -> list[list[str]]:
        """Responses as text: M lists of B."""
        answers, counted = responses.answers.tolist(), responses.counted.tolist()
        return [
            [self._text(each, real) for each, real in zip(*both, strict=True)]
            for both in zip(answers, counted, strict=True)
        ]

    def _text(self, tokens: list[int], counted: list[bool]) -> str:
        kept = [token for token, real in zip(tokens, counted, strict=True) if real]
        return str(self.tokenizer.decode(kept, skip_special_tokens=True)).strip()


def library() -> Any:
    """The module `transformers`. Raises SpecificationError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise SpecificationError(
            f"language models need transformers, which is not installed; {INSTALL}"
        ) from error
    return transformers


def load_language(folder: Path, device: torch.device) -> Language:
    """A causal model in single precision and its tokenizer, checked against each other. Raises SpecificationError."""
    transformers = library()
    _require_safetensors(folder)
    with _one_line(folder):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, **_SAFELY)
    missing = [name for name in _TAKEN if name not in inspect.signature(model.forward).parameters]
    if missing:
        raise SpecificationError(
            f"{folder}: models of the type {model.config.model_type} do not take {', '.join(missing)}; prompts of different "
            "lengths could not be sampled from side by side"
        )
    tokenizer = _load_tokenizer(folder, model)
    if tokenizer.eos_token_id is None:
        raise SpecificationError(
            f"{folder}: the tokenizer has no end of sequence (eos_token); a response could not end"
        )
    return Language(_still(model, device), tokenizer)


def load_reward(folder: Path, device: torch.device) -> RewardModel:
    """A sequence classifier with one output. Raises SpecificationError."""
    transformers = library()
    _require_safetensors(folder)
    with _one_line(folder):
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, **_SAFELY)
    if model.config.num_labels != 1:
        raise SpecificationError(
            f"{folder}: a reward model has one output (has num_labels = {model.config.num_labels})"
        )
    tokenizer = _load_tokenizer(folder, model)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise SpecificationError(
            f"{folder}: the tokenizer can neither pad (pad_token) nor end (eos_token) a text"
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    return RewardModel(_still(model, device), tokenizer)


@dataclass(frozen=True)
class RewardModel:
    """A classifier's output for prompt and answer, as one text."""

    model: Model
    tokenizer: Tokenizer

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        """A score for each prompt and its answer."""
        texts = [f"{prompt} {text}" for prompt, text in zip(prompts, answers, strict=True)]
        scores: list[float] = []
        for start in range(0, len(texts), REWARD_BATCH):
            given = self.tokenizer(
                texts[start : start + REWARD_BATCH], padding=True, return_tensors="pt"
            )
            names = ("input_ids", "attention_mask")
            passed = {name: given[name].to(self.model.device) for name in names}
            scores += self.model(**passed).logits[:, 0].tolist()
        return scores


def read_prompts(path: Path, language: Language, response_tokens: int) -> list[str]:
    """The prompts of a file, one a line; empty lines are none. Raises SpecificationError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    prompts = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not prompts:
        raise SpecificationError(f"{path}: has no prompt; one a line is needed")
    for number, prompt in prompts:
        require_fit(f"{path}:{number}", prompt, language, response_tokens)
    return [prompt for _, prompt in prompts]


def require_fit(place: str, prompt: str, language: Language, response_tokens: int) -> None:
    """Raise SpecificationError for a prompt that is nothing, or too long for the model with its response."""
    tokens = len(language.tokenizer(prompt)["input_ids"])
    context = getattr(language.model.config, "max_position_embeddings", None)
    if not tokens:
        raise SpecificationError(f"{place}: the tokenizer makes no token of the prompt {prompt!r}")
    if context is not None and tokens + response_tokens > context:
        raise SpecificationError(
            f"{place}: the prompt has {tokens} tokens, with {response_tokens} of a response more than the model's "
            f"context of {context}"
        )


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of weights in a folder, by name."""
    return {path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))}


_TAKEN = ("attention_mask", "position_ids", "cache")
"""What sampling gives a causal model."""
_SAFELY = {
    "local_files_only": True,
    "use_safetensors": True,
    "trust_remote_code": False,
    "dtype": torch.float32,
}


def _require_safetensors(folder: Path) -> None:
    if not folder.is_dir():
        raise SpecificationError(
            f"{folder}: there is no such folder; a checkpoint is a local folder, nothing is downloaded"
        )
    if not (folder / "config.json").is_file():
        raise SpecificationError(
            f"{folder}: has no config.json; it is no checkpoint of transformers"
        )
    if any(folder.glob("*.safetensors")):
        return
    pickled = [
        path.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(kind)
    ]
    if pickled:
        raise SpecificationError(
            f"{folder}: its weights are pickled only ({pickled[0]}), which can run anybody's code; allowed: safetensors"
        )
    raise SpecificationError(f"{folder}: has no weights (*.safetensors)")


def _load_tokenizer(folder: Path, model: Model) -> Tokenizer:
    """The tokenizer of a model. Raises SpecificationError where it knows other tokens than the model."""
    with _one_line(folder):
        tokenizer = library().AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    known, embedded = len(tokenizer), model.get_input_embeddings().num_embeddings
    if not known <= embedded <= known * (1 + ROUNDED_UP):
        raise SpecificationError(
            f"{folder}: the tokenizer has {known} tokens and the model {embedded} embeddings; they do not belong together"
        )
    return tokenizer


def _still(model: Model, device: torch.device) -> Model:
    """Without dropout, on its device."""
    return model.to(device).eval()


@contextmanager
def _one_line(folder: Path) -> Iterator[None]:
    """What `transformers` raises for a folder that it cannot load, as one line."""
    try:
        yield
    except Exception as error:  # it raises OSError, ValueError, KeyError, RuntimeError, SafetensorError and its own
        reason = " ".join(str(error).split())[:300]
        raise SpecificationError(
            f"{folder}: cannot be loaded: {reason or type(error).__name__}"
        ) from error
