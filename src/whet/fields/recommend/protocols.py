"""The same answers under other protocols, for comparison with papers that have no other."""

from __future__ import annotations

from typing import Any

import numpy as np

from whet.fields.base import Shown
from whet.fields.recommend.transform import RatingsTransform
from whet.tasks.rank import gains, sampled_ranks


def protocols(shown: Shown, count: int) -> dict[str, Any]:
    """HR@10 and NDCG@10 of the network among sampled items, and how much of the catalogue it recommends."""
    known = shown.prepared.transform
    assert isinstance(known, RatingsTransform)
    x = shown.data.x[shown.parts["test"]]
    places, at = [], 0
    for piece in known.pieces(x):
        scores = shown.network.from_tensors(piece)
        rows = slice(at, at + len(scores))
        had = [known.had[known.starts[u] : known.starts[u + 1]] for u in x["user"].to_numpy()[rows]]
        places.append(sampled_ranks(shown.truth[rows], scores, had, count, shown.seed + at))
        at = rows.stop
    found = np.concatenate(places)
    return {
        f"sampled_metrics_{count}_negatives": {
            "hr@10": float((found < 10).mean()),
            "ndcg@10": float(gains(found, 10).mean()),
            "seed": shown.seed,
        },
        "coverage@10": len(np.unique(shown.predicted[:, :10])) / known.items,
        "cold": {
            "users": int((np.diff(known.starts)[x["user"].to_numpy()] == 0).sum()),
            "items": int((~np.isin(shown.truth, known.had)).sum()),
        },
    }
