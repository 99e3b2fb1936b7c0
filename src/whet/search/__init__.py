"""Layer 5, search: which recipes are tried, and which of them goes on. Knows nothing of torch."""

from whet.search.choices import Categorical
from whet.search.driver import run
from whet.search.ranges import Float, Int
from whet.search.space import Space
from whet.search.study import Study
from whet.search.trial import Job, Trial

__all__ = ["Categorical", "Float", "Int", "Job", "Space", "Study", "Trial", "run"]
