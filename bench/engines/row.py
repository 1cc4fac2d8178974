"""One line of a benchmark, as bench/row.h prints it."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Row:
    """better: "lower" or "higher" is; the bar is for value / baseline, both medians."""

    name: str
    unit: str
    better: str
    bar: float
    values: list[float] = field(default_factory=list)
    baselines: list[float] = field(default_factory=list)

    def interleave(
        self, rounds: int, value: Callable[[], float], baseline: Callable[[], float]
    ) -> "Row":
        for _ in range(rounds):
            self.values.append(value())
            self.baselines.append(baseline())
        return self

    @property
    def ratio(self) -> float:
        return statistics.median(self.values) / statistics.median(self.baselines)

    @property
    def passes(self) -> bool:
        return self.ratio <= self.bar if self.better == "lower" else self.ratio >= self.bar

    def to_json(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "value": statistics.median(self.values),
                "unit": self.unit,
                "baseline": statistics.median(self.baselines),
                "ratio": self.ratio,
                "bar": self.bar,
                "better": self.better,
                "pass": self.passes,
                "rounds": len(self.values),
                "min": min(self.values),
                "max": max(self.values),
            }
        )

    def to_text(self) -> str:
        value, baseline = statistics.median(self.values), statistics.median(self.baselines)
        verdict = "pass" if self.passes else "FALLS SHORT"
        return (
            f"{self.name} {value:.2f} {self.unit}"
            f" (baseline {baseline:.2f}, ratio {self.ratio:.2f}, bar {self.bar:g}, {verdict})"
        )
