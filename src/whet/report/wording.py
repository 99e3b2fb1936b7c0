"""Numbers as a report writes them, the same on the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

SHARES = ("accuracy", "balanced_accuracy", "error")
"""Metrics that are shown in percent."""
NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "log_loss": "log loss",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
}
MISSING = "–"


def metric_name(metric: str) -> str:
    """The metric in words."""
    return NAMES.get(metric, metric.replace("_", " "))


def number(value: Any, digits: int = 4) -> str:
    """A number with about `digits` significant digits, thousands apart; a dash for None, NaN and infinity."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING if value is None else str(value)
    if not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    size = abs(value)
    if size >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u202f")
    if size < 1e-4:
        return f"{value:.{digits - 2}e}"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"


def score(metric: str, value: Any) -> str:
    """A score: percent for shares, four digits else."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return MISSING
    return percent(value) if metric in SHARES else f"{number(value)}"


def ticks(metric: str, values: Sequence[float]) -> list[str]:
    """The values of an axis, all with as many decimals as their distance asks for; percent for shares."""
    shown = [100 * v for v in values] if metric in SHARES else list(values)
    step = shown[1] - shown[0] if len(shown) > 1 else 0.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if digits > 5 or any(abs(v) >= 1e6 for v in shown):
        return [f"{v:.3g}" for v in shown]
    unit = "\u202f%" if metric in SHARES else ""
    return [f"{v:,.{digits}f}{unit}".replace(",", "\u202f") for v in shown]


def percent(share: float) -> str:
    """A share in percent, with enough digits that 99.97 % does not become 100 %."""
    points = 100 * share
    digits = 2 if 99.5 <= points < 100 - 1e-6 else 1  # an interval's end may miss 100 by what rounding leaves
    return f"{points:.{digits}f}\u202f%"


def seconds(value: Any) -> str:
    """A duration: "0.4 s", "38 s", "5 min 12 s"."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return MISSING
    if value < 9.95:
        return f"{value:.1f}\u202fs"
    whole = round(value)
    if whole < 120:
        return f"{whole}\u202fs"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes}\u202fmin" + (f" {rest}\u202fs" if rest else "")
    return f"{minutes // 60}\u202fh {minutes % 60}\u202fmin"


def interval(result: Mapping[str, Any]) -> tuple[float, float] | None:
    """The result's 95 % interval; None if it has none."""
    ends = result.get("ci95")
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(is_number(e) for e in ends):
        return None
    return float(ends[0]), float(ends[1])


def baselines(result: Mapping[str, Any]) -> dict[str, float]:
    """The baselines that have a value, the best first."""
    known = {str(k): float(v) for k, v in (result.get("baselines") or {}).items() if is_number(v)}
    return dict(sorted(known.items(), key=lambda item: item[1], reverse=result.get("direction") != "min"))


def verdict(result: Mapping[str, Any]) -> str:
    """How the score stands beside the best baseline, in a sentence; empty without baselines.

    What "bounds" names is the best that can be reached, and no rival.
    """
    known, value = baselines(result), result.get("value")
    known = {name: of for name, of in known.items() if name not in result.get("bounds", ())}
    if not known or not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    name, best = next(iter(known.items()))
    gain = best - value if result.get("direction") == "min" else value - best
    ends = interval(result)
    if ends is not None and ends[0] <= best <= ends[1]:
        return f"No measurable difference from the best baseline, {name}: its score lies inside the interval."
    if math.isclose(value, best):
        return f"Level with the best baseline, {name}."
    if str(result.get("metric")) in SHARES:
        size = f"{abs(100 * gain):.1f} points"
    else:
        size = f"{100 * abs(gain / best):.0f}\u202f%" if best else number(abs(gain))
    return f"{size} {'better' if gain > 0 else 'worse'} than the best baseline, {name}."


def unmeasured(result: Mapping[str, Any]) -> str:
    """What stands in place of the score where anomalies can't be told from normal rows by labels; empty elsewhere."""
    found = result.get("anomalies")
    if not found or is_number(result.get("value")):
        return ""
    over, n = number(round(result["n"] * found["flagged"])), number(result["n"])
    return f"{why_unmeasured(found)} {over} of {n} rows are stranger than the threshold."


def why_unmeasured(found: Mapping[str, Any]) -> str:
    """What the labels of the scored rows lack."""
    labelled, strange = int(found.get("labelled", 0)), int(found.get("strange", 0))
    if not labelled:
        return "There are no labels to measure it by."
    if 0 < strange < labelled:
        return "No series has rows of both labels to measure it by."
    absent = "normal" if strange else "an anomaly"
    return (
        f"Of the scored rows {number(labelled)} have a label, and none of them is {absent}: nothing to measure it by."
    )


def command(result: Mapping[str, Any], folder: Any) -> str:
    """What a run is for, as a command."""
    family = (result.get("recipe") or {}).get("family")
    own = family.get("factory", "") if isinstance(family, Mapping) else ""  # of a network of the user's own
    if own.startswith("python:"):
        return f"whet.predict({str(folder)!r}, data, model=…)"
    more = f" --model {own}" if own else ""
    if str(result.get("task")).endswith("-generation"):
        return f"whet generate {folder} --n 64 --out made{more}"
    return f"whet predict {folder} DATA{more}"


def rows_of(result: Mapping[str, Any], domain: str = "") -> str:
    """ "360 test images"."""
    n = result.get("n")
    kind = domain or ("images" if "image" in str(result.get("task")) else "rows")
    return f"{number(n)} test {kind}" if isinstance(n, int) else f"the test {kind}"


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
