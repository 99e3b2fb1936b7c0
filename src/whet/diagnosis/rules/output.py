"""Whether the network's last function, the loss and the targets fit together."""

from __future__ import annotations

from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import UNKNOWN, Evidence, Look
from whet.diagnosis.rules.measures import ALIKE, all_alike
from whet.record import Finding

CLIPPED = 0.1
"""Share of outputs that are exactly zero, and none below, from which on a rectifier must have made them."""
ASTRAY = 0.02
"""Of what a loss tells apart, by which it may like other answers better than the right ones."""
FAR_ASTRAY = 0.5
"""The same where a metric of one's own may ask for something else than the targets."""
HEARD, UNHEARD = 0.02, 0.02
INFORMED = 1 / 3
"""Of a metric of one's own, by which outputs that the loss does not hear make it better than their mean does: from here on
something teaches them."""
ENTROPY = "Use nn.CrossEntropyLoss() on outputs without a softmax; nn.BCEWithLogitsLoss() for yes or no."
PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")


def last_functions(e: Evidence) -> list[str]:
    """What makes the model's own result."""
    return [what for _, what, role in e.activations if role == "output"]


def one_softmax_unit(e: Evidence) -> Iterator[Finding]:
    if e.start.outputs == 1 and e.start.out_low == e.start.out_high == 1.0:
        yield finding(
            "softmax over one unit",
            "ACH",
            "The output is 1 whatever goes in: a softmax over a single unit has nothing to compare.",
            0.98,
            "Use torch.sigmoid in its place, or one unit per class and nn.CrossEntropyLoss() without a softmax.",
            low=e.start.out_low,
            high=e.start.out_high,
        )


def is_clipped(look: Look | None) -> bool:
    """Whether many outputs are zero and none is below, though the last layer answers different examples differently."""
    if look is None or not look.layers:
        return False
    return look.out_low == 0 and look.out_zero > CLIPPED and look.layers[-1].out_std > 0


def clipped_output(e: Evidence) -> Iterator[Finding]:
    """A rectifier as the last function."""
    last = [n for n in last_functions(e) if n in ("relu", "relu6", "softplus", "squared_relu", "elu", "celu", "abs")]
    if not last and (is_clipped(e.start) or is_clipped(e.end)):
        last = ["relu"]  # seen by what comes out: the program calls one function for all layers
    if not last:
        return
    needs_negative = e.criterion.takes == "logits" or (not e.data.classes and e.data.target_low < 0)
    if needs_negative or e.criterion.takes in ("probabilities", "log-probabilities"):
        yield finding(
            "rectified output",
            "ACH",
            f"{last[0]} is the last function, so that what should be below 0 is cut off, and where it is no gradient comes "
            f"back, so that they stay there: {e.start.out_zero:.0%} of the outputs are exactly 0 at the start.",
            0.86 if last[0] in ("relu", "relu6", "squared_relu") else 0.6,
            "End the network with its last nn.Linear, without a function behind it.",
            low=e.start.out_low,
        )


def doubled_output(e: Evidence) -> Iterator[Finding]:
    """Probabilities where the loss makes them itself."""
    if e.start.columns_sum_to_one:
        return  # a softmax over the rows is the graver fault, and has a rule of its own
    last = [n for n in last_functions(e) if n in PROBABILITIES]
    squeezed = e.start.sums_to_one or (last and e.start.out_low >= 0 and e.start.out_high <= 1)
    if e.criterion.takes == "logits" and squeezed:
        what = last[0] if last else "softmax"
        yield finding(
            "doubled output function",
            "ACH",
            f"The network ends with a {what} (outputs from {e.start.out_low:.2g} to {e.start.out_high:.2g}), and the loss "
            f"({e.criterion.name}) applies one of its own: no answer can be sure, and little is learned from each mistake.",
            0.72,
            f"Leave the {what} out of the network, and call it only where you show probabilities.",
            loss=e.criterion.name,
        )


def softmax_over_rows(e: Evidence) -> Iterator[Finding]:
    if e.start.columns_sum_to_one:
        yield finding(
            "softmax over the rows",
            "ACH",
            "Each output sums to 1 over the rows of the batch, not over the classes of a row: what is said of one row depends "
            "on the others beside it.",
            0.93,
            "Write softmax(dim=1), or leave it out where the loss is nn.CrossEntropyLoss(), which has its own.",
        )


def softmax_of_labels(e: Evidence) -> Iterator[Finding]:
    if e.data.several and e.start.sums_to_one:
        yield finding(
            "softmax over several labels",
            "ACH",
            f"A row may have any number of its {e.data.classes} labels, and the outputs, which sum to 1, can't say yes to two "
            "of them.",
            0.9,
            "Leave the softmax out and use nn.BCEWithLogitsLoss(): a yes or no for each label.",
            labels=e.data.classes,
        )


def missing_output(e: Evidence) -> Iterator[Finding]:
    """A loss of probabilities, or of their logarithms, without anything that makes them."""
    if e.criterion.takes == "log-probabilities" and e.start.finite and not e.start.log_shares and e.start.outputs > 1:
        yield finding(
            "missing output function",
            "ACH",
            f"The loss ({e.criterion.name}) takes logarithms of probabilities, and outputs range from {e.start.out_low:.2g} to "
            f"{e.start.out_high:.2g}: it falls without end as they grow.",
            0.93,
            "End the network with nn.LogSoftmax(1), or use nn.CrossEntropyLoss(), which has it inside.",
            low=e.start.out_low,
            high=e.start.out_high,
        )
    if e.criterion.takes != "probabilities" or e.criterion.name.startswith(("mse", "mae")):
        return
    outside = e.start.out_low < -1e-6 or e.start.out_high > 1 + 1e-6
    if outside and not set(last_functions(e)) & set(PROBABILITIES):
        yield finding(
            "missing output function",
            "ACH",
            f"The loss ({e.criterion.name}) takes probabilities, 0 to 1, and outputs range from {e.start.out_low:.2g} to "
            f"{e.start.out_high:.2g}.",
            0.9,
            "Use the loss that takes outputs as they are: nn.CrossEntropyLoss() for one of several classes, "
            "nn.BCEWithLogitsLoss() for yes or no.",
            low=e.start.out_low,
            high=e.start.out_high,
        )
    several = e.start.outputs > 1 and e.criterion.name.startswith("cross_entropy")
    if several and "sigmoid" in last_functions(e):
        yield finding(
            "sigmoid for several classes",
            "ACH",
            f"Each of {e.start.outputs} classes has a sigmoid of its own, and the loss ({e.criterion.name}) takes shares that "
            "sum to 1.",
            0.7,
            "Leave the sigmoid out and use nn.CrossEntropyLoss(), which makes shares itself.",
        )


def target_out_of_reach(e: Evidence) -> Iterator[Finding]:
    """Values that the last function can't say."""
    if e.data.classes:
        return
    low, high = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "relu": (0, 1e30)}.get(
        next(iter(last_functions(e)), ""), (-1e30, 1e30)
    )
    if e.data.target_low < low - 1e-6 or e.data.target_high > high + 1e-6:
        yield finding(
            "targets out of the output's range",
            "ACH",
            f"Targets range from {e.data.target_low:.3g} to {e.data.target_high:.3g}; the last function, "
            f"{last_functions(e)[0]}, gives {low} to {'any size' if high > 1e9 else high}: the rest can't be said.",
            0.93,
            "End the network with its last nn.Linear, without a function behind it; or bring the targets into that range.",
            low=e.data.target_low,
            high=e.data.target_high,
        )


def unsuited_loss(e: Evidence) -> Iterator[Finding]:
    name = e.criterion.name
    if name == "mse_of_every_pair" and e.data.rows > 1:
        yield finding(
            "every output against every target",
            "LCH",
            "Outputs (n, 1) and targets (n,) are broadcast to (n, n): each output is compared with every target.",
            0.98,
            "Bring both to one shape: loss(outputs.squeeze(1), y).",
        )
    elif e.data.several and name == "cross_entropy":
        yield finding(
            "one of several classes for labels",
            "LCH",
            f"The loss ({name}) looks for one class in each row, and a row may have any number of its {e.data.classes} labels.",
            0.9,
            "Use nn.BCEWithLogitsLoss(): a yes or no for each label.",
            loss=name,
        )
    elif e.classify and name in ("mae_of_classes", "mae", "mae_of_sigmoids", "mae_of_softmax"):
        yield finding(
            "absolute error for classes",
            "LCH",
            f"The loss is the absolute error ({name}) of class shares: its gradient vanishes where the network is wrong and "
            "sure.",
            0.87,
            ENTROPY,
            loss=name,
        )
    elif e.classify and name in ("mse_of_classes", "mse", "huber", "mse_of_sigmoids", "mse_of_softmax"):
        yield finding(
            "squared error for classes",
            "LCH",
            f"The loss is the squared error ({name}) of class shares: its gradient fades where the network is wrong and sure.",
            0.55,
            ENTROPY,
            loss=name,
        )


def signed_labels(e: Evidence) -> Iterator[Finding]:
    """Labels of -1 and 1 for a loss of 0 and 1, which then falls for ever; of several outputs a class may be an index."""
    low, high = e.data.target_low, e.data.target_high
    outside = low < -1e-6 or high > 1 + 1e-6
    if e.criterion.name in ("bce", "bce_with_logits") and e.classify and e.start.outputs == 1 and outside:
        yield finding(
            "labels that the loss can't take",
            "LCH",
            f"The loss ({e.criterion.name}) takes 0 for no and 1 for yes, and labels range from {low:g} to {high:g}: it has no "
            "least value then, and drives outputs on and on.",
            0.95,
            "Turn the labels into 0 and 1: y = (y > 0).float(), in both parts.",
            low=low,
            high=high,
        )


def collapsed(e: Evidence) -> Iterator[Finding]:
    """Answers that became alike for all rows under a loss of the user's own."""
    if e.criterion.name == "unknown" and all_alike(e) and e.start.out_std > 0 and e.course.broke is None:
        yield finding(
            "answers that became alike",
            "LCH",
            f"At the end answers differ from row to row by {e.end.out_std / e.start.out_std:.1%} of what they did in the fresh "  # type: ignore[union-attr]
            f"network (below {ALIKE:.0%} counts): a part of the loss that does not ask for the right answer, a penalty or a "
            "divergence, outweighs the one that does.",
            0.45,
            "Print the loss's parts one by one; divide the weight of the penalty by a hundred, or let it grow from 0.",
            border=ALIKE,
        )


def astray(e: Evidence) -> Iterator[Finding]:
    """A loss of the user's own whose least value is not where the right answers are."""
    if e.aim.astray > (ASTRAY if e.metric not in UNKNOWN else FAR_ASTRAY):
        yield finding(
            "a loss that prefers other answers",
            "LCH",
            f"Of made-up answers the loss likes others better than the right ones, by {e.aim.astray:.0%} of what it tells "
            f"apart (from {ASTRAY:.0%} on counts): as it falls, answers become wrong.",
            0.86,
            ENTROPY if e.classify else "Use nn.MSELoss(), or nn.HuberLoss() where targets have heavy tails.",
            share=e.aim.astray,
            border=ASTRAY,
        )
    elif e.aim.deaf:
        yield finding(
            "a loss that takes any class for right",
            "LCH",
            "Of made-up answers the loss likes those that name a wrong class as much as those that name the right one: it "
            "hears how large outputs are, and not which of them is the largest.",
            0.9,
            ENTROPY,
        )
    elif e.aim.heard < HEARD:
        yield finding(
            "classes that the loss does not hear",
            "LCH",
            f"Wrong answers to all rows of one class cost {e.aim.heard:.2%} of what they cost for another one (below "
            f"{HEARD:.0%} counts): the network need not learn it.",
            0.86,
            "Leave the weights of the classes out of the loss, or weigh each by 1 / its rows.",
            share=e.aim.heard,
            border=HEARD,
        )


def outputs_unheard(e: Evidence) -> Iterator[Finding]:
    """A part of the answers that the metric asks for, and the loss does not: a term that was forgotten."""
    if e.unheard > UNHEARD:
        yield finding(
            "outputs that the loss does not hear",
            "LCH",
            "Some of the outputs can change as they like without changing the loss (its gradient there is exactly 0), and the "
            f"metric, which moves by up to {e.unheard:.0%} with them (from {UNHEARD:.0%} on counts), asks for them: nothing "
            "teaches them.",
            0.88 if e.informed <= INFORMED else 0.4,
            "Add the missing part to the loss, as in loss_a(out[:, :3], y[:, 0]) + loss_b(out[:, 3], y[:, 1]).",
            moves=e.unheard,
            border=UNHEARD,
        )


RULES = (
    astray,
    outputs_unheard,
    signed_labels,
    collapsed,
    one_softmax_unit,
    clipped_output,
    doubled_output,
    softmax_over_rows,
    softmax_of_labels,
    missing_output,
    target_out_of_reach,
    unsuited_loss,
)
