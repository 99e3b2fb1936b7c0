"""Surgery on more than a hundred architectures: found, replaced, verified. One line of JSON for each, and a table.

    python benchmarks/surgery_table.py [--only PATTERN] [--table]

Needs an environment with timm, transformers, keras (KERAS_BACKEND=torch) beside torch; architectures whose library is
absent are left out, and named. Each one is made small and without weights, and then

    found      find() lists its places; a kernel counter of its own checks that none is missing (below)
    replaced   every activation becomes Mish
    verified   verify(): all other calls get the same inputs and give the same outputs, bit by bit, in both modes
    itself     the same surgery with the old functions gives the same result, bit by bit (part of verify)
    again      a second replacement changes nothing
    undone     undo() gives the first model's result again, bit by bit, and its state dict's names
    kernels    how many non-linear kernels ran before; how many still run when each activation found is replaced by the
               identity; how many `find` says should: those of the places that it left (gates, attention, outputs)
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import gc
import json
import os
import sys
import time
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import torch  # noqa: E402
from surgery_models import architectures  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from whet import surgery  # noqa: E402
from whet.surgery.find import gathered  # noqa: E402
from whet.surgery.observe import observe  # noqa: E402
from whet.surgery.sample import quietly, run, tensors_in  # noqa: E402

RESULTS = HERE / "results" / "surgery_table.jsonl"
NEW = "mish"
COUNTED = {
    "relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid", "elu", "leaky_relu",
    "softplus", "mish", "log_sigmoid_forward", "erf", "_prelu_kernel",
}  # fmt: skip
"""ATen kernels that are counted, without the underscore of their in-place forms."""


_PLAIN = {name.replace("_", "") for name in COUNTED}


class KernelCounter(TorchDispatchMode):
    """Counts non-linear kernels on what depends on the sample, whoever calls them; not those on parameters alone."""

    def __init__(self, sample: Any) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self.reached = {id(t): t for t in tensors_in(sample)}  # kept, so that no other tensor gets their ids

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = function(*args, **kwargs)
        if not any(id(t) in self.reached for t in tensors_in([args, kwargs])):
            return output
        written = args[:1] if function._schema.is_mutable else ()
        self.reached.update({id(t): t for t in tensors_in([output, written, kwargs.get("out")])})
        name = function._schema.name.partition("::")[2]
        self.seen[name if name.startswith("_") else name.rstrip("_")] += 1
        return output


def kernels(model: nn.Module, sample: Any) -> int:
    """How many of the counted kernels run, in evaluation, the fused ones of torch's encoder switched off."""
    counter = KernelCounter(sample)
    with quietly(False, model), counter, torch.overrides.BaseTorchFunctionMode():
        run(model, sample)
    return sum(n for name, n in counter.seen.items() if name in COUNTED)


def result(model: nn.Module, sample: Any) -> list[torch.Tensor]:
    """All tensors of the model's result, in evaluation."""
    with quietly(False, model):
        return list(tensors_in(run(model, sample)))


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    """Whether all are equal, bit by bit, NaN too."""
    return len(a) == len(b) and all(torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(a, b, strict=True))


def measure(name: str, make: Any) -> dict[str, Any]:
    """The record of one architecture; what goes wrong is in its "error"."""
    record: dict[str, Any] = {"name": name}
    start = time.perf_counter()
    try:
        torch.manual_seed(0)
        model, sample = make()
    except ImportError as error:
        return record | {"absent": str(error).splitlines()[0]}
    except Exception as error:
        return record | {"absent": f"can't be made: {type(error).__name__}: {str(error).splitlines()[0][:160]}"}
    model.eval()
    record["parameters"] = sum(p.numel() for p in model.parameters())
    try:
        operate(record, model, sample)
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
    return record | {"seconds": round(time.perf_counter() - start, 2)}


def operate(record: dict[str, Any], model: nn.Module, sample: Any) -> None:
    """Find, replace, verify, repeat, take back."""
    places = surgery.find(model, sample)
    record["found"] = len(places)
    record["roles"] = dict(Counter(p.role for p in places))
    record["how"] = dict(Counter(p.how for p in places if p.role == "activation"))
    before = result(model, sample)
    if not record["roles"].get("activation"):
        record["nothing"] = "no activation: " + (", ".join(record["roles"]) or "a linear map")
        return
    new, changes = surgery.replace_activations(model, NEW, sample=sample)
    record["replaced"] = len(changes)
    record["ways"] = dict(Counter(c.how for c in changes))
    proof = surgery.verify(model, new, sample=sample)
    record["verified"], record["other_calls"] = proof.places, proof.calls
    record["again"] = len(surgery.replace_activations(new, NEW, sample=sample)[1])
    record["original_same"] = same(before, result(model, sample))
    changes.undo()
    record["undone"] = same(before, result(new, sample)) and list(new.state_dict()) == list(model.state_dict())
    census(record, model, sample)


def census(record: dict[str, Any], model: nn.Module, sample: Any) -> None:
    """Count kernels without asking surgery what they are."""
    record["kernels"] = kernels(model, sample)
    silent, _ = surgery.replace_activations(model, nn.Identity, sample=sample)
    record["kernels_left"] = kernels(silent, sample)
    left = gathered(observe(silent, sample, False))
    explained = [k for p in left if p.role != "activation" for k in p.kernels]
    record["kernels_explained"] = sum(k.replace("_", "") in _PLAIN for k in explained)


def is_proven(record: dict[str, Any]) -> bool:
    """Whether everything that is tried held, and the kernels are accounted for."""
    flags = record.get("again") == 0 and record.get("undone") and record.get("original_same")
    return bool(flags) and "error" not in record and record["kernels_left"] == record["kernels_explained"]


def table(records: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| architecture | parameters | found | replaced | verified | other calls, bit-equal | kernels: all, left, explained |"
    ]
    lines.append("| --- | --: | --: | --: | --- | --: | --- |")
    for r in records:
        if "absent" in r:
            lines.append(f"| {r['name']} | | | | absent: {r['absent']} | | |")
            continue
        said = "yes" if is_proven(r) else r.get("error", r.get("nothing", "no"))
        roles = r.get("roles", {})
        others = r.get("found", 0) - roles.get("activation", 0)
        found = f"{roles.get('activation', 0)} + {others}"
        counted = f"{r.get('kernels', '')}, {r.get('kernels_left', '')}, {r.get('kernels_explained', '')}"
        cells = (
            r["name"],
            f"{r['parameters']:,}",
            found,
            r.get("replaced", ""),
            said,
            r.get("other_calls", ""),
            counted,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Run those that match and have no record yet, keep their records, print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--commit", default="", help="of the code, for the records")
    parser.add_argument("--table", action="store_true", help="print the table of what is kept, and run nothing")
    options = parser.parse_args()
    if options.table:
        print(table([json.loads(line) for line in options.out.read_text().splitlines()]))
        return
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    done = (
        {json.loads(line)["name"] for line in options.out.read_text().splitlines()} if options.out.exists() else set()
    )
    for name, make in architectures().items():
        if fnmatch.fnmatch(name, options.only) and name not in done:
            record = measure(name, copy.copy(make)) | {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "torch": torch.__version__,
                "commit": options.commit,
            }
            gc.collect()
            print(json.dumps(record), flush=True)
            with open(options.out, "a") as file:
                file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
