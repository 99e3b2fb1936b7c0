"""What a person sees while a command runs: sentences, and one bar with the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from whet.train.horizon import Clock


class Screen:
    """Prints to the terminal when `show` is set, else nothing. The bar moves at most five times a second."""

    def __init__(self, show: bool) -> None:
        self.show = show
        self._bar: Any = None
        self._moved = 0.0
        if show:
            from rich.console import Console

            self.console = Console(highlight=False, emoji=False)  # ":x:" is a part of someone's data

    def say(self, line: str, style: str = "") -> None:
        """Print one sentence above the bar: broken between words in a terminal, a line of its own in a file."""
        if self.show:
            self.console.print(line, style=style or None, markup=False, soft_wrap=not self.console.is_terminal)

    def begin(self, clock: Clock, what: str, *, by_time: bool = True) -> None:
        """Show the bar: the share of the budget that is spent, the seconds left, and what is going on.

        A file gets a line when half of the time is over in place of the bar; none where steps end it, and not time.
        """
        if not self.show or self._bar is not None:
            return
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[left]} left"),
            TextColumn("{task.fields[note]}", style="dim"),
        )
        live = sys.stdout.isatty()
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not live, auto_refresh=False)
        self._task = self._bar.add_task(what, total=clock.budget, left="", note="")
        self._clock, self._halfway = clock, not by_time or clock.spent >= clock.budget / 2
        self._bar.start()

    def move(self, what: str, note: str, left: float) -> None:
        """The newest state: what runs, a note such as its score, and the seconds left by estimate."""
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._moved < 0.2:
            return
        self._moved = now
        spent = self._clock.spent
        total = max(spent + left, 1e-9)
        self._bar.update(
            self._task, completed=spent, total=total, description=what, left=clock_time(left), note=note, refresh=True
        )
        if not self._halfway and spent >= total / 2:
            self._halfway = True
            if self._bar.disable:
                self.say(f"  half-way at {spent:.0f} s, {left:.0f} s left; {what}: {note}")

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Bar:
    """Listens to a training and moves the screen's bar."""

    def __init__(self, screen: Screen, clock: Clock, name: str, left: Callable[[], float] | None) -> None:
        """`left`: seconds until all training must end; None: a number of steps ends it."""
        self.screen, self.clock, self.name, self.left = screen, clock, name, left

    def on_step(self, training: Any) -> None:
        horizon = training.horizon
        if self.left is None:
            left = (horizon.steps - training.step) * training.seconds / max(1, training.step)
        else:
            left = self.left()
        best = training.best
        note = f"pass {training.epoch:.1f}" + (f", validation {training.metric} {best.score:.4f}" if best else "")
        self.screen.move(self.name, note, left)


def clock_time(seconds: float) -> str:
    """Seconds as a person reads them: 42 s, 3:05, 1:02:03."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
