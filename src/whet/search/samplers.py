"""Proposers by other libraries, imported when they are first used: Optuna's samplers, and CMA-ES.

They are shown the trials anew for every proposal, so that they too are a function of what is known: there is nothing to
save and nothing that a restart could lose. That takes milliseconds where a trial takes seconds.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.errors import MissingExtra
from whet.search import choice
from whet.search.choices import Categorical
from whet.search.ranges import Float, Int
from whet.search.space import Parameter, Params
from whet.search.view import FAILED, FINISHED, RUNNING, StudyView, Track

if TYPE_CHECKING:
    import optuna

GP_UNTIL = 100
"""Trials up to which "auto" asks the Gaussian process, whose time grows with their cube. Assumed."""
PER_RANGE = 1000
"""Resources that are no whole numbers are told to Optuna in so many parts of `max_resource`."""


def the_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "search", "This proposer") from error
    return optuna


class OptunaSampler:
    """One of Optuna's samplers: "tpe" (Bergstra et al. 2011), "gp" (a Gaussian process), or "auto".

    "auto" is the Gaussian process while trials are few and no parameter depends on another, and TPE otherwise.
    """

    def __init__(self, name: str) -> None:
        the_optuna()
        self.name = name

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        conditional = any(p.when for p in view.space.values())
        few = len(view.trials) < GP_UNTIL and not conditional
        name = self.name if self.name != "auto" else "gp" if few else "tpe"
        with quiet():
            study = in_memory(sampler_of(name, conditional, int(random.integers(2**31))))
            for taught in (tpe_trials if name == "tpe" else gp_trials)(view):
                study.add_trial(taught)
            trial = study.ask()
            return view.space.assemble(lambda n: suggested(trial, n, view.space[n]))


def sampler_of(name: str, conditional: bool, seed: int) -> Any:
    samplers = the_optuna().samplers
    if name == "gp":
        return samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    return samplers.TPESampler(seed=seed, multivariate=True, group=conditional, constant_liar=True)


def in_memory(sampler: Any, direction: str = "minimize") -> Any:
    return the_optuna().create_study(sampler=sampler, direction=direction)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing of studies that only live for a moment, nor of what is experimental."""
    logging = the_optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)


# -- parameters: what is spaced by the logarithm of 1 - value is told as 1 - value ----------------------------------


def to_one(parameter: Parameter) -> bool:
    return isinstance(parameter, Float) and parameter.to_one


def name_of(name: str, parameter: Parameter) -> str:
    return f"1 - {name}" if to_one(parameter) else name


def as_told(value: Any, parameter: Parameter) -> Any:
    """What Optuna can store; tuples become text."""
    return str(value) if isinstance(value, tuple) else 1 - value if to_one(parameter) else value


def distribution_of(parameter: Parameter) -> Any:
    distributions = the_optuna().distributions
    if isinstance(parameter, Categorical):
        return distributions.CategoricalDistribution([as_told(c, parameter) for c in parameter.choices])
    if isinstance(parameter, Int):
        return distributions.IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    ends = sorted(as_told(v, parameter) for v in (parameter.low, parameter.high))
    return distributions.FloatDistribution(*ends, log=parameter.log or to_one(parameter))


def suggested(trial: Any, name: str, parameter: Parameter) -> Any:
    told, named = distribution_of(parameter), name_of(name, parameter)
    if isinstance(parameter, Categorical):
        found = trial.suggest_categorical(named, told.choices)
        return next(c for c in parameter.choices if as_told(c, parameter) == found)
    if isinstance(parameter, Int):
        return trial.suggest_int(named, told.low, told.high, log=told.log)
    found = trial.suggest_float(named, told.low, told.high, log=told.log)
    return min(parameter.high, max(parameter.low, 1 - found if to_one(parameter) else found))


def frozen(view: StudyView, track: Track, state: Any, value: float | None, points: dict[int, float]) -> Any:
    """A trial as Optuna knows it."""
    space = view.space
    return the_optuna().trial.create_trial(
        state=state,
        value=value,
        params={name_of(n, space[n]): as_told(v, space[n]) for n, v in track.params.items()},
        distributions={name_of(n, space[n]): distribution_of(space[n]) for n in track.params},
        intermediate_values=points,
    )


def points_of(view: StudyView, track: Track, sign: float = 1.0) -> dict[int, float]:
    """{step: value}, steps being resources."""
    scale = 1 if isinstance(view.max_resource, int) else PER_RANGE / view.max_resource
    each = zip(track.resources, track.values, strict=True)
    return {round(r * scale): sign * v for r, v in each if not math.isnan(v)}


def tpe_trials(view: StudyView) -> Iterator[Any]:
    """Finished trials by their value; others as pruned where they stand; failed ones as pruned with nothing, the worst."""
    states = the_optuna().trial.TrialState
    for t in view.trials:
        if t.state == FINISHED and not math.isnan(t.value):
            yield frozen(view, t, states.COMPLETE, t.value, points_of(view, t))
        elif t.state == RUNNING and not t.values:
            yield frozen(view, t, states.RUNNING, None, {})
        else:
            yield frozen(view, t, states.PRUNED, None, {} if t.state == FAILED else points_of(view, t))


def gp_trials(view: StudyView) -> Iterator[Any]:
    """Trials by their newest value, failed ones by the worst that was seen."""
    states = the_optuna().trial.TrialState
    for t, value in valued(view):
        yield frozen(view, t, states.COMPLETE, value, {})


def valued(view: StudyView) -> list[tuple[Track, float]]:
    """Trials with a value; failed ones with the worst of the others."""
    able = choice.able(view)
    worst = max((t.value for t in able), default=0.0)
    values = {t.number: t.value for t in able} | {t.number: worst for t in view.trials if t.state == FAILED}
    return [(view.trials[n], values[n]) for n in sorted(values)]


# -- CMA-ES ------------------------------------------------------------------------------------------------------------


class CmaEs:
    """CMA-ES (Hansen 2016) in the unit cube, by the package that Optuna's own sampler uses.

    Each generation is the next so many trials with a value, by number. Categories are columns, of which the largest wins.
    """

    sigma = 0.3
    """The first step, in the unit cube."""

    def __init__(self) -> None:
        try:
            import cmaes
        except ImportError as error:
            raise MissingExtra("cmaes", "search", "This proposer") from error
        self._make = cmaes.CMA

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        width = view.space.width
        bounds = np.array([[0.0, 1.0]] * width)
        cma = self._make(np.full(width, 0.5), self.sigma, bounds=bounds, seed=int(random.integers(2**31)))
        known = [(view.x[t.number], value) for t, value in valued(view)]
        size = cma.population_size
        for i in range(0, len(known) - size + 1, size):
            cma.tell(known[i : i + size])
        return view.space.decode(cma.ask())


# -- export ------------------------------------------------------------------------------------------------------------


def exported(view: StudyView, direction: str, storage: str | None, name: str) -> optuna.Study:
    """All trials with their curves as a study of Optuna's, for its dashboard and its plots."""
    optuna, sign = the_optuna(), 1.0 if direction == "minimize" else -1.0
    states = optuna.trial.TrialState
    known = {FINISHED: states.COMPLETE, FAILED: states.FAIL, RUNNING: states.RUNNING}
    with quiet():
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
        for t in view.trials:
            state = known.get(t.state, states.PRUNED)
            value = sign * t.value if state == states.COMPLETE else None
            trial = frozen(view, t, state, value, points_of(view, t, sign))
            for key, said in (("because", t.because), ("error", t.error), ("symptoms", ", ".join(t.symptoms))):
                if said:
                    trial.set_user_attr(key, said)
            study.add_trial(trial)
    return study
