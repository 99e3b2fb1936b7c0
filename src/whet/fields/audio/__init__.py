"""Speech and other sound: recordings with a class, a value, or a transcript."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.images import is_image_name
from whet.data.labels import check_problems
from whet.data.prepared import Prepared
from whet.data.splits import duplicates, split
from whet.data.transforms import TargetScale
from whet.data.units import Units
from whet.errors import DataError
from whet.fields.audio.clips import groups
from whet.fields.audio.listing import TASKS, everything, is_recording_name, is_table, is_transcription, recordings
from whet.fields.audio.transform import AudioTransform
from whet.fields.base import Field, Shown, Wanted
from whet.figures import Figure
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task, make_task
from whet.train.parts import Prepare

GLANCE = 200
"""Files of a folder that are looked at to see what it holds."""
WAVES = ("audio_wave",)
"""Networks that take the waveform."""


class AudioField(Field):
    """Recordings of any lengths."""

    name = "audio"
    tasks = TASKS
    nouns = ("recording", "recordings")
    roles = ("pattern",)

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """A recording, a folder in which recordings come before pictures, or a table of them."""
        if not isinstance(source, str | os.PathLike):
            return False
        path = Path(source)
        if path.is_dir():
            return bool(roles.pattern) or holds_recordings(path)
        return (is_recording_name(path.name) or is_table(path)) if path.is_file() else is_transcription(task)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        from whet.fields.audio.reading import read, with_holdout

        heard = recordings(Path(source), target=target, task=task, split=split, roles=roles)
        if holdout is None:
            return read(heard, task)
        if split is not None:
            raise DataError("Both a holdout and a split were given.", "Give one of --holdout and --split.")
        other = recordings(Path(holdout), target=target, task=task, split=None, roles=roles)
        return read(with_holdout(heard, other), task)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "audio", "rate": data.x.rate, "goal": data.goal, "classes": list(data.classes)}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        from whet.fields.audio.reading import decoded, known_targets, sentences

        if not isinstance(source, str | os.PathLike):
            raise DataError(f"A {type(source).__name__} holds no recordings.", "Give a file, a folder or a CSV.")
        heard = everything(Path(source))
        done = decoded(heard.listing, spec["rate"])
        problems = (*heard.listing.problems, *done.problems)
        if len(heard.listing) == 1 and problems:
            raise DataError(f"{source} {problems[0].why}.", "Give another recording.")
        check_problems(problems, len(heard.listing) + len(heard.listing.problems), "recordings")
        ids = [heard.listing.ids[i] for i in done.kept]
        y = known_targets(heard, done.kept, spec)
        return Inputs(done.clips, ids, y, problems, (*heard.listing.said, *sentences(done)))

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """The source's own parts; else speakers are kept apart where they are known."""
        from whet.fields.audio.speakers import apart, shared

        speakers = data.origin.get("speakers")
        if speakers is not None and not shared(np.asarray(speakers), data.official):
            classes = data.y if data.goal == "classify" else None
            if "val" not in data.official and (found := apart(np.asarray(speakers), data.official, seed, classes)):
                return found
        return split(data, seed=seed)

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        return duplicates(data, parts, groups(data.x))

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.fields.audio.profile import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        from whet.fields.audio.front import fitted
        from whet.fields.audio.harm import Heard, level

        train, val = parts["train"], parts["val"]
        transform = AudioTransform.sized(data.x, train, data.goal == "transcribe")
        inputs, said = transform.cached(data.x, data.fingerprint)
        rows = {"train": torch.from_numpy(train), "val": torch.from_numpy(val)}
        scale: Units | TargetScale | None = None
        if data.goal == "transcribe":
            scale = Units(data.classes)
            target = torch.from_numpy(scale.encode([str(text) for text in data.y]))
        elif data.goal == "regress":
            scale = TargetScale.fit(data.y[train])
            target = scale.apply(data.y)
        else:
            target = torch.from_numpy(data.y.astype(np.int64))
        transform = fitted(transform, inputs, rows["train"])
        if data.goal == "classify" and (
            loud := level(Heard.of(transform, inputs, target, rows["train"]), task_of(data))
        ):
            transform = fitted(dataclasses.replace(transform, level=loud), inputs, rows["train"])
            said = (*said, "Loudness tells classes apart here: it is left as it is.")
        seen = f"{transform.frames} frames of {transform.mels} mel bands"
        said = (f"Networks see {transform.window / transform.rate:.2f} s of sound: {seen}.", *said)
        return Prepared("audio", inputs, target, data.y, rows, transform, scale, said)

    def transform_from(self, state: Mapping[str, Any]) -> AudioTransform:
        return AudioTransform.from_dict(state)

    def seen_by(self, recipe: Recipe, transform: Any) -> AudioTransform:
        """Waveforms for the networks that want them."""
        return dataclasses.replace(transform, waves=recipe.family.name in WAVES)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        from whet.fields.audio.front import Front

        return Front.of(transform, task, augment, mixers)

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        """Whether transcripts are written in words; which changes of sounds harm."""
        from whet.fields.audio.harm import Heard, gains
        from whet.fields.audio.recipes import MOVES

        if data.goal == "classify":
            assert isinstance(prepared.transform, AudioTransform)
            heard = Heard.of(prepared.transform, prepared.inputs, prepared.target, prepared.rows["train"])
            return {"more": {"gains": gains(MOVES, heard, task_of(data))}}
        return {"more": {"words": data.goal == "transcribe" and " " not in data.classes}}

    def recipes(self, facts: Facts) -> list[Candidate]:
        from whet.fields.audio.recipes import audio_recipes

        return audio_recipes(facts)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.audio.baselines import audio_baselines

        return audio_baselines(wanted)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        return {"prediction": predicted} if task.goal == "transcribe" else super().columns(task, predicted, inputs)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.audio.pictures import figures

        return figures(shown)


def holds_recordings(folder: Path) -> bool:
    """Whether a folder holds recordings, by its first files; a table of recordings counts too."""
    seen = 0
    for _, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            if is_recording_name(name):
                return True
            if is_image_name(name) or seen >= GLANCE:
                return False
            seen += 1
    return False


def task_of(data: Data) -> Task:
    return make_task(data.domain, data.goal, data.classes, data.target)


FIELD = AudioField()
