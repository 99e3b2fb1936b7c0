"""The controls of texts are worth beating."""

import numpy as np

from whet.fields.text.baselines import fast


def test_the_bag_of_vectors_learns_words_of_a_few_hundred_texts() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 4, 400)
    common, telling = [f"w{i}" for i in range(200)], [[f"c{k}{i}" for i in range(30)] for k in range(4)]
    texts = [
        " ".join(random.permutation([*random.choice(common, 15), *random.choice(telling[k], 3)])) for k in y.tolist()
    ]
    said, note = fast(texts[:300], y[:300], texts[300:], 1e6, 4, seed=0)
    assert note == ""
    assert (said.argmax(1) == y[300:]).mean() > 0.85
