"""The last function and the loss, brought together."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from whet.remedies.need import Need
from whet.setups import Setup
from whet.setups.code import coded, said_of
from whet.setups.operations import ChangeOutput
from whet.setups.setup import Loss

LEAST = 1e-7


def last_function(need: Need) -> str:
    ends = [what for _, what, role in need.activations if role == "output"]
    known = [n for n in ends if n in ("relu", "softmax", "sigmoid", "tanh", "hard_sigmoid", "softplus", "relu6", "elu")]
    return known[0] if known else str(need.finding.evidence.get("function", "relu"))


def sigmoid_instead(need: Need) -> Setup:
    return need.setup.with_operation(ChangeOutput("sigmoid", "softmax"), need.edit("output", "softmax", "sigmoid"))


def plain_output(need: Need) -> Setup:
    """Nothing behind the last layer; where the loss takes probabilities, the one that takes logits."""
    old = last_function(need)
    edit = need.edit("output", old, "none")
    if need.criterion.takes in ("probabilities", "log-probabilities") and need.classify:
        return need.setup.with_operation(ChangeOutput("none", old), edit).edited(loss=logits_loss(need))
    return need.setup.with_operation(ChangeOutput("none", old), edit)


def softmax_instead(need: Need) -> Setup:
    old = last_function(need)
    return need.setup.with_operation(ChangeOutput("softmax", old), need.edit("output", old, "softmax"))


def one_of_several(need: Need) -> bool:
    """Whether a row has one of several classes, and not any number of labels."""
    y = need.setup.parts[0].some(64)[1]
    labels = y.dim() == 2 and y.shape[1] == need.outputs and not bool((y.sum(1) == 1).all())
    return need.outputs > 1 and not labels


def logits_loss(need: Need) -> Loss:
    return cross_entropy if one_of_several(need) else binary


def classes(y: Tensor) -> Tensor:
    """Class indices (n,) of indices in any shape, or of one-hot rows."""
    return y.argmax(1) if y.dim() > 1 and y.shape[1] > 1 else y.reshape(len(y)).long()


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """Of logits (n, C, ...) and class indices (n, ...), or one-hot rows."""
    places = outputs.dim() > 1 and y.shape == outputs.shape[:1] + outputs.shape[2:]
    return F.cross_entropy(outputs, y.long() if places else classes(y))


def binary(outputs: Tensor, y: Tensor) -> Tensor:
    """Of one logit for each 0 or 1."""
    return F.binary_cross_entropy_with_logits(outputs.reshape(y.shape), y.to(outputs.dtype))


def cross_entropy_of_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Of probabilities (n, C) and class indices."""
    picked = outputs.clamp(LEAST, 1).log()
    return F.nll_loss(picked, classes(y))


def binary_of_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Of one probability for each 0 or 1."""
    p = outputs.reshape(y.shape).clamp(LEAST, 1 - LEAST)
    return F.binary_cross_entropy(p, y.to(p.dtype))


def fitting_loss(need: Need) -> Setup:
    """The cross-entropy, of probabilities or logits, whichever the network gives."""
    shares = need.out_low >= -1e-6 and need.out_high <= 1 + 1e-6
    several = one_of_several(need)
    table = {
        (True, True): cross_entropy_of_shares,
        (True, False): binary_of_shares,
        (False, True): cross_entropy,
        (False, False): binary,
    }
    return need.setup.edited(need.edit("loss", need.criterion.name, "cross_entropy"), loss=table[shares, several])


def yes_or_no(outputs: Tensor, y: Tensor) -> Tensor:
    """Of one logit for each label of 0 or less, and of more."""
    return F.binary_cross_entropy_with_logits(outputs.reshape(y.shape), (y > 0).to(outputs.dtype))


def yes_or_no_of_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Of one probability for each label of 0 or less, and of more."""
    return binary_of_shares(outputs, y > 0)


def signs_for_labels(need: Need) -> Setup:
    loss = yes_or_no if need.criterion.takes == "logits" else yes_or_no_of_shares
    return need.setup.edited(need.edit("loss", "of labels as they are", "of labels above 0"), loss=loss)


def right_axis(need: Need) -> Setup:
    """A softmax over the classes of a row, or none where the loss has its own."""
    return plain_output(need) if need.criterion.takes == "logits" else softmax_instead(need)


def squares(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of values, row by row, whatever shapes both have."""
    return F.mse_loss(outputs.reshape(y.shape), y.to(outputs.dtype))


def pairwise_shapes(need: Need) -> Setup:
    return need.setup.edited(need.edit("loss", "every output with every target", "row by row"), loss=squares)


def usual_loss(need: Need) -> Setup | None:
    """In the place of a loss that is none of the known ones: the cross-entropy of classes, squares of values."""
    if need.criterion.name != "unknown" or need.setup.metric == "loss":
        return None
    if need.classify:
        return fitting_loss(need)
    return need.setup.edited(need.edit("loss", "your own", "squared error"), loss=squares)


def likelihood_of_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Of logits (n, C) and shares (n, C) that sum to 1: the divergence of one from the other, but for a constant."""
    return F.cross_entropy(outputs, y.to(outputs.dtype))


def loss_of_logits(need: Need) -> Setup:
    """The loss that makes shares itself, behind the last layer as it is."""
    if need.criterion.name.startswith("kl_div"):
        ends = [what for _, what, role in need.activations if role == "output"]
        setup = plain_output(need) if ends else need.setup
        return setup.edited(need.edit("loss", need.criterion.name, "of logits"), loss=likelihood_of_shares)
    return need.setup.edited(need.edit("loss", need.criterion.name, "of logits"), loss=logits_loss(need))


def turned_answers(need: Need) -> Setup:
    """The loss of answers with the other sign."""
    own = need.setup.loss

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        return own(-outputs, y)

    said = f"(lambda outputs, y: ({said_of(own, 'original.loss')})(-outputs, y))"
    return need.setup.edited(
        need.edit("loss", "of the answers", "of the answers with the other sign"), loss=coded(loss, said)
    )


def turned_loss(need: Need) -> Setup:
    """The loss with the other sign."""
    own = need.setup.loss

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        return -own(outputs, y)

    said = f"(lambda outputs, y: -({said_of(own, 'original.loss')})(outputs, y))"
    return need.setup.edited(need.edit("loss", "your own", "your own with the other sign"), loss=coded(loss, said))


# what is printed for these losses, which are given as they are
LOSSES = (cross_entropy, binary, cross_entropy_of_shares, binary_of_shares, squares)
for _loss in (*LOSSES, yes_or_no, yes_or_no_of_shares, likelihood_of_shares):
    coded(_loss, f"whet.remedies.output.{_loss.__name__}")


REMEDIES = {
    "softmax over one unit": (sigmoid_instead, plain_output),
    "rectified output": (plain_output,),
    "doubled output function": (plain_output,),
    "softmax over the rows": (right_axis,),
    "softmax over several labels": (plain_output,),
    "one of several classes for labels": (loss_of_logits,),
    "missing output function": (loss_of_logits,),
    "sigmoid for several classes": (softmax_instead, plain_output),
    "targets out of the output's range": (plain_output,),
    "absolute error for classes": (fitting_loss,),
    "squared error for classes": (fitting_loss,),
    "every output against every target": (pairwise_shapes,),
    "a loss that prefers other answers": (usual_loss,),
    "classes that the loss does not hear": (usual_loss,),
    "a loss that takes any class for right": (fitting_loss,),
    "labels that the loss can't take": (signs_for_labels,),
    "a loss that works against the metric": (turned_answers, turned_loss),
}
