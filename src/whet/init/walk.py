"""What a network computes, as a graph of the things an initialisation must know: one run on a sample, watched.

layer         weights that mix units: Linear, convolutions, embeddings, recurrent layers, attention
activation    maps each number by itself, and bends
norm          sets the length of the signal
join          a sum of two signals: the end of a skip connection
product       a product of two signals: a gate
other         the rest: reshaping, pooling, dropout, concatenation
"""

from __future__ import annotations

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from whet.init.packed import Packed
from whet.init.shaped import Shaped
from whet.surgery import vocabulary
from whet.surgery.modules import every_module
from whet.surgery.pointwise import maps_each

Kind = Literal["layer", "activation", "norm", "join", "product", "other"]

LAYERS = (
    nn.Linear, _ConvNd, Packed, nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention,
)  # fmt: skip
_JOINS = vocabulary.words("add __add__ __radd__ __iadd__ sub __sub__ __isub__")
_PRODUCTS = vocabulary.words("mul __mul__ __rmul__ __imul__ matmul __matmul__ bmm einsum div")
_SHAPES = vocabulary.words("__get__ size dim __len__ numel stride is_floating_point type_as expand_as")
_FUNCTIONAL_LAYERS = vocabulary.words(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d embedding bilinear"
)
_STILL = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)
_LIKE_NORMS = ("squashing", "dyt", "derf", "dynamictanh", "dynamicerf")
"""Ours, and what others call such functions that stand in for a norm."""


@dataclass(eq=False)
class Node:
    """One thing that is computed."""

    index: int
    kind: Kind
    what: str
    """The module's path, or the function's name."""
    module: nn.Module | None
    owner: str
    """The path of the module in whose forward it is called."""
    inputs: tuple[Node, ...]
    shape: tuple[int, ...]
    call: tuple[Any, ...] | None = None
    """Of an activation that is called as a function: the function, its further arguments, its keywords."""
    users: list[Node] = field(default_factory=list)

    @property
    def units(self) -> int:
        """Outputs of a layer that each have weights of their own."""
        if isinstance(self.module, _ConvNd):
            return self.module.out_channels
        return self.shape[-1] if self.shape else 1


def walk(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Node]:
    """The nodes of one run, in order. The model is run in evaluation mode without gradients and left as it was."""
    watcher = _Watcher(model)
    for tensor in _tensors((args, kwargs)):
        watcher.note(tensor, watcher.add("other", "input", None, (), tensor))
    with evaluating(model), torch.no_grad(), watcher.hooked(), watcher:
        model(*args, **kwargs)
    return watcher.nodes


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, one by one put back; no fused fast path that would hide modules; no draw from torch's generator."""
    modes = {m: m.training for m in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.random.fork_rng(devices=[]):
            model.eval()
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes.items():
            module.training = mode


class _Watcher(TorchFunctionMode):
    """Notes which tensor came from which; inside a layer that counts as one thing, nothing is noted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.paths = {m: path for path, m in every_module(model)}
        self.nodes: list[Node] = []
        self.origin: dict[int, Node] = {}
        self.kept: list[Any] = []
        self.stack: list[nn.Module] = []
        self.inside: nn.Module | None = None
        self.kinds: dict[nn.Module, Kind | None] = {}

    def add(self, kind: Kind, what: str, module: nn.Module | None, inputs: tuple[Node, ...], out: Any) -> Node:
        first = next(_tensors(out), None)
        owner = self.paths.get(self.stack[-1], "") if self.stack else ""
        shape = tuple(first.shape) if first is not None else ()
        node = Node(len(self.nodes), kind, what, module, owner, inputs, shape)
        self.nodes.append(node)
        for source in inputs:
            source.users.append(node)
        return node

    def note(self, out: Any, node: Node) -> None:
        """Every tensor in `out` came from this node."""
        for tensor in _tensors(out):
            self.origin[id(tensor)] = node
            self.kept.append(tensor)

    def sources(self, given: Any) -> tuple[Node, ...]:
        found = (self.origin.get(id(t)) for t in _tensors(given))
        return tuple(dict.fromkeys(n for n in found if n is not None))

    @contextlib.contextmanager
    def hooked(self) -> Iterator[None]:
        """Hooks on every module, removed in the end."""
        hooks = [h for m in self.paths for h in self._hooks(m)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hooks(self, module: nn.Module) -> tuple[Any, Any]:
        return (
            module.register_forward_pre_hook(self._enter, with_kwargs=True),
            module.register_forward_hook(self._leave, with_kwargs=True),
        )

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self.stack.append(module)
        if self.inside is None:
            self.inside = module  # what follows is our own
            if module not in self.kinds:
                self.kinds[module] = kind_of(module, next(_tensors((args, kwargs)), None))
            if self.kinds[module] is None:
                self.inside = None

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self.stack.pop()
        if self.inside is module:
            self.inside = None
            kind = self.kinds[module] or "other"
            self.note(output, self.add(kind, self.paths[module], module, self.sources((args, kwargs)), output))

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if self.inside is None and name not in _SHAPES:
            sources = self.sources((args, kwargs))
            if sources and any(True for _ in _tensors(output)):
                kind = _kind_of_call(function, args, kwargs or {}, sources)
                node = self.add(kind, vocabulary.plain_name(function), None, sources, output)
                if kind == "activation" and args:
                    node.what = vocabulary.recognise(function, args, kwargs or {}) or node.what
                    node.call = (function, args[1:], kwargs or {})
                self.note(output, node)
        return output


def kind_of(module: nn.Module, given: Tensor | None) -> Kind | None:
    """What a module counts as, as a whole, on this input; None if one must look inside."""
    if isinstance(module, LAYERS):
        return "layer"
    if isinstance(module, Shaped):
        return "activation"
    if isinstance(module, _STILL):
        return "other"
    if _is_norm(module):
        return "norm"
    return "activation" if given is not None and _bends(module, given) else None


def _is_norm(module: nn.Module) -> bool:
    name = type(module).__name__.lower()
    return ("norm" in name or name in _LIKE_NORMS) and not any(isinstance(m, LAYERS) for m in module.modules())


def _bends(module: nn.Module, given: Tensor) -> bool:
    """Whether a module without layers maps each number by itself, and not along a line."""
    if any(isinstance(m, (*LAYERS, nn.Sequential, nn.ModuleList)) for m in module.modules()):
        return False
    if not given.is_floating_point() or given.numel() < 2:
        return False
    small = given[:2]
    try:
        bare = without_hooks(module)
    except Exception:  # it holds what can't be copied: no simple function
        return False
    if not maps_each(bare, small):
        return False
    x = torch.linspace(-3, 3, 7, dtype=given.dtype, device=given.device)
    with torch.no_grad():
        y = torch.stack([bare(torch.full_like(small, float(v))).flatten()[0] for v in x])
    return not torch.allclose(y.diff(), y.diff().mean().expand(6), rtol=1e-4, atol=1e-6)


def without_hooks(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode, whose calls nobody watches."""
    hooks = [(vars(m), name, vars(m)[name]) for m in module.modules() for name in _HOOKS]
    for table, name, _ in hooks:
        table[name] = OrderedDict()
    try:
        return copy.deepcopy(module).eval()
    finally:
        for table, name, value in hooks:
            table[name] = value


_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def _kind_of_call(function: Callable[..., Any], args: Any, kwargs: Any, sources: tuple[Node, ...]) -> Kind:
    name = getattr(function, "__name__", "").rstrip("_") or ""
    plain = getattr(function, "__name__", "")
    if plain in _JOINS or name in _JOINS:
        return "join" if len(sources) > 1 else "other"
    if plain in _PRODUCTS or name in _PRODUCTS:
        return "product" if len(sources) > 1 else "other"
    if name in _FUNCTIONAL_LAYERS:
        return "layer"
    if vocabulary.plain_name(function) in vocabulary.NORMALISERS:
        return "norm"
    found = vocabulary.recognise(function, args, kwargs)
    return "activation" if found in vocabulary.ACTIVATIONS else "other"


def _tensors(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, Mapping):  # a model's output record too
        for value in given.values():
            yield from _tensors(value)
    elif isinstance(given, list | tuple):
        for value in given:
            yield from _tensors(value)
