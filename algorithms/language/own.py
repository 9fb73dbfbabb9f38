"""A small causal model of our own: GPT-2 on the words of `envs.sentences`, trained on text that it generates."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy

from algorithms.language.checkpoints import Language, library
from algorithms.language.settings import OwnModel
from algorithms.language.tokens import positions
from algorithms.seeding import Purpose, stream, words
from envs import sentences

END, PAD, UNKNOWN = "<end>", "<pad>", "<unknown>"
CONTEXT = 64
WARM_UP = 50


def tokenizer() -> Any:
    """Whole words, split at spaces. Raises SpecificationError without the library."""
    fast = library().PreTrainedTokenizerFast
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    known = {word: i for i, word in enumerate((PAD, END, UNKNOWN, *sentences.WORDS))}
    splitting = Tokenizer(WordLevel(known, unk_token=UNKNOWN))
    splitting.pre_tokenizer = WhitespaceSplit()
    special = {"pad_token": PAD, "eos_token": END, "unk_token": UNKNOWN}
    return fast(tokenizer_object=splitting, clean_up_tokenization_spaces=False, **special)


def untrained(settings: OwnModel) -> Language:
    """The model as it is initialised from its seed. Torch's global stream is left as it was."""
    splitting = tokenizer()
    config = library().GPT2Config(
        vocab_size=len(splitting),
        n_positions=CONTEXT,
        n_embd=settings.width,
        n_layer=settings.layers,
        n_head=settings.heads,
        bos_token_id=None,
        eos_token_id=splitting.eos_token_id,
        pad_token_id=splitting.pad_token_id,
        initializer_range=settings.width**-0.5,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(words(settings.seed, Purpose.INITIALISATION, 0, 1)[0])
        model = library().GPT2LMHeadModel(config)
    return Language(model.eval(), splitting)


def own_model(settings: OwnModel, device: torch.device) -> Language:
    """The model after training on answers to all prompts, those held out later included."""
    language = untrained(settings)
    language.model.to(device)
    optimiser = torch.optim.Adam(language.model.parameters(), settings.learning_rate)
    asked = [*sentences.prompts(held_out=False), *sentences.prompts(held_out=True)]
    for update in range(settings.updates):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * schedule(update, settings.updates)
        random = stream(settings.seed, Purpose.UPDATES, update)
        chosen = [asked[i] for i in random.integers(len(asked), size=settings.batch)]
        texts = [f"{prompt} {sentences.answer(prompt, random)} {END}" for prompt in chosen]
        optimiser.zero_grad()
        text_loss(language, texts).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return language


def schedule(update: int, updates: int) -> float:
    """The share of the learning rate at an update: rises over WARM_UP updates, and falls linearly to 0."""
    return min(1.0, (update + 1) / WARM_UP) * (1 - update / updates)


def text_loss(language: Language, texts: list[str]) -> torch.Tensor:
    """Mean −log-probability, in nats, of every token but each text's first."""
    given = language.encode(texts)
    passed = {"attention_mask": given.real.long(), "position_ids": positions(given.real)}
    logits = language.model(input_ids=given.tokens, use_cache=False, **passed).logits[:, :-1]
    counted = given.real[:, :-1]
    return cross_entropy(logits[counted], given.tokens[:, 1:][counted])
