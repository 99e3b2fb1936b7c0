"""The networks for texts, and what a batch goes through before them."""

from __future__ import annotations

import pytest
import torch
from sentences import texts
from torch import Tensor, nn

from whet import augment
from whet.errors import RecipeError
from whet.families import FAMILIES, InputSpec
from whet.fields.text.transform import TextTransform

NAMES = [f.name for f in FAMILIES if "text" in f.domains]
SMALL = {
    "text_mix": {"hidden": 8, "width": 8, "filters": 8, "linear": 0.3},
    "text_bag": {"hidden": 8},
    "text_cnn": {"width": 8, "filters": 8, "members": 2},
    "text_rnn": {"width": 8, "cell": "lstm"},
    "text_transformer": {"width": 8, "depth": 1},
}


def spec(goal: str = "classify", outputs: int = 3, length: int = 9) -> InputSpec:
    more = {"vocabulary": 30, "table": 40}
    return InputSpec((length,), outputs, goal, nn.ReLU, lambda c: nn.Identity(), domain="text", more=more)


def made(name: str, goal: str = "classify", **more: object) -> nn.Module:
    torch.manual_seed(0)
    entry = FAMILIES[name]
    return entry.make(spec(goal), **entry.fill({**SMALL[name], **more}))


def inputs(name: str, rows: int = 4) -> tuple[Tensor, ...]:
    g = torch.Generator().manual_seed(1)
    tokens = torch.randint(2, 30, (rows, 9), generator=g)
    tokens[0, 4:] = 0
    places = torch.randint(0, 40, (rows, 6), generator=g).int()
    weights = torch.rand(rows, 6, generator=g) * (places > 0)
    return {"text_mix": (tokens, places, weights), "text_bag": (places, weights)}.get(name, (tokens,))


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_a_network_for_texts_gets_a_gradient(name: str) -> None:
    model = made(name)
    model(*inputs(name)).square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.eval()(*inputs(name)).shape == (4, 3)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "text_bag"])
def test_what_lies_behind_a_texts_end_changes_nothing(name: str) -> None:
    model = made(name).eval()
    tokens, *rest = inputs(name)
    longer = torch.nn.functional.pad(tokens[:, :7], (0, 2))
    torch.testing.assert_close(model(longer, *rest), model(longer[:, :7], *rest))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_judged_alike_alone_and_among_others(name: str) -> None:
    model = made(name).eval()
    alone = model(*(x[:1] for x in inputs(name)))
    torch.testing.assert_close(model(*inputs(name))[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["text_rnn", "text_transformer"])
def test_what_comes_next_is_said_without_looking_ahead(name: str) -> None:
    model, (tokens,) = made(name, "language-model"), inputs(name)
    for module in model.modules():
        module.training = type(module).__name__ == "Next"
    other = tokens.clone()
    other[:, 6:] = 5
    a, b = model(tokens), model(other)
    torch.testing.assert_close(a[:, :6], b[:, :6])
    assert not torch.allclose(a[:, 6:], b[:, 6:])
    assert model.eval()(tokens).shape == (4, 8)
    assert model(tokens)[0, 3:].isnan().all()


def test_a_bag_of_n_grams_is_the_weighted_sum_of_its_rows() -> None:
    model = made("text_bag", hidden=0)
    places, weights = inputs("text_bag")
    with torch.no_grad():
        model.table.normal_()
    slow = torch.stack(
        [sum(w * model.table[p] for p, w in zip(ps, ws, strict=True)) for ps, ws in zip(places, weights, strict=True)]
    )
    torch.testing.assert_close(model(places, weights), slow + model.bias)


@pytest.mark.parametrize(
    ("name", "params"),
    [("text_cnn", {"members": 0}), ("text_rnn", {"dropout": 1.0}), ("text_transformer", {"heads": 3})],
)
def test_sizes_that_make_no_network_are_refused(name: str, params: dict[str, float]) -> None:
    with pytest.raises(RecipeError):
        made(name, **params)


def test_word_dropout_hides_words_and_never_the_end() -> None:
    tokens = torch.tensor([[5, 6, 7, 0]]).repeat(500, 1)
    hidden = augment.text.drop_tokens(tokens, 0.3, 1, torch.Generator().manual_seed(0))
    assert (hidden[:, 3] == 0).all()
    assert float((hidden[:, :3] == 1).float().mean()) == pytest.approx(0.3, abs=0.05)
    weights = augment.text.drop_weights(torch.ones(500, 8), 0.3, torch.Generator().manual_seed(0))
    assert float(weights.mean()) == pytest.approx(1, abs=0.05)


def test_the_linear_bag_counts_as_much_as_is_said() -> None:
    shares = {}
    for linear in (0.2, 0.8):
        model = made("text_mix", linear=linear).eval()
        said = model(*inputs("text_mix")).softmax(1)
        bag = model.bags[0](*inputs("text_mix")[1:]).softmax(1)
        words = model.cnn.each(inputs("text_mix")[0]).softmax(2)
        others = torch.stack([model.bags[1](*inputs("text_mix")[1:]).softmax(1), *words.unbind(1)]).mean(0)
        torch.testing.assert_close(said, linear * bag + (1 - linear) * others)
        shares[linear] = said
    assert not torch.allclose(shares[0.2], shares[0.8])


@pytest.mark.parametrize("linear", [0.0, 1.0, -2.0])
def test_a_share_of_the_linear_bag_that_is_none_is_refused(linear: float) -> None:
    with pytest.raises(RecipeError, match="no share"):
        made("text_mix", linear=linear)


def test_dropped_words_lose_all_their_parts() -> None:
    words = torch.full((4, 50, 5), 7).int()
    words[:, 40:] = 0
    hidden = augment.text.drop_tokens(words, 0.3, 1, torch.Generator().manual_seed(0))
    gone = (hidden == 1).any(2)
    assert 0.15 < gone[:, :40].float().mean() < 0.45
    assert (hidden[gone] == 1).all()
    assert (hidden[:, 40:] == 0).all()


def test_texts_that_an_export_is_checked_with_have_no_gaps() -> None:
    """Place 0 stands behind a text's end: drawn between others it had the last n-grams cut off, and exports were refused."""
    transform = TextTransform.fit(texts(40)[0], 40)
    for seed in range(20):
        assert all(bool((drawn != 0).all()) for drawn in transform.drawn(1, seed).values())


def test_an_export_is_checked_with_shorter_texts_too() -> None:
    """With whole texts alone, a network that counts what stands behind a text's end was exported all the same."""
    transform = TextTransform.fit(texts(40)[0], 40)
    drawn = transform.drawn(8, 3)
    for name in ("tokens", "words", "places"):
        there = (drawn[name] if drawn[name].ndim == 2 else drawn[name][..., 0]) != 0
        lengths = there.sum(1)
        assert lengths[0] == there.shape[1]
        assert (lengths[1:] < there.shape[1]).any()
        assert torch.equal(there, torch.arange(there.shape[1]) < lengths[:, None])
    assert torch.equal(drawn["weights"] > 0, drawn["places"] > 0)


def test_ratios_are_those_of_naive_bayes_in_units_of_their_mean() -> None:
    texts, target = torch.tensor([[1, 2], [1, 0], [3, 2], [3, 4]]), torch.tensor([0, 0, 1, 1])
    bag = FAMILIES["text_bag"].make(spec(outputs=2), ratio=True)
    bag.count_classes(target, texts, torch.ones(4, 2))
    n = torch.ones(40, 2, dtype=torch.float64)
    for places, c in zip(texts.tolist(), target.tolist(), strict=True):
        for place in places:
            n[place, c] += 1
    p = n / n.sum(0)
    r = (p[:, 0] / p[:, 1]).log()
    torch.testing.assert_close(bag.ratio[:, 0].double(), r / r.abs().mean(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(bag.ratio[:, 1], -bag.ratio[:, 0])


def test_an_n_gram_that_classes_share_alike_counts_for_nothing() -> None:
    bag = FAMILIES["text_bag"].make(spec(outputs=2), ratio=True)
    bag.count_classes(torch.tensor([0, 1]), torch.tensor([[7, 8], [7, 9]]), torch.ones(2, 2))
    with torch.no_grad():
        bag.table.fill_(1.0)
    shared, own = (bag(torch.tensor([[place]]), torch.ones(1, 1)) for place in (7, 8))
    torch.testing.assert_close(shared, torch.zeros(1, 2))
    assert own.argmax() == 0


@pytest.mark.parametrize(("name", "goal"), [("text_mix", "regress"), ("text_bag", "multilabel")])
def test_ratios_without_classes_are_refused(name: str, goal: str) -> None:
    with pytest.raises(RecipeError, match="ratio compares texts of classes"):
        FAMILIES[name].make(spec(goal), ratio=True)
