"""A network of the user's own: any function that returns an nn.Module, checked once on a batch of zeros."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import RecipeError, UnknownName, UserError
from whet.families import bundles
from whet.families.common import Flat
from whet.families.of_keras import as_if_first
from whet.families.spec import InputSpec

Factory = Callable[..., nn.Module]


class OnFlat(nn.Module):
    """A network that takes one tensor, on a table: numbers and one-hot categories are put side by side for it."""

    def __init__(self, spec: InputSpec, network: nn.Module) -> None:
        super().__init__()
        self.flat = Flat(spec)
        self.network = network

    def forward(self, x: Tensor, category: Tensor | None = None) -> Tensor:
        out: Tensor = self.network(self.flat(x, category))
        return out


class OnFirst(nn.Module):
    """A network that takes one tensor, where a field gives several: it is given the first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        out: Tensor = self.network(x)
        return out


class OnNames(nn.Module):
    """A network whose batches are dicts: it gets what its forward names, or the dict where it names none of them."""

    def __init__(self, names: Sequence[str], network: nn.Module) -> None:
        super().__init__()
        asked = inspect.signature(network.forward).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in asked.values())
        self.names, self.asked = tuple(names), tuple(name for name in names if takes_all or name in asked)
        self.network = network

    def forward(self, *tensors: Tensor) -> Any:
        batch = dict(zip(self.names, tensors, strict=True))
        return self.network(**{name: batch[name] for name in self.asked}) if self.asked else self.network(batch)


class OnForm(nn.Module):
    """A network that takes nests of tensors, such as (texts, lengths), where it is given them side by side."""

    def __init__(self, form: bundles.Form, network: nn.Module) -> None:
        super().__init__()
        self.form, self.network = form, network

    def forward(self, *tensors: Tensor) -> Any:
        return self.network(*bundles.filled(self.form, iter(tensors)))


class Joined(nn.Module):
    """A network that gives several tensors, as one: `apart` gives them back, for a loss that wants them."""

    def __init__(self, network: nn.Module, outputs: Any) -> None:
        super().__init__()
        self.network, self.form = network, bundles.form_of(outputs)

    def forward(self, *tensors: Tensor) -> Tensor:
        return bundles.joined(self.network(*tensors))

    def apart(self, outputs: Tensor) -> Any:
        """(n, all values) -> the outputs as the network gives them."""
        return bundles.apart(self.form, outputs)


class Alone(nn.Module):
    """A network that gives one tensor in a tuple or a dict, such as {"logits": …}, without that."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *tensors: Tensor) -> Tensor:
        found: Tensor = next(bundles.leaves(self.network(*tensors)))
        return found


def make(spec: InputSpec, factory: str | Factory = "", **arguments: Any) -> nn.Module:
    """The network that `factory` returns: a callable, or "file.py:name", called with these arguments.

    The factory may ask for `spec` (an InputSpec), `outputs` or `shape` by naming a parameter so. Raises RecipeError
    where it fails, or where the network doesn't turn a batch of this data into (batch, outputs).
    """
    if not factory:
        raise RecipeError("family 'user' has no factory.", 'Write factory = "file.py:function".')
    called = in_words(factory)
    network = _call(load(factory) if isinstance(factory, str) else factory, called, spec, arguments)
    spec = dataclasses.replace(spec, example=spec.more.get("inside", spec.example))
    if spec.example is None and not spec.is_image and _takes(network) == 1:
        network = OnFlat(spec, network)
    if names := spec.more.get("names"):
        network = OnNames(names, network)
    elif (form := spec.more.get("form")) and _binds(network, len(form)):
        network = OnForm(form, network)
    elif spec.example is not None and _takes(network) == 1 and len(spec.example()) > 1:
        network = OnFirst(network)
    out = check(network, called, spec)
    if not isinstance(out, Tensor):
        alone = spec.more.get("alone") and len(list(bundles.leaves(out))) == 1
        network = Alone(network) if alone else Joined(network, out)
    around: Callable[[nn.Module], nn.Module] | None = spec.more.get("around")  # what reads its outputs for the field
    return network if around is None else around(network)


def in_words(factory: str | Factory) -> str:
    """What a person calls it: "FILE.py:function", or a function's or a class's own name."""
    if not isinstance(factory, str):
        return str(getattr(factory, "__name__", type(factory).__name__))
    return factory.rpartition(".")[2].rpartition("-")[0] if factory.startswith("python:") else factory


_KNOWN: dict[str, Factory] = {}


_TRUSTED: set[str] = set()
"""Files that the user named in this process: nothing that was merely read from a run folder or a recipe is run."""


def remember(factory: Factory | str) -> str:
    """A name by which recipes can call a user's function: they hold text, no live objects. Allows it to be run."""
    if isinstance(factory, str):
        _TRUSTED.add(factory)
        return factory
    code = getattr(factory, "__code__", None)
    text = repr((code.co_code, code.co_consts, code.co_names)) if code else repr(type(factory))
    told_apart = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", text).encode()).hexdigest()[:8]
    called = getattr(factory, "__qualname__", type(factory).__name__)
    name = f"python:{getattr(factory, '__module__', '')}.{called}-{told_apart}"
    _KNOWN[name] = factory
    return name


def load(where: str) -> Factory:
    """The object that "file.py:name" stands for, or the one that was remembered under this name.

    The file is run, as `python file.py` would run it, and only if the user named it in this process.
    """
    if where in _KNOWN:
        return _KNOWN[where]
    if where.startswith("python:"):
        raise RecipeError("The network is a function of another Python process.", "Give it again with model=.")
    if where not in _TRUSTED:
        raise RecipeError(f"Making this network runs code, {where}.", f"Allow it with --model {where}.")
    path, name = located(where)
    module = _run(path)
    if not hasattr(module, name):
        known = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        raise UnknownName(f"function in {path}", name, known)
    found: Factory = getattr(module, name)
    return found


def located(where: str) -> tuple[Path, str]:
    """The file and the name in "file.py:name". Raises RecipeError where there is no such file, or no name."""
    file, _, name = where.rpartition(":")
    if not file or not name:
        raise RecipeError(f"{where!r} is no network.", "Write FILE.py:FUNCTION, such as model.py:make.")
    if not Path(file).is_file():
        raise RecipeError(f"There is no file {file!r} (for the network {where!r}).")
    return Path(file), name


def _run(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise RecipeError(f"{path} is no Python file.", "The file of a network must end in .py.")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{path} can't be run: {_short(error)}") from error
    return module


def _call(factory: Factory, called: str, spec: InputSpec, arguments: Mapping[str, Any]) -> nn.Module:
    if isinstance(factory, nn.Module):
        raise RecipeError(
            f"{called} is a network, not a function that makes one; every trial needs a fresh one.",
            "Write: lambda: copy.deepcopy(network).",
        )
    if not callable(factory):
        raise RecipeError(f"{called} is {type(factory).__name__}, not a function that makes a network.")
    offered: dict[str, Any] = {"spec": spec, "outputs": spec.outputs, "shape": spec.shape}
    asked = inspect.signature(factory).parameters if not inspect.isbuiltin(factory) else {}
    try:
        with as_if_first():
            network = factory(**{k: v for k, v in offered.items() if k in asked} | dict(arguments))
    except UserError:
        raise
    except Exception as error:
        raise RecipeError(
            f"The network {called} can't be made: {_short(error)}", _arguments(factory, called)
        ) from error
    if not isinstance(network, nn.Module):
        raise RecipeError(f"{called} returned {type(network).__name__}, not an nn.Module.", _backend(network))
    return network


def _arguments(factory: Factory, called: str) -> str:
    """The way out for a function or a class that wants arguments which nobody gives."""
    known = ("spec", "outputs", "shape")
    wanted = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty and p.name not in known]
    named = [p.name for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return (
        f"Give them: model=lambda: {called}({', '.join(f'{name}=…' for name in named)}), or defaults." if named else ""
    )


def _backend(made: object) -> str:
    """The way out for a Keras model that is no module."""
    is_keras = type(made).__module__.partition(".")[0] == "keras"
    return "Set KERAS_BACKEND=torch before Keras is imported." if is_keras else ""


def _takes(network: nn.Module) -> int:
    """How many tensors the network's forward takes; 2 stands for two or more."""
    if isinstance(inputs := getattr(network, "inputs", None), list):  # a Keras model's forward says nothing
        return min(2, len(inputs))
    parameters = inspect.signature(network.forward).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return min(2, sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters))


def _binds(network: nn.Module, count: int) -> bool:
    """Whether the network's forward takes so many tensors, or nests of them."""
    try:
        inspect.signature(network.forward).bind(*[None] * count)
    except TypeError:
        return False
    return True


def check(network: nn.Module, called: str, spec: InputSpec) -> Any:
    """What a batch of two comes out as. Raises RecipeError, in one line, if that is not (2, outputs), or anything with rows
    where a loss of the user's own knows what to do with it. Draws no random numbers."""
    inputs: tuple[Tensor, ...] = spec.example() if spec.example else (torch.zeros(2, *spec.shape),)
    if spec.example is None and not spec.is_image:
        inputs = (*inputs, torch.zeros(2, len(spec.cardinalities), dtype=torch.int64))
    shapes = " and ".join(str(tuple(i.shape)) for i in inputs)
    modes = [(m, m.training) for m in network.modules()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            out = network.eval()(*inputs)
    except Exception as error:
        raise RecipeError(f"The network {called} fails on a batch of shape {shapes}: {_short(error)}") from error
    finally:
        for module, mode in modes:
            module.training = mode
    if spec.more.get("free") and bundles.has_rows(out, 2):
        return out
    seen = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    if seen != (2, *spec.more.get("output_shape", (spec.outputs,))):
        what = f"{spec.outputs} classes" if spec.goal == "classify" else f"{spec.outputs} value(s)"
        raise RecipeError(
            f"The network {called} turns a batch of shape {shapes} into {seen}, but {what} need {(2, spec.outputs)}.",
            f"Give its last layer {spec.outputs} output(s).",
        )
    return out


def _short(error: BaseException) -> str:
    """The first line of what an error says, with its kind."""
    said = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__}."
