"""One rule for any network and any activation: walk it, plan, draw, and refine on a batch.

    sample ──walk.py──> nodes ──plan.py──> shapes, gains, scales, starts ──here──> weights ──refine.py──> done

Between norms a network lives on what its layers keep. There the activations are shaped by `whet.theory.shaping`, for the
depth and width that they stand in, and the weights are orthogonal. Where norms stand close, activations stay as they are,
and each layer makes up for what the function before it loses. Unless a network is so deep that its weights are enlarged
for the step, its output starts small: weights of deviation 1 / fan in (Yang & Hu 2021, arXiv:2011.14522), so that what
is learned outweighs what was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from whet.errors import UserError
from whet.init.draw import each_member, parameter_of, redraw, zero
from whet.init.functional import to_modules
from whet.init.isometry import Layer, orthogonal_matrix, orthogonal_weight
from whet.init.plan import Plan, make
from whet.init.recurrent import draw_recurrent
from whet.init.refine import LEAST_EXAMPLES, Measured, norms_awake, refine
from whet.init.samples import as_call, made_up, ready
from whet.init.shaped import Shaped
from whet.init.walk import LAYERS, Node, evaluating, walk
from whet.surgery.modules import Slot, every_module, slots
from whet.surgery.sample import run, tensors_in

_NO_INPUT = ["no made-up input fits the model, so its layers were drawn one by one: give a sample"]
STEP = 1e-3
"""How far Adam moves a weight in one step at the learning rate that most people start with."""


@dataclass(frozen=True)
class Done:
    """What became of one module, or of one parameter of it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where or '(model)'}: {self.what}"


@dataclass(frozen=True)
class Report:
    """What `auto_` did, place by place. `str(report)` is for people."""

    places: tuple[Done, ...]
    depth: int
    """The most activations that a signal passes between two norms."""
    shaped: int
    """Activations that got a scale and a shift."""
    refined: int
    """Layers whose output was brought to its length on the sample."""

    def __str__(self) -> str:
        head = f"{self.depth} activations between norms at most; {self.shaped} shaped; {self.refined} layers refined"
        return "\n".join([head, *(f"  {place}" for place in self.places)])


def auto_(model: nn.Module, sample: Any = None, generator: Generator | None = None, *, step: float = STEP) -> Report:
    """Initialise any network in place: weights, biases, and where it is deep without norms, its activations' scale and shift.

    `sample` is a batch as the model takes it: a tensor, a tuple of arguments, or a dict of keyword arguments. With it,
    each layer before a shaped activation is brought to mean 0 and the right length on real data; without, the model is
    looked at on made-up input. `step` is how far the optimiser will move a weight in one step (Adam's rate); 0 where
    steps are proportional to gradients, as in SGD. Parameters that are frozen, or carry `keep_init = True`, stay as they
    are. The same generator state gives the same weights, also when applied twice. Raises UserError, with the model
    unchanged, for lazy layers that have not seen their input, for scripted modules, and for a sample that does not fit.
    """
    model = ready(model, sample, generator)
    if not (isinstance(step, int | float) and 0 <= step < inf):
        raise UserError(f"step={step!r} is no size of a step.", "Give the learning rate of Adam, or 0 for SGD.")
    given = made_up(model) if sample is None else sample
    unshape(model)
    plan, notes = _plan(model, given, step)
    drawn = _draw(model, plan, generator if generator is not None else torch.default_generator)
    _put_shapes(model, plan)
    measured = _refine(model, plan, given) if sample is not None else {}
    return _report(model, plan, drawn, measured, notes)


def unshape(model: nn.Module) -> None:
    """Take every scale and shift out again."""
    for slot in list(slots(model)):
        if isinstance(slot.module, Shaped):
            slot.put(slot.module.function)


def _plan(model: nn.Module, given: Any, step: float) -> tuple[Plan, list[str]]:
    """Decisions for a model that can run; for one that can't, none: its layers are drawn one by one."""
    if given is None:
        return Plan(), _NO_INPUT if any(isinstance(m, LAYERS) for m in model.modules()) else []
    nodes = walk(model, *as_call(given))
    plan = make(nodes, step)
    if not any(a.asks_for_surgery for a in plan.activations):
        return plan, []
    _enliven(model, nodes, given)
    before = set(model.modules())
    changes, notes = to_modules(model, nodes, given)
    if changes is None:
        return plan, notes
    plan = make(walk(model, *as_call(given)), step)
    if not any(a.shape and a.nodes[0].module not in before for a in plan.activations):
        changes.undo()
    return plan, notes


def _enliven(model: nn.Module, nodes: list[Node], given: Any) -> None:
    """Signals of length 1 everywhere, so that surgery can tell functions by what they do to numbers. The weights are
    drawn anew afterwards."""
    layers = [n.module for n in nodes if isinstance(n.module, Layer)]
    with evaluating(model):
        refine(dict.fromkeys(layers, 1.0), lambda: run(model, given), centred=False)


# -- drawing -------------------------------------------------------------------------------------------------------------


def _draw(model: nn.Module, plan: Plan, generator: Generator) -> dict[nn.Module, str]:
    """Fresh weights for every layer, in the order of registration; what was drawn, by module."""
    drawn: dict[nn.Module, str] = {}
    known: set[int] = set()
    heads = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in known]
        known |= {id(p) for p in own}
        if own or parametrize.is_parametrized(module):
            factor, why = _factor(module, plan)
            said = _draw_one(module, factor, generator, {id(p) for p in own}, heads)
            drawn[module] = f"{said}, {why}" if why and said else said
    return {m: said for m, said in drawn.items() if said}


def _factor(module: nn.Module, plan: Plan) -> tuple[float, str]:
    """Gain times scale times start, and what is worth saying of them."""
    gain, scale = plan.gains.get(module, 1.0), plan.scales.get(module, 1.0)
    start, why = plan.starts.get(module, (1.0, ""))
    said = [f"gain {gain:.3g}"] * (gain != 1) + [f"times {scale:.3g}"] * (scale != 1) + [why] * bool(why)
    return gain * scale * start, ", ".join(said)


def _draw_one(module: nn.Module, factor: float, generator: Generator, own: set[int], heads: set[int]) -> str:
    """Draw one module's own parameters, and say how; "" for a module that is left as it is."""
    weight = parameter_of(module)
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        draw_recurrent(module, generator)
        return "orthogonal from step to step"
    if isinstance(module, nn.MultiheadAttention):
        _draw_attention(module, generator)
        return "orthogonal projections"
    if weight is None or (id(weight) not in own and not parametrize.is_parametrized(module)):
        return ""
    if isinstance(module, Layer):
        fill = each_member(module, lambda w, g: w.copy_(orthogonal_weight(module, g) * factor))
        redraw(weight, fill, generator)
        redraw(module.bias, zero, generator)
        return "orthogonal"
    if isinstance(module, nn.Embedding):
        std = module.embedding_dim**-0.5 if id(weight) in heads else 1.0
        redraw(weight, lambda w, g: _embed(module, std, w, g), generator)
        return f"normal, deviation {std:.3g}"
    if factor == 0:
        redraw(weight, zero, generator)
        return "weight 0"
    return ""


def _embed(layer: nn.Embedding, std: float, weight: Tensor, g: Generator) -> None:
    """`std` is smaller where the same weight also makes the output, as a sum over the embedding."""
    weight.normal_(0, std, generator=g)
    if layer.padding_idx is not None:
        weight[layer.padding_idx] = 0


def _draw_attention(layer: nn.MultiheadAttention, generator: Generator) -> None:
    """Queries, keys and values each orthogonal; the output projection is a Linear of its own."""
    width = layer.embed_dim
    if layer.in_proj_weight is not None:
        redraw(layer.in_proj_weight, lambda w, g: w.copy_(_stack(3, width, width, g)), generator)
    for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        redraw(getattr(layer, name), lambda w, g: w.copy_(orthogonal_matrix(w.shape[0], w.shape[1], g)), generator)
    redraw(layer.in_proj_bias, zero, generator)


def _stack(count: int, rows: int, columns: int, g: Generator) -> Tensor:
    return torch.cat([orthogonal_matrix(rows, columns, g) for _ in range(count)])


# -- shapes and refinement -----------------------------------------------------------------------------------------------


def _put_shapes(model: nn.Module, plan: Plan) -> None:
    """Put a shaped module where each activation to be shaped stands."""
    places: dict[nn.Module, list[Slot]] = {}
    for slot in slots(model):
        places.setdefault(slot.module, []).append(slot)
    device, dtype = next(((p.device, p.dtype) for p in model.parameters()), (None, None))
    for activation in plan.activations:
        module = activation.nodes[0].module
        if activation.shape is None or module is None:
            continue
        shaped = Shaped(module, activation.shape, activation.scale)
        shaped.to(device, torch.float64 if dtype == torch.float64 else None)
        shaped.train(module.training)
        for slot in places.get(module, ()):
            slot.put(shaped)


def _refine(model: nn.Module, plan: Plan, given: Any) -> dict[nn.Module, Measured]:
    """Bring the layers before shaped activations to length c on the sample."""
    targets = {m: plan.scales.get(m, 1.0) for m in plan.before_shaped}
    if not targets:
        return {}
    examples = max((t.shape[0] for t in tensors_in(given) if t.ndim), default=1)
    with evaluating(model), norms_awake(model):
        return refine(targets, lambda: run(model, given), centred=examples >= LEAST_EXAMPLES)


def _report(
    model: nn.Module,
    plan: Plan,
    drawn: Mapping[nn.Module, str],
    measured: Mapping[nn.Module, Measured],
    notes: list[str],
) -> Report:
    by_module = {a.nodes[0].module: a for a in plan.activations}
    places = []
    for path, module in every_module(model):
        said = drawn.get(module, "")
        if module in measured:
            seen = measured[module]
            said += f"; gave mean {seen.mean:.2g}, deviation {seen.deviation:.2g}, refined"
        if isinstance(module, Shaped):
            activation = by_module[module.function]
            said = f"{_name(module.function)} shaped for {activation.depth} layers of {activation.width}: {module.extra_repr()}"
        elif module in by_module and by_module[module].shape is None:
            said = f"{_name(module)} stays: {by_module[module].left}"
        if said:
            places.append(Done(path, said))
    return Report(
        (*places, *(Done("", note) for note in notes)),
        max((a.depth for a in plan.activations), default=0),
        sum(a.shape is not None for a in plan.activations),
        len(measured),
    )


def _name(module: nn.Module) -> str:
    return type(module).__name__
