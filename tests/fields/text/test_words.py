"""Words, n-grams and tokens."""

import json
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from whet.fields.text.grams import Kind, Table, laid_out, words_of
from whet.fields.text.lexicon import Lexicon
from whet.fields.text.tokens import START, UNKNOWN, Vocabulary, cut
from whet.fields.text.words import END, char_grams, clean, counted, stable_hash, word_grams, words
from whet.fields.text.words import START as FIRST


def test_words_keep_apostrophes_and_punctuation_stands_alone() -> None:
    assert words(clean("It's  GOOD, isn't it?")) == ["it's", "good", ",", "isn't", "it", "?"]


def test_without_spaces_each_character_is_a_word() -> None:
    assert words(clean("今天天气 good")) == ["今", "天", "天", "气", "good"]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_word_grams_are_counted_as_a_slow_loop_counts_them(order: int) -> None:
    texts = ["a b a b c", "", "b c"]
    row, found, times = counted(word_grams(texts, (order,)), len(texts))
    for i, text in enumerate(texts):
        parts = [FIRST, *words(text), END]
        slow = Counter(tuple(parts[k : k + order]) for k in range(len(parts) - order + 1))
        assert sorted(times[row == i].tolist()) == sorted(slow.values())
    assert len(np.unique(found)) == len(set(found.tolist()))


def test_equal_grams_have_equal_hashes_wherever_they_stand() -> None:
    one, two = word_grams(["x y good day z"], (2,)), word_grams(["good day"], (2,))
    assert set(two.hash.tolist()) & set(one.hash.tolist())
    assert not set(word_grams(["day good"], (2,)).hash.tolist()) & set(two.hash.tolist()) - {0}


def test_runs_of_characters_stay_within_a_word_and_its_borders() -> None:
    apart, together = char_grams(["ab cd"], (3,)), char_grams(["ab", "cd"], (3,))
    assert sorted(apart.hash.tolist()) == sorted(together.hash.tolist())


def test_a_words_hash_is_the_same_in_every_process() -> None:
    assert stable_hash("harbour") == 16295200358155746308


def test_weights_are_those_of_scikit_learn() -> None:
    texts = ["the cat sat", "the dog sat sat", "a bird", "a cat and a dog"]
    kind = Kind.fit("words", (1,), counted(words_of(texts, (1,)), len(texts)), len(texts), 100)
    row, place, weight = kind.weighed(texts)
    ours = np.zeros((4, len(kind.hashes)))
    ours[row, place] = weight
    marked = [f"{FIRST} {text} {END}" for text in texts]
    theirs = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\S+").fit_transform(marked).toarray()
    assert np.allclose(np.sort(ours, 1), np.sort(theirs, 1), atol=1e-6)


def test_what_training_never_saw_has_no_place() -> None:
    table = Table.fit(["the cat sat", "the dog sat"], 2)
    places, weights = table.padded(["zzz qqq"])
    known = set(table.padded(["the cat sat"])[0].ravel().tolist())
    assert set(places[weights > 0].tolist()) <= known


def test_the_heaviest_grams_are_kept_where_a_text_has_too_many() -> None:
    places, weights = laid_out(np.zeros(3, int), np.array([1, 2, 3]), np.array([0.1, 0.9, 0.5]), 1, 2)
    assert places.tolist() == [[2, 3]]
    assert weights[0].tolist() == pytest.approx([0.9, 0.5])


def test_a_table_comes_back_from_its_state() -> None:
    table = Table.fit(["the cat sat", "the dog sat"], 2)
    again = Table.from_dict(table.to_dict())
    assert all(np.array_equal(a, b) for a, b in zip(table.padded(["the dog"]), again.padded(["the dog"]), strict=True))


def test_tokens_spell_every_text_of_every_language() -> None:
    vocabulary = Vocabulary.fit(["some plain words", "more plain words"] * 5, 64, lower=False)
    for text in ("plain words", "naïve Ωμέγα", "今天 🙂"):
        assert vocabulary.text(vocabulary.encoded([text])[0]) == text


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert cut([START, *range(10, 20)], 4) == [START, 10, 11, 19]


def test_an_empty_text_has_one_token() -> None:
    vocabulary = Vocabulary.fit(["some words"] * 3, 8)
    assert vocabulary.encoded([""]) == [[START]]


def test_a_word_never_seen_is_known_by_its_parts() -> None:
    lexicon = Lexicon.fit(["Running far", "Walking far", "She is walking NASA", "He is running NATO"])
    (word,) = lexicon.padded(["hopping"])
    known = dict(zip(("word", "beginning", "end", "short end", "shape"), word[0].tolist(), strict=True))
    assert known["word"] == known["beginning"] == known["end"] == UNKNOWN
    assert known["short end"] > UNKNOWN
    assert known["shape"] > UNKNOWN
    assert not word[1:].any()


def test_a_long_text_is_read_from_both_ends_and_an_empty_one_is_an_unknown_word() -> None:
    lexicon = Lexicon(Lexicon.fit(["a b c d e f g h"] * 2).hashes, length=4)
    long, whole, empty = lexicon.padded(["a b c d e f g h", "a b c h", ""])
    assert (long == whole).all()
    assert (empty[0] == UNKNOWN).all()
    assert not empty[1:].any()


def test_a_lexicon_is_read_back_as_it_was_written() -> None:
    lexicon = Lexicon.fit(["one two", "two three one"])
    again = Lexicon.from_dict(json.loads(json.dumps(lexicon.to_dict())))
    assert (again.padded(["three two ONE"]) == lexicon.padded(["three two ONE"])).all()


def test_shapes_are_counted_where_texts_have_capitals() -> None:
    texts = ["Who was Ada Lovelace ?", "Who was Alan Turing ?", "What is NATO ?", "What is NASA ?"]
    assert [kind.name for kind in Table.fit(texts, 4).kinds] == ["words", "chars", "shapes"]
    assert [kind.name for kind in Table.fit([t.lower() for t in texts], 4).kinds] == ["words", "chars"]
    shapes = Table.fit(texts, 4).kinds[2]
    row, place, _ = shapes.weighed(["Who was Grace Hopper ?", "Who was Ada Lovelace ?", "What is UNO ?"])
    first, second, third = (set(place[row == i]) for i in range(3))
    assert first == second
    assert first - third
    assert third - first
