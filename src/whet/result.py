"""What came out of a run, as a program reads it: the content of result.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whet.recipe import Recipe
from whet.record import Finding
from whet.run_folder import RunFolder


@dataclass(frozen=True)
class Result:
    """What came out of `fit`; the same as result.json in its folder."""

    folder: Path
    task: str
    metric: str
    direction: str
    """"max" or "min": which way the metric is better."""
    value: float
    """The metric on the test part, which was opened once."""
    ci95: tuple[float, float]
    n: int
    """Test rows."""
    baselines: Mapping[str, float]
    recipe: Recipe
    findings: tuple[Finding, ...]
    seconds: float
    details: Mapping[str, Any] = field(repr=False)
    """All of result.json."""

    @classmethod
    def read(cls, folder: RunFolder) -> Result:
        """The result of a finished run. Raises OutputError where there is none."""
        found = folder.result_dict()
        same = {k: found[k] for k in ("task", "metric", "direction", "value", "n", "baselines", "seconds")}
        return cls(
            folder=folder.path,
            ci95=(found["ci95"][0], found["ci95"][1]),
            recipe=Recipe.from_dict(found["recipe"]),
            findings=tuple(Finding(**f) for f in found["findings"]),
            details=found,
            **same,
        )

    def predict(self, data: Any, *, model: Any = None) -> Any:
        """What the trained network says of other data; see `whet.predict`."""
        from whet.predicting import predict

        return predict(self.folder, data, model=model)
