"""Token policies against enumeration and hand-written passes; sampling; loading from disk, and everything it refuses."""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from algorithms.improvement import IMPROVEMENTS, Labels
from algorithms.language import checkpoints
from algorithms.language.own import own_model, tokenizer
from algorithms.language.sampling import padded, sample
from algorithms.language.settings import Arm, OwnModel, Training
from algorithms.language.task import Task, prepare
from algorithms.language.tokens import Responses, TokenPolicy
from algorithms.language.training import draw_prompts, improve, train
from algorithms.specification import SpecificationError
from envs import sentences

transformers = pytest.importorskip(
    "transformers", reason="language models need the extra `language`"
)

END, VOCABULARY, LONGEST = 0, 4, 3
CPU = torch.device("cpu")
KNOWN = 3 + len(sentences.WORDS)
OWN = OwnModel(layers=1, width=16, heads=2, updates=3, batch=4, learning_rate=1e-2)


def gpt2(
    seed: int, vocabulary: int = VOCABULARY, kind: str = "GPT2LMHeadModel", **more: Any
) -> Any:
    """A tiny model whose next tokens are far from uniform, in double precision."""
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_positions=16,
        n_embd=8,
        n_layer=2,
        n_head=2,
        initializer_range=0.7,
        eos_token_id=END,
        bos_token_id=None,
        pad_token_id=None,
        **more,
    )
    return getattr(transformers, kind)(config).double().eval()


def llama(seed: int) -> Any:
    """The same with rotary positions."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        initializer_range=0.3,
    )
    return transformers.LlamaForCausalLM(config).double().eval()


@pytest.fixture(params=[gpt2, llama], ids=["gpt2", "llama"])
def make(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    return request.param


def whole_responses() -> list[list[int]]:
    """Every response of at most LONGEST tokens: it ends with END, or is cut off."""
    return [
        list(each)
        for length in range(1, LONGEST + 1)
        for each in itertools.product(range(VOCABULARY), repeat=length)
        if END not in each[:-1] and (length == LONGEST or each[-1] == END)
    ]


def lay_out(prompts: list[list[int]], answers: list[list[list[int]]], pad: int = 1) -> Responses:
    """M answers to each of B prompts (answers[m][b]), padded on both sides."""
    start = max(map(len, prompts))
    longest = max(len(each) for row in answers for each in row)
    tokens = [
        [
            [pad] * (start - len(p)) + p + a + [pad] * (longest - len(a))
            for p, a in zip(prompts, row, strict=True)
        ]
        for row in answers
    ]
    real = [
        [
            [False] * (start - len(p)) + [True] * (len(p) + len(a)) + [False] * (longest - len(a))
            for p, a in zip(prompts, row, strict=True)
        ]
        for row in answers
    ]
    return Responses(torch.tensor(tokens), torch.tensor(real), start)


def by_hand(model: Any, prompt: list[int], answer: list[int]) -> list[Tensor]:
    """Log-probabilities of the next token before each of the answer's, each from a pass of its own without padding."""
    return [
        torch.log_softmax(model(input_ids=torch.tensor([prompt + answer[:i]])).logits[0, -1], -1)
        for i in range(len(answer))
    ]


def log_prob_by_hand(model: Any, prompt: list[int], answer: list[int]) -> Tensor:
    return sum(
        each[token] for each, token in zip(by_hand(model, prompt, answer), answer, strict=True)
    )


# The policy


PROMPTS = [[2], [3, 1, 2]]
ANSWERS = [[[1, 2, 0], [3, 0]], [[3, 3, 1], [2, 1, 3]], [[0], [0]]]


@torch.no_grad()
def test_log_prob_is_that_of_a_pass_by_hand_whatever_the_padding(
    make: Callable[[int], Any],
) -> None:
    model = make(0)
    for pad in (1, END):
        responses = lay_out(PROMPTS, ANSWERS, pad)
        found = TokenPolicy(model, responses).log_prob(responses)
        expected = [
            [float(log_prob_by_hand(model, p, a)) for p, a in zip(PROMPTS, row, strict=True)]
            for row in ANSWERS
        ]
        torch.testing.assert_close(
            found.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-5
        )


def test_what_stands_at_padding_changes_nothing(make: Callable[[int], Any]) -> None:
    policy, reference = make(0), make(1)
    responses, others = lay_out(PROMPTS, ANSWERS, 1), lay_out(PROMPTS, ANSWERS, 3)
    for found, again in (
        (TokenPolicy(policy, r).log_prob(r), TokenPolicy(reference, r).kl(TokenPolicy(policy, r)))
        for r in (responses, others)
    ):
        assert found.isfinite().all()
        assert again.isfinite().all()
    first, second = TokenPolicy(policy, responses), TokenPolicy(policy, others)
    torch.testing.assert_close(
        first.log_prob(responses), second.log_prob(others), rtol=1e-5, atol=1e-6
    )


@torch.no_grad()
def test_probabilities_of_all_responses_add_up_to_one() -> None:
    answers = whole_responses()
    responses = lay_out([[2]], [[each] for each in answers])
    total = TokenPolicy(gpt2(0), responses).log_prob(responses).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-5)


def test_expected_token_kl_is_the_kl_of_whole_responses(make: Callable[[int], Any]) -> None:
    """Eq. 15 to 17: Σ_y π(y) Σ_i KL_i(y) = Σ_y π(y) log π(y)/π'(y), over every response."""
    answers = [[each] for each in whole_responses()]
    responses = lay_out([[2, 3]], answers)
    own, other = TokenPolicy(make(0), responses), TokenPolicy(make(1), responses)
    p = own.log_prob(responses).exp()[:, 0]
    of_tokens = (p * own.kl(other)[:, 0]).sum()
    whole = (p * (own.log_prob(responses) - other.log_prob(responses))[:, 0]).sum()
    assert float(whole.detach()) > 0.1
    assert float(of_tokens) == pytest.approx(float(whole), rel=1e-4)
    # It is no log-ratio: of one response it is never negative, and it depends on the prefixes alone.
    assert (own.kl(other) >= 0).all()
    assert float(own.kl(own).abs().max()) == 0
    lasts = [i for i, (each,) in enumerate(answers) if each[:2] == [1, 2]]
    assert len(lasts) == VOCABULARY
    torch.testing.assert_close(
        own.kl(other)[lasts], own.kl(other)[lasts[:1]].expand(VOCABULARY, 1), rtol=1e-5, atol=1e-6
    )


def test_kl_and_entropy_by_hand() -> None:
    own, other, prompt, answer = gpt2(0), gpt2(1), [3, 1, 2], [2, 0]
    responses = lay_out([[2], prompt], [[[1, 1, 1], answer]])
    pairs = zip(by_hand(own, prompt, answer), by_hand(other, prompt, answer), strict=True)
    expected = sum(float((a.exp() * (a - b)).sum()) for a, b in pairs)
    found = TokenPolicy(own, responses).kl(TokenPolicy(other, responses))[0, 1]
    assert float(found) == pytest.approx(expected, rel=1e-4)
    every = [*by_hand(own, [2], [1, 1, 1]), *by_hand(own, prompt, answer)]
    mean = sum(float(-(each.exp() * each).sum()) for each in every) / 5
    assert float(TokenPolicy(own, responses).entropy()) == pytest.approx(mean, rel=1e-4)


def test_a_policy_refuses_responses_that_it_was_not_made_along() -> None:
    one, other = lay_out(PROMPTS, ANSWERS), lay_out(PROMPTS, ANSWERS)
    policy = TokenPolicy(gpt2(0), one)
    for refused in (lambda: policy.log_prob(other), lambda: policy.kl(TokenPolicy(gpt2(1), other))):
        with pytest.raises(ValueError, match="alone that it was made along"):
            refused()


# Improvement


ACCEPTED = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
REJECTED = torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
PAIRS = {0: (0, 2), 1: (1, 0)}
"""Prompt → its accepted and its rejected answer, by the labels above."""


def gradients(loss: Tensor, model: Any) -> Tensor:
    parts = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (1.0, 0.0), (0.0, 2.0)])
def test_pmpo_descends_the_written_out_formula(alpha: float, beta: float) -> None:
    model, held = gpt2(0), gpt2(1)
    responses = lay_out(PROMPTS, ANSWERS)
    with torch.no_grad():
        reference = TokenPolicy(held, responses)
    given = (torch.tensor(alpha), torch.tensor(beta))
    loss = IMPROVEMENTS["pmpo"](
        TokenPolicy(model, responses), reference, responses, Labels(ACCEPTED, REJECTED), *given
    )
    liked, disliked = (
        sum(
            log_prob_by_hand(model, PROMPTS[b], ANSWERS[pair[side]][b]) for b, pair in PAIRS.items()
        )
        / 2
        for side in (0, 1)
    )
    kl = 0.0
    for row in ANSWERS:
        for prompt, answer in zip(PROMPTS, row, strict=True):
            for a, b in zip(
                by_hand(held, prompt, answer), by_hand(model, prompt, answer), strict=True
            ):
                kl = kl + (a.exp() * (a - b)).sum() / 6
    written = -alpha * liked + (1 - alpha) * disliked + beta * kl
    assert float(loss) == pytest.approx(float(written), rel=1e-4)
    torch.testing.assert_close(
        gradients(loss, model), gradients(written, model), rtol=1e-3, atol=1e-5
    )


def test_dpo_descends_the_written_out_formula() -> None:
    model, held, beta = gpt2(0), gpt2(1), 0.3
    responses = lay_out(PROMPTS, ANSWERS)
    with torch.no_grad():
        reference = TokenPolicy(held, responses)
    given = (torch.tensor(0.5), torch.tensor(beta))
    loss = IMPROVEMENTS["dpo"](
        TokenPolicy(model, responses), reference, responses, Labels(ACCEPTED, REJECTED), *given
    )
    written = 0.0
    for b, (best, worst) in PAIRS.items():
        lead = [
            log_prob_by_hand(each, PROMPTS[b], ANSWERS[best][b])
            - log_prob_by_hand(each, PROMPTS[b], ANSWERS[worst][b])
            for each in (model, held)
        ]
        written = written + torch.log1p(torch.exp(-beta * (lead[0] - lead[1].detach()))) / 2
    assert float(loss) == pytest.approx(float(written), rel=1e-4)
    torch.testing.assert_close(
        gradients(loss, model), gradients(written, model), rtol=1e-3, atol=1e-5
    )


# Sampling


def drawn(model: Any, prompts: list[list[int]], count: int, seed: int) -> Responses:
    given = padded(prompts, 1, CPU)
    return sample(model, given, count, LONGEST, END, 1, torch.Generator().manual_seed(seed))


def test_samples_are_reproducible_and_laid_out_as_their_masks_say() -> None:
    model = gpt2(0)
    first, again, other = (drawn(model, PROMPTS, 50, seed) for seed in (0, 0, 1))
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.tokens, other.tokens)
    assert first.tokens.shape == (50, 2, 3 + LONGEST)
    for m, b in itertools.product(range(50), range(2)):
        prompt = first.tokens[m, b, : first.start][first.real[m, b, : first.start]].tolist()
        kept = first.answers[m, b][first.counted[m, b]].tolist()
        assert prompt == PROMPTS[b]
        assert kept in whole_responses()
        assert first.counted[m, b].tolist() == [True] * len(kept) + [False] * (LONGEST - len(kept))


@torch.no_grad()
def test_samples_are_distributed_as_the_model_says(make: Callable[[int], Any]) -> None:
    """χ² of 3,000 responses to each of two prompts of different lengths; each test errs once in a thousand."""
    model, answers, count = make(0), whole_responses(), 3000
    sampled = drawn(model, PROMPTS, count, 3)
    for b, prompt in enumerate(PROMPTS):
        probabilities = np.exp([float(log_prob_by_hand(model, prompt, each)) for each in answers])
        found = [tuple(sampled.answers[m, b][sampled.counted[m, b]].tolist()) for m in range(count)]
        expected = count * probabilities / probabilities.sum()
        seen = np.array([found.count(tuple(each)) for each in answers])
        often = expected >= 5
        assert often.sum() >= 5
        groups = [[*x[often], x[~often].sum() + 1e-9] for x in (seen, expected)]
        assert stats.chisquare(*groups, sum_check=False).pvalue > 1e-3


def test_sampling_ends_when_every_response_is_over() -> None:
    model = gpt2(0)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.transformer.ln_f.bias.fill_(10.0)
        model.lm_head.weight[END] = 1.0
    assert drawn(model, [[2]], 3, 0).answers.tolist() == [[[END]]] * 3


# Training


def task() -> Task:
    base = own_model(OWN, CPU)
    held_out = sentences.prompts(held_out=True)
    return Task(
        base, sentences.praise, sentences.merit, sentences.prompts(held_out=False), held_out, {}
    )


def training(**changes: Any) -> Training:
    small = {
        "model": OWN,
        "updates": 4,
        "prompts": 4,
        "response_tokens": 8,
        "renewal": 2,
        "learning_rate": 1e-3,
        "rows": 2,
        "evaluations": 1,
        "evaluated": 5,
    }
    return Training.model_validate({**small, **changes})


AR = Arm(alpha=0.5, beta=0.5)


def test_a_run_repeats_to_the_bit_and_evaluations_do_not_touch_it() -> None:
    torch.manual_seed(0)
    first = train(task(), AR, training(), 0)
    torch.manual_seed(1)
    again, often = (train(task(), AR, training(evaluations=n), 0) for n in (1, 4))
    assert first == again
    assert often.updates == first.updates
    assert often.evaluations[-1] == first.evaluations[-1]
    assert [row["step"] for row in often.evaluations] == [0, 1, 2, 3, 4]
    assert train(task(), AR, training(), 1).updates != first.updates
    assert first.evaluations[0]["kl_base"] == 0
    assert first.evaluations[-1]["kl_base"] > 0
    assert first.updates[0]["kl_reference"] == 0
    assert first.updates[1]["kl_reference"] > 0
    assert first.updates[2]["kl_reference"] == 0


def test_sampling_together_sees_the_same_reference_and_prompts() -> None:
    """Two updates' responses from one reference, side by side; the second update's own reference is the same."""
    run = train(task(), AR, training(sampled_together=2), 0)
    assert [row["kl_reference"] == 0 for row in run.updates] == [True, False, True, False]
    with pytest.raises(ValueError, match=r"sampled_together must divide renewal = 2 \(got 3\)"):
        training(sampled_together=3)


@pytest.mark.parametrize("arm", [AR, Arm(improvement="dpo", labels="extremes", beta=0.1)])
def test_an_update_in_parts_is_the_update_as_a_whole(arm: Arm) -> None:
    moved = []
    for at_once in (None, 3, 1):
        policy, reference = gpt2(0), gpt2(1)
        responses = drawn(reference, [[2], [3, 1], [1], [2, 2]], 4, 0)
        labels = Labels(torch.eye(4), torch.eye(4).flip(0))
        optimiser = torch.optim.SGD(policy.parameters(), 0.1)
        found = improve(
            policy,
            reference,
            responses,
            labels,
            arm,
            optimiser,
            training(prompts_at_once=at_once, largest_gradient=1e9),
        )
        moved.append((found, torch.cat([p.flatten() for p in policy.parameters()])))
    for found, parameters in moved[1:]:
        assert {k: v for k, v in found.items() if k != "entropy"} == pytest.approx(
            {k: v for k, v in moved[0][0].items() if k != "entropy"}, rel=1e-4
        )
        torch.testing.assert_close(parameters, moved[0][1], rtol=1e-4, atol=1e-5)


def test_a_run_that_is_not_finite_ends_there_as_diverged() -> None:
    run = train(task(), Arm(alpha=0.0, beta=0.0), training(learning_rate=1e18, updates=20), 0)
    assert run.status == "diverged"
    assert len(run.updates) < 20
    assert run.updates[-1]["step"] == len(run.updates)


def test_every_prompt_is_drawn_once_an_epoch() -> None:
    prompts = [str(i) for i in range(10)]
    seen = [prompt for update in range(10) for prompt in draw_prompts(prompts, 4, 0, update)]
    epochs = [seen[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == sorted(prompts) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_prompts_of_two_epochs_come_in_the_order_of_both() -> None:
    prompts = ["a", "b", "c"]
    assert len(draw_prompts(prompts, 8, 0, 0)) == 8


@pytest.mark.parametrize("arm", [AR, Arm(alpha=1.0, beta=0.0), Arm(alpha=0.0, beta=2.0)])
def test_every_variant_learns_to_say_what_is_rewarded(arm: Arm) -> None:
    """The reward is how often a word is said; a few updates are enough for each kind of feedback alone."""
    base = task()

    def count(prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        return [float(text.split().count("kind")) for text in answers]

    counting = Task(base.base, count, None, base.prompts, base.held_out, {})
    settings = training(
        updates=40,
        prompts=16,
        learning_rate=1e-2,
        renewal=5,
        sampled_together=5,
        judge=None,
        evaluated=60,
    )
    first, last = train(counting, arm, settings, 0).evaluations
    assert last["reward"] > 3 * first["reward"] + 0.3
    assert math.isnan(last["wins"])
    assert math.isnan(last["score"])


# Loading


def save(folder: Path, model: Any, **special: str | None) -> Path:
    """A checkpoint: a model and the words of ours as its tokenizer."""
    model.float().save_pretrained(folder)
    words = tokenizer()
    for name, value in special.items():
        setattr(words, name, value)
    words.save_pretrained(folder)
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save(tmp_path / "checkpoint", gpt2(0, KNOWN))


def test_a_saved_model_is_loaded_as_it_was(checkpoint: Path) -> None:
    language = checkpoints.load_language(checkpoint, CPU)
    original = gpt2(0, KNOWN).float()
    prompts = language.encode(["describe the cat :", "tell me about the dog :"])
    assert prompts.tokens.shape == (2, 6)
    assert not prompts.real[0, 0]
    kept = [each[real].tolist() for each, real in zip(*prompts, strict=True)]
    assert language.tokenizer.decode(kept[1]) == "tell me about the dog :"
    with torch.no_grad():
        same = [
            each(input_ids=torch.tensor([kept[0]])).logits for each in (language.model, original)
        ]
    assert torch.equal(*same)
    assert not language.model.training
    responses = sample(
        language.model, prompts, 2, 4, language.ends, language.pad, torch.Generator()
    )
    texts = language.decode(responses)
    assert len(texts) == len(texts[0]) == 2
    assert all(set(text.split()) <= {*sentences.WORDS} for row in texts for text in row)


def test_padding_is_the_end_where_a_tokenizer_has_none(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", gpt2(0, KNOWN), pad_token=None)
    language = checkpoints.load_language(folder, CPU)
    assert language.pad == language.ends


def spoil(folder: Path, how: str) -> None:
    """Make a checkpoint one that must be refused."""
    if how == "missing":
        folder.rename(folder.parent / "elsewhere")
    elif how == "pickled":
        (folder / "model.safetensors").unlink()
        torch.save({}, folder / "pytorch_model.bin")
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "other tokens":
        save(folder, gpt2(0, KNOWN + 20))
    elif how == "fewer tokens":
        save(folder, gpt2(0, KNOWN - 1))
    elif how == "no end":
        words = tokenizer()
        words.eos_token = None
        words.save_pretrained(folder)
    elif how == "no tokenizer":
        for path in folder.glob("token*"):
            path.unlink()
    elif how == "cut off":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "code":
        path = folder / "config.json"
        text = path.read_text(encoding="utf-8")
        text = text.replace(
            '"model_type": "gpt2"',
            '"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}',
        )
        path.write_text(text, encoding="utf-8")
        (folder / "mine.py").write_text("raise RuntimeError('was run')\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "there is no such folder; .* nothing is downloaded"),
        ("pickled", r"pickled only \(pytorch_model.bin\), .* allowed: safetensors"),
        ("no weights", "has no weights"),
        ("no config", "has no config.json"),
        ("other tokens", f"has {KNOWN} tokens and the model {KNOWN + 20} embeddings; they do not"),
        ("fewer tokens", f"has {KNOWN} tokens and the model {KNOWN - 1} embeddings; they do not"),
        ("no end", "has no end of sequence"),
        ("no tokenizer", f"has . tokens and the model {KNOWN} embeddings|cannot be loaded"),
        ("cut off", "cannot be loaded: "),
        ("code", "cannot be loaded: (?!was run)"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_one_line(checkpoint: Path, how: str, said: str) -> None:
    spoil(checkpoint, how)
    place = re.escape(str(checkpoint))
    with pytest.raises(SpecificationError, match=f"^{place}: .*({said})") as caught:
        prepare(training(model=str(checkpoint)))
    assert "\n" not in str(caught.value)


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    return save(tmp_path / "reward", classifier(1))


def classifier(labels: int) -> Any:
    kind = "GPT2ForSequenceClassification"
    return gpt2(1, KNOWN, kind, num_labels=labels)


def test_a_reward_model_scores_each_text_as_if_it_were_alone(reward: Path) -> None:
    score = checkpoints.load_reward(reward, CPU)
    prompts = ["describe the cat :", "tell me about the dog :", "what of the city :"]
    answers = ["it is kind .", "the dog is very bright and red .", ""]
    together = score(prompts, answers)
    alone = [score([p], [a])[0] for p, a in zip(prompts, answers, strict=True)]
    assert together == pytest.approx(alone, rel=1e-4)
    ids = torch.tensor([score.tokenizer(f"{prompts[0]} {answers[0]}")["input_ids"]])
    original = classifier(1).float()
    original.config.pad_token_id = score.tokenizer.pad_token_id
    with torch.no_grad():
        assert together[0] == pytest.approx(float(original(input_ids=ids).logits), rel=1e-4)
    assert len(set(together)) == 3


def test_a_reward_model_has_one_output(tmp_path: Path) -> None:
    folder = save(tmp_path / "reward", classifier(2))
    with pytest.raises(
        SpecificationError, match=r"a reward model has one output \(has num_labels = 2\)"
    ):
        checkpoints.load_reward(folder, CPU)


def test_a_reward_model_without_padding_pads_with_the_end_or_is_refused(tmp_path: Path) -> None:
    ended = save(tmp_path / "ended", classifier(1), pad_token=None)
    assert checkpoints.load_reward(ended, CPU).tokenizer.pad_token == "<end>"
    neither = save(tmp_path / "neither", classifier(1), pad_token=None, eos_token=None)
    with pytest.raises(SpecificationError, match=r"can neither pad \(pad_token\) nor end"):
        checkpoints.load_reward(neither, CPU)


def test_everything_from_disk_is_trained_on(checkpoint: Path, reward: Path, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(
        "describe the cat :\n\nwhat of the dog :\ntell me about the city :\n", encoding="utf-8"
    )
    settings = training(
        model=str(checkpoint),
        reward=str(reward),
        judge=None,
        prompts_file=str(path),
        held_out=1,
        prompts_at_once=1,
    )
    loaded = prepare(settings)
    assert loaded.prompts == ["describe the cat :", "what of the dog :"]
    assert loaded.held_out == ["tell me about the city :"]
    assert set(loaded.sources) == {"model/model.safetensors", "reward/model.safetensors"}
    run = train(loaded, AR, settings, 0)
    assert run.status == "done"
    assert run.evaluations[-1]["kl_base"] > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no prompt; one a line is needed"),
        ("\n  \n", "has no prompt; one a line is needed"),
        (
            "what of it :\n" + "the " * 12,
            ":2: the prompt has 12 tokens, with 8 of a response more than .* context of 16",
        ),
        ("what of it :\n", "has 1 prompts, of which held_out = 1 are not trained on; none is left"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_prompts_that_cannot_be_is_one_line(
    checkpoint: Path, reward: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "prompts.txt"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    settings = training(
        model=str(checkpoint), reward=str(reward), judge=None, prompts_file=str(path), held_out=1
    )
    with pytest.raises(SpecificationError, match=said):
        prepare(settings)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompts_file": "x", "held_out": 1}, "reward: our own scores know our own prompts only"),
        ({"prompts_file": "x", "held_out": 1, "reward": "y"}, "judge: our own .* or null"),
        ({"held_out": 1}, "prompts_file and held_out go together"),
        ({"rows": 3}, r"rows must divide updates = 4 \(got 3\)"),
        ({"responses": 1}, "responses"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        training(**changes)


def test_our_own_model_repeats_and_leaves_the_global_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = own_model(OWN, CPU), own_model(OWN, CPU)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert first.tokenizer("the cat .")["input_ids"] == [
        3 + sentences.WORDS.index(word) for word in ("the", "cat", ".")
    ]


def test_without_the_library_there_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("transformers", "tokenizers"):
        monkeypatch.setitem(sys.modules, name, None)
    for needing in (checkpoints.library, lambda: own_model(OWN, CPU)):
        with pytest.raises(SpecificationError, match=r"not installed; pip install .*\[language\]"):
            needing()


def test_a_model_that_cannot_be_padded_is_refused(tmp_path: Path) -> None:
    """Bloom has no positions that could be given to it."""
    config = transformers.BloomConfig(vocab_size=KNOWN, hidden_size=8, n_layer=1, n_head=2)
    folder = save(tmp_path / "bloom", transformers.BloomForCausalLM(config))
    with pytest.raises(SpecificationError, match="type bloom do not take position_ids"):
        checkpoints.load_language(folder, CPU)


@pytest.mark.parametrize("kind", ["Gemma2", "Qwen2"])
def test_other_models_are_sampled_and_passed_alike(kind: str) -> None:
    """What sampling saw step by step, with what it keeps, is what a pass sees: the same most likely tokens."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        max_position_embeddings=16,
        initializer_range=1.0,
        pad_token_id=1,
        eos_token_id=END,
        bos_token_id=None,
    )
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        responses = drawn(model, PROMPTS, 40, 0)
        found = TokenPolicy(model, responses).log_prob(responses)
        for m, b in ((0, 0), (1, 1), (2, 0)):
            answer = responses.answers[m, b][responses.counted[m, b]].tolist()
            expected = float(log_prob_by_hand(model, PROMPTS[b], answer))
            assert float(found[m, b]) == pytest.approx(expected, rel=1e-4, abs=1e-5)
