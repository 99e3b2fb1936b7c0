"""What comes next in a text, and a label for each word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sentences

import whet
from whet.data.core import Roles
from whet.errors import DataError
from whet.exporting import export
from whet.fields import field, load
from whet.fields.text.language import BYTES, counted, cut_up
from whet.recipe import Choice, Recipe
from whet.tasks import goal
from whet.tasks.language_model import bits_per_character
from whet.tasks.multilabel import average_precision, micro_f1
from whet.tasks.tag import has_spans, span_scores, spans

SMALL = Recipe(
    family=Choice("text_rnn", width=16, cell="lstm", dropout=0.0),
    activation=Choice("relu"),
    optimizer=Choice("adamw", lr=2e-2),
    batch_size=8,
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(". ".join(sentences.texts(250)[0]))
    return path


def test_cutting_a_text_up_loses_nothing() -> None:
    text = "wörter und Sätze, " * 60 + "今天天气" * 100
    pieces = cut_up(text)
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= BYTES for piece in pieces)


def test_a_language_model_beats_counting_single_tokens(book: Path, tmp_path: Path) -> None:
    found = whet.fit(book, task="language-model", recipe=SMALL, steps=60, out=tmp_path / "run")
    assert (found.task, found.metric, found.direction) == ("language-model", "bits_per_character", "min")
    assert found.value < found.baselines["unigram"]
    assert "What it writes" in (found.folder / "report.html").read_text()
    said = found.predict(book)
    assert float(np.mean(said.values)) == pytest.approx(found.value, rel=0.3)
    assert export(found.folder).exists()


def test_counted_tokens_have_probabilities_that_add_up_to_one() -> None:
    train = np.array([[2, 3, 4, 3], [2, 4, 4, 0]])
    asked = np.array([[3, token] for token in range(1, 6)])
    for said in counted(train, asked, 6).values():
        whole = np.exp(said[:, 0]).sum() + 0.01 / 6  # token 0 is never asked for
        assert whole == pytest.approx(1.0, abs=0.02)


def test_bits_per_character_are_counted_without_what_lies_behind_the_end() -> None:
    p = np.log(np.array([[0.5, 0.25], [0.5, np.nan]]))
    assert bits_per_character(np.array([2, 2]), p) == pytest.approx(1.0)


def test_a_text_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a few words")
    with pytest.raises(DataError, match="11 characters"):
        load(tmp_path / "x.txt", task="language-model")
    with pytest.raises(DataError, match="no text file"):
        load(tmp_path / "y.csv", task="language-model")


# -- tags ----------------------------------------------------------------------------------------------------------


def tagged(rows: int, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Places are spans of one or two words; "north" begins one only before a name."""
    random = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(rows):
        place = [["Oslo"], ["Rome"], ["North", "Quay"], ["Old", "Mill"]][random.integers(4)]
        before = [["we", "went", "to"], ["a", "train", "left"], ["rain", "fell", "on"]][random.integers(3)]
        after = [["today"], ["again", "."], []][random.integers(3)]
        words.append([*before, *place, *after])
        tags.append(["O"] * len(before) + ["B-PLACE", "I-PLACE"][: len(place)] + ["O"] * len(after))
    return words, tags


def conll(rows: int) -> str:
    return "\n\n".join(
        "\n".join(f"{w} {t}" for w, t in zip(*pair, strict=True)) for pair in zip(*tagged(rows), strict=True)
    )


def test_spans_are_what_b_and_i_mark() -> None:
    assert spans(["B-X", "I-X", "O", "I-Y", "B-Y", "I-X"]) == {(0, 2, "X"), (3, 4, "Y"), (4, 5, "Y"), (5, 6, "X")}
    assert has_spans(["O", "B-X", "I-X"])
    assert not has_spans(["NOUN", "VERB"])
    scores = span_scores([["B-X", "I-X", "O", "B-X"]], [["B-X", "O", "O", "B-X"]])
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.5, 0.5, 0.5)


def test_names_in_sentences_are_learned_from_a_conll_file(tmp_path: Path) -> None:
    (tmp_path / "places.conll").write_text(conll(80))
    found = whet.fit(tmp_path / "places.conll", recipe=SMALL, steps=40, out=tmp_path / "run")
    assert (found.task, found.metric) == ("tagged-tagging", "token_accuracy")
    assert found.value > 0.95 > found.baselines["majority"]
    assert found.details["spans"]["f1"] > 0.9
    said = found.predict([["we", "went", "to", "Old", "Mill"], "rain fell on Oslo"])
    assert [len(tags.split()) for tags in said.values] == [5, 4]
    assert export(found.folder).exists()


def test_json_lines_of_tokens_and_tags_read_as_a_conll_file(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text(conll(20))
    rows = [json.dumps({"tokens": w, "tags": t}) for w, t in zip(*tagged(20), strict=True)]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    one, two = load(tmp_path / "x.conll"), load(tmp_path / "x.jsonl")
    assert one.domain == two.domain == "tagged"
    assert one.fingerprint == two.fingerprint


def test_a_word_without_a_tag_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("one O\ntwo\n")
    with pytest.raises(DataError, match="line 2 has a word and no tag"):
        load(tmp_path / "x.conll")
    rows = [json.dumps({"tokens": ["a", "b"], "tags": ["O"]})] * 8
    (tmp_path / "y.jsonl").write_text("\n".join(rows))
    with pytest.raises(DataError, match="row 1 has 2 tokens and 1 tags"):
        load(tmp_path / "y.jsonl", task="tag")


def test_other_tables_of_text_are_not_taken_for_tags() -> None:
    assert not field("tagged").takes(sentences.texts(20), None, Roles())
    assert not field("language").takes("book.txt", None, Roles())


# -- several labels ------------------------------------------------------------------------------------------------


def test_average_precision_is_scikit_learns() -> None:
    from sklearn.metrics import average_precision_score, f1_score

    random = np.random.default_rng(0)
    y, p = random.random((60, 3)) < 0.3, random.random((60, 3)).round(1)
    for c in range(3):
        assert average_precision(y[:, c], p[:, c]) == pytest.approx(average_precision_score(y[:, c], p[:, c]))
    assert micro_f1(y.astype(float), p) == pytest.approx(f1_score(y, p >= 0.5, average="micro"))


@pytest.mark.parametrize("name", ["multilabel", "language-model", "tag"])
def test_a_goal_is_found_by_its_name(name: str) -> None:
    found = goal(name)
    assert found.name == name
    assert found.metric in found.metrics
