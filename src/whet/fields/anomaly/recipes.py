"""What finds anomalies by itself. Labels choose nothing, so that the default has to be good everywhere rather than best
somewhere: it is a committee of views. What it was chosen on is written in docs/fields/anomaly.md."""

from __future__ import annotations

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

PASSES = 10
"""Over the training rows: the autoencoder begins as principal components, and a long training learns anomalies too."""
STEPS = (100, 500)
"""At least and at most."""
TRIM = 0.1
"""Share of the most expensive rows of a batch that are not learned from, where there may be anomalies among them."""
BATCH = 128
PLACES = 2000
"""Rows that a committee remembers of a table."""
NEAREST = 5
"""Neighbours whose mean distance counts, where none of them is an anomaly. On 38 sets (docs/fields/anomaly.md), two seeds, mean
AUC-ROC of this view alone 0.906, of the 5th neighbour 0.897, of the 10th 0.885."""
CROWD = 0.05
"""Share of them that is nearer than the neighbour that counts, where anomalies may lie among them: it must not be one of
their own crowd. On 11 sets made of breast-cancer, wine and digits with a rare class in them (some 200 to 1,700 rows) the
20th neighbour alone reached a mean AUC-ROC of 0.824, the 5th 0.801; with a clean part 0.897 and 0.927."""
SAY = "far"
"""How views are heard where there may be anomalies among the training rows: what breaks a correlation is seen by two or three
of six. On six planted tables (docs/log.md) mean AUC-PR 0.74, with "strange" 0.67; on 16 sets of breast-cancer, wine, iris and
digits with a rare class, and both of ADBench, mean AUC-ROC 0.741 with either, AUC-PR 0.267 and 0.272 (untrained, one seed)."""
VIEWS = ("columns", "directions", "others", "cuts", "neighbours", "code")
"""Of such a table. With "others" mean AUC-PR on 15 planted tables 0.576, without it 0.510; on 12 with crowds of up to 10 %
0.275 and 0.274; on the 16 sets 0.214 and 0.219 (mean AUC-ROC 0.870 and 0.843, 0.765 and 0.763, 0.705 and 0.711; untrained)."""
CLEAN_VIEWS = ("columns", "directions", "cuts", "neighbours", "code")
"""With a clean part."""
LOCAL_FROM = 500
"""Rows from which on a view is added that measures distances by those of the neighbours, of whom it asks fifty. Two tables of a
tight and a loose crowd, anomalies beside the tight one, untrained: AUC-PR 0.060 and 0.081 without it, 0.908 and 0.921 with it;
ten of breast-cancer and digits with a rare class 0.139 and 0.139, wine with 178 rows 0.60 and 0.56 (docs/log.md)."""
SHRINK = 0.005
"""Of the covariance. Beside 0.05, on 88 sets (docs/log.md, untrained, paired): AUC-PR 0.0023 +- 0.0009 more, with a clean part
0.0078 +- 0.0032; AUC-ROC 0.0001 +- 0.0002 and 0.0016 +- 0.0006."""
SERIES_VIEWS = ("directions", "neighbours", "cuts", "code", "steps")
"""On 17 planted series mean AUC-PR 0.539, without "cuts" 0.491; with views of windows' spectra and roughness besides 0.533.
On 75 others 0.870, without "steps" 0.628."""
CLEAN_SAY = "louder"
"""The same with a clean part. On 38 sets mean AUC-ROC with "loud" and NEAREST neighbours 0.900, with "strange" and the 10th
0.885; on 94 of three kinds (docs/log.md, untrained) 0.872 with "louder", 0.867 with "loud", 0.868 with "far"."""

TOLD = "told"
"""The view that learns from labelled anomalies (Deep SAD, Ruff et al. 2020), which has as much say as all others together. Mean
AUC-PR and AUC-ROC of rows without a label, six tables with few labels (docs/log.md, one draw): it alone 0.47 and 0.85, all
others 0.59 and 0.86, together 0.64 and 0.92; of broken correlations 0.05, 0.51, 0.24, of wine 1.00, 0.59, 1.00."""


def recipes(facts: Facts) -> list[Candidate]:
    """One: there is nothing to race by."""
    timed, clean, told = (facts.more.get(name) for name in ("timed", "clean", "told"))
    batch = max(2, min(BATCH, facts.n_train // 4))
    steps = PASSES * max(1, facts.n_train // batch)
    family = committee(facts.n_train, bool(timed), bool(clean), bool(told))
    recipe = Recipe(
        family=family,
        loss=Choice("surprise", trim=0.0 if clean else TRIM),
        activation=Choice("leaky_relu") if told else Choice("gelu"),
        norm=Choice("none"),
        optimizer=Choice("adamw", lr=1e-3, weight_decay=1e-4),
        schedule=Choice("linear"),
        batch_size=batch,
        steps=min(max(steps, STEPS[0]), STEPS[1]),
    )
    pushed = ", and labelled anomalies pushed away" * bool(told)
    return [Candidate(family.name, recipe, f"several views of a row, judged together{pushed}")]


def committee(rows: int, timed: bool, clean: bool, told: bool = False) -> Choice:
    """All views of a table's rows; of windows, the ones that look at them as a whole."""
    labels = (TOLD,) if told else ()
    if timed:
        return Choice("committee", views=(*SERIES_VIEWS, *labels), shrink=SHRINK, places=4000, rounds=0, say=SAY)
    more = (*(("local",) if rows >= LOCAL_FROM else ()), *labels)
    if clean:
        views, heard = (*CLEAN_VIEWS, *more), CLEAN_SAY
        return Choice("committee", views=views, shrink=SHRINK, k=NEAREST, first=1, places=PLACES, rounds=0, say=heard)
    crowd, views = max(10, round(CROWD * min(rows, PLACES))), (*VIEWS, *more)
    return Choice("committee", views=views, shrink=SHRINK, k=crowd, first=crowd, places=PLACES, rounds=2, say=SAY)
