"""What is to be learned, how it is judged, and what simple models reach."""

from whet.tasks.base import Task, make_task
from whet.tasks.baselines import baselines
from whet.tasks.features import IMAGE_ROWS, PIXELS, Baseline, Features
from whet.tasks.goals import Goal, goal
from whet.tasks.metrics import METRICS, Metric, ci95, metric

__all__ = [
    "IMAGE_ROWS",
    "METRICS",
    "PIXELS",
    "Baseline",
    "Features",
    "Goal",
    "Metric",
    "Task",
    "baselines",
    "ci95",
    "goal",
    "make_task",
    "metric",
]
