"""Vectors of words that were learned elsewhere: the files, what is kept of them, and the networks that begin with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import whet
from whet.build import build
from whet.data.core import Roles
from whet.errors import DataError
from whet.fields import field, load
from whet.fields.text.tokens import PAD, UNKNOWN
from whet.fields.text.transform import TextTransform
from whet.fields.text.vectors import WordVectors
from whet.recipe import Choice, Recipe
from whet.train.plan import Plan

WORDS = ("good", "bad", "Paris", "film", "unseen")
TABLE = np.random.default_rng(0).normal(size=(len(WORDS), 4)).round(3)
TEXTS = (["a good film", "a bad film", "good PARIS", "bad paris today"] * 5, ["yes", "no", "yes", "no"] * 5)


def lines() -> list[str]:
    return [" ".join([word, *map(str, row)]) for word, row in zip(WORDS, TABLE.tolist(), strict=True)]


def written(folder: Path, form: str) -> str:
    path = folder / {"glove": "v.txt", "word2vec": "v.vec", "array": "v.npy"}[form]
    if form == "array":
        np.save(path, TABLE)
        (folder / "v.txt").write_text("\n".join(WORDS))
    else:
        path.write_text("\n".join([*(["5 4"] if form == "word2vec" else []), *lines()]))
    return str(path)


@pytest.mark.parametrize("form", ["glove", "word2vec", "array"])
def test_a_file_of_each_form_is_read(form, tmp_path):
    made = WordVectors.fit(written(tmp_path, form), {"good", "Film", "strange"})
    table = made.table()
    assert table.shape == (len(WORDS) + 2, 4)
    assert not table[[PAD, UNKNOWN]].any()
    np.testing.assert_allclose(table[made.number_of("good")], TABLE[0], rtol=1e-6)
    assert made.number_of("Film") == made.number_of("film")
    assert made.number_of("paris") == UNKNOWN  # it is in the file with a capital only
    assert made.number_of("strange") == UNKNOWN
    assert made.share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"good 1 2 3\nbad 1 2\n", "'bad' has 2 numbers where others have 3"),
        (b"good 1 x 3\n", "'good' is followed by something else than numbers"),
        (b"good 1 nan 3\n", "'good' has a number that is not finite"),
        (b"good 1\nbad 2\n", "'good' has 1 number[.]"),
        (b"word,x,y\ngood,1,2\n", "holds no line of a word and its numbers"),
        (b"good \xff\xfe\x00\x01\n", "no text"),
        (b"zzz 1 2 3\n", "none of the words"),
        (b"", "holds no line of a word and its numbers"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused_in_a_line(content, words, tmp_path):
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        WordVectors.fit(str(tmp_path / "v.txt"), {"good", "bad"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [lambda lines: lines[1:], lambda lines: [f"{line} 9" for line in lines]])
def test_a_file_that_lost_some_of_its_vectors_is_refused(change, tmp_path):
    path = Path(written(tmp_path, "glove"))
    made = WordVectors.fit(str(path), {"good", "bad"})
    path.write_text("\n".join(change(lines())))
    with pytest.raises(DataError, match="has changed: vectors that it held are not in it. Put the file back"):
        made.table()


def test_a_missing_file_is_said_at_once():
    with pytest.raises(DataError, match="--vectors nowhere.txt can't be read"):
        load(TEXTS, roles=Roles(vectors="nowhere.txt"))


@pytest.mark.parametrize("family", ["text_cnn", "text_mix"])
def test_a_network_begins_with_them_and_keeps_them(family, tmp_path):
    data = load(TEXTS, roles=Roles(vectors=written(tmp_path, "glove")))
    own = field("text")
    ready = own.prepare(data, own.split(data, 0))
    assert any("vectors of 4 numbers" in line for line in ready.said)
    parts = build(Recipe(family=Choice(family)), own.task(data), ready, 0, Plan())
    given = next(m for m in parts.model.modules() if type(m).__name__ == "Given")
    vectors = ready.transform.lexicon.vectors
    rows = given.known[[vectors.number_of(w) for w in ("good", "bad")]].numpy()
    np.testing.assert_allclose(rows[0] / rows[0, 0], TABLE[0] / TABLE[0, 0], rtol=1e-4)
    assert "known" not in dict(given.named_parameters())
    inputs, target = parts.prepare(*parts.train.batch(0, 0), torch.Generator())
    parts.loss(parts.model(*inputs), target).backward()
    assert given.map.weight.grad.abs().sum() > 0


def test_a_transform_with_vectors_comes_back_from_plain_data(tmp_path):
    made = TextTransform.fit(TEXTS[0], 20, written(tmp_path, "glove"))
    again = TextTransform.from_dict(made.to_dict())
    assert np.array_equal(again.lexicon.padded(["good day"]), made.lexicon.padded(["good day"]))


def test_a_run_with_vectors_predicts_without_their_file(tmp_path):
    path = written(tmp_path, "glove")
    found = whet.fit(TEXTS, vectors=path, steps=3, budget="300s", out=tmp_path / "run")
    Path(path).unlink()
    assert len(whet.predict(found.folder, ["a good day", "an unseen film"]).values) == 2
