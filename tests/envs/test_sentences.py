"""Our world of words: both scores by hand, and what the text is like."""

from __future__ import annotations

import numpy as np
import pytest

from envs import sentences
from envs.sentences import (
    BAD,
    GOOD,
    LONGEST,
    NOUNS,
    PLAIN,
    VERBS,
    WORDS,
    merit,
    praise,
    well_formed,
)

CAT = "describe the cat :"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", 0),
        ("the cat is kind .", 1),
        ("the cat is cruel .", -1),
        ("the kind kind dog is very bright", 3),
        ("kind " * 24, 24),
        ("kind cruel dull the the small", -1),
    ],
)
def test_praise_counts_good_words_less_bad_ones_wherever_they_stand(
    answer: str, expected: float
) -> None:
    assert praise([CAT], [answer]) == [expected]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", 0),
        ("the cat is kind .", 1 / 6),
        ("the cat is kind . the cat is kind .", 1 / 6),
        ("the cat is kind . the cat is bright .", 2 / 6),
        # Of the dog nothing counts, nor of "it" after it; after a broken sentence "it" is still the cat.
        ("the dog is kind . it is bright .", 0),
        ("the dog is kind . the cat moves . it is bright .", 1 / 6),
        ("it is gentle and brave and clever .", 3 / 6),
        ("the cat is kind . dog dog . it is bright .", 9 / 12 * 2 / 6),
        # What is not finished, and what is repeated, is in no sentence.
        ("the cat is kind . the cat is", 5 / 8 * 1 / 6),
        ("the kind kind cat is bright .", 0),
        ("the kind bright gentle cat sleeps .", 0),
        ("the kind bright cat is very gentle and brave . it is clever and happy .", 1),
        ("kind " * 24, 0),
        ("the cat is cruel .", 0),
    ],
)
def test_merit_is_what_well_formed_sentences_say_of_the_topic(answer: str, expected: float) -> None:
    assert merit([CAT], [answer]) == pytest.approx([expected])


def test_scores_are_of_each_prompt_and_its_own_answer() -> None:
    prompts = [CAT, "tell me about the dog :"]
    answers = ["the cat is kind .", "the cat is bright ."]
    assert merit(prompts, answers) == pytest.approx([1 / 6, 0])
    assert praise(prompts, answers) == [1, 1]
    with pytest.raises(ValueError, match="asks about none of cat"):
        merit(["what is it"], ["the cat is kind ."])


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [
        ("the cat sleeps .", True),
        ("the small cat sleeps .", True),
        ("the small old cat is very red and kind .", True),
        ("it is very kind .", True),
        ("it is kind and bright and red .", True),
        ("it is kind and bright and red and old .", False),
        ("it sleeps .", False),
        ("the cat .", False),
        ("cat sleeps .", False),
        ("the cat is very .", False),
        ("the cat sleeps", False),
        ("the cat is kind and kind .", False),
        ("the cat is is kind .", False),
        ("describe the cat .", False),
    ],
)
def test_well_formed_sentences(sentence: str, whole: bool) -> None:
    assert well_formed(sentence.split()) is whole


def test_words_stand_in_one_class_and_prompts_in_one_part() -> None:
    classes = (NOUNS, GOOD, BAD, PLAIN, VERBS)
    every = [word for words in classes for word in words]
    assert len(set(every)) == len(every)
    assert len(set(WORDS)) == len(WORDS)
    trained, held_out = sentences.prompts(False), sentences.prompts(True)
    assert (len(trained), len(held_out)) == (36, 12)
    assert not set(trained) & set(held_out)
    assert {sentences.topic(prompt) for prompt in held_out} == set(NOUNS)
    assert {word for prompt in trained + held_out for word in prompt.split()} <= set(WORDS)


def test_text_is_imperfect_and_praise_goes_with_merit_in_it() -> None:
    prompts = sentences.prompts(False) * 20
    random = np.random.default_rng(0)
    texts = [sentences.answer(prompt, random) for prompt in prompts]
    assert {word for text in texts for word in text.split()} <= set(WORDS)
    assert max(len(text.split()) for text in texts) <= LONGEST
    whole = [well_formed(s) for text in texts for s in sentences.sentences(text.split())]
    assert 0.5 < np.mean(whole) < 0.9
    assert np.corrcoef(praise(prompts, texts), merit(prompts, texts))[0, 1] > 0.3
