"""``audit_run``: reads a run's texts and canaries with its student, and hands what it says to the attacks."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from slimlit.callbacks.canaries import as_texts
from slimlit.data import TextClassification
from slimlit.data.batches import SortedBatches
from slimlit.data.tokenized import TokenizedTexts
from slimlit.explain.roc import draw_roc
from slimlit.models import Head, Pretrained, PreTrainedModel, read
from slimlit.privacy.attacks import Texts
from slimlit.privacy.audit import Audit, Claim, attack_canaries, attack_real
from slimlit.privacy.canaries import read_canaries
from slimlit.privacy.journal import Journal
from slimlit.privacy.ledger import Ledger, shown, total
from slimlit.privacy.lower_bound import permitted
from slimlit.runs import Run


def audit_run(
    run: Run, data: TextClassification, config: dict[str, Any], device: torch.device, max_examples: int, seed: int
) -> Audit:
    """Attack a finished run: its training texts against texts it never saw, and its canaries.

    Texts that chose the checkpoint count as neither; nor do texts that stand in the training texts too.

    Raises:
        ValueError: the texts cannot be read, or the canaries are gone.
    """
    for stage in ("fit", "test"):
        data.setup(stage)
    student = Pretrained(str(run.folder)).build(Head(data.labels)).to(device).eval()
    audit = Audit(run.name, _claim(run, len(data.splits["train"])))
    is_unused = config["checkpoint"]["monitor"] is None
    train, random = data.splits["train"], np.random.default_rng(seed)
    known = set(_identities(train))
    members = _read(student, train, random.permutation(len(train))[:max_examples], device)
    parts = []
    for name in ["test", *(["validation"] if is_unused else [])]:
        fresh = [row for row, identity in enumerate(_identities(data.splits[name])) if identity not in known]
        rows = random.permutation(np.asarray(fresh, dtype=np.int64))[: 2 * max_examples]  # a third is not attacked
        parts.append(_read(student, data.splits[name], rows, device))
    others = Texts(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.labels for part in parts]),
        [words for part in parts for words in part.words],
    )
    attack_real(audit, members, others, len(data.tokenizer), max_examples, seed)
    canaries = read_canaries(run.private)
    if canaries is None:
        if any(str(one["class_path"]).endswith(".Canaries") for one in config["trainer"]["callbacks"] or []):
            raise ValueError(f"the canaries of run {run.name!r} are gone: {run.private} holds none")
        return audit
    data.add_split("canaries", as_texts(canaries))
    found = _read(student, data.splits["canaries"], np.arange(len(canaries)), device)
    attack_canaries(audit, found, np.asarray([one.planted for one in canaries]))
    return audit


def draw_audit(audit: Audit) -> str:
    """The curves of all attacks, and what the claim permits."""
    curves = {f"{attack.name} (AUC {attack.auc:.3f})": attack.curve() for attack in audit.all_attacks}
    most = max((len(attack.others) for attack in audit.all_attacks), default=10)
    decades = min(4, max(1, math.ceil(math.log10(most))))
    false = np.geomspace(10.0**-decades, 1.0, 200)
    claim, limit = audit.claim, None
    if math.isfinite(claim.epsilon):
        name = f"the most that epsilon {shown(claim.epsilon)} at delta {claim.delta:.2g} permits"
        limit = (name, (false, permitted(false, claim.epsilon, claim.delta)))
    return draw_roc(
        f"What run {audit.run} tells of its training texts", curves, limit, audit.verdict().splitlines(), decades
    )


def _claim(run: Run, num_examples: int) -> Claim:
    """Epsilon of the run's own training, whatever its folder is called now: its canaries were in no other.

    Raises:
        ValueError: its ledger is gone.
    """
    if not run.ledger.is_file():
        raise ValueError(f"run {run.name!r} has no ledger any more, so nothing is claimed: {run.ledger} is gone")
    stages = [one for one in Ledger.read(run.ledger).stages if one.kind == "training"]
    identity = Journal(run.private).identity()
    own = [one for one in stages if one.identity == identity and (identity or one.run == run.name)]
    if not own:
        return Claim(math.inf, 0.1 / num_examples)
    delta = min(float(one.mechanism.get("delta", 0.1 / one.num_units)) for one in own)
    return Claim(total(own, delta), delta)


def _identities(texts: TokenizedTexts) -> list[str]:
    pairs = texts.pairs or [""] * len(texts)
    return [f"{text}\x00{pair}".casefold() for text, pair in zip(texts.texts, pairs, strict=True)]


@torch.inference_mode()
def _read(
    student: PreTrainedModel, texts: TokenizedTexts, rows: npt.NDArray[np.integer], device: torch.device
) -> Texts:
    """What the student says of those rows, in their order."""
    logits = np.zeros((len(rows), int(student.config.num_labels)))
    for places in SortedBatches(texts.lengths[rows], 64):
        batch: Any = {name: part.to(device) for name, part in texts.batch(rows[places].tolist()).items()}  # type: ignore[attr-defined]
        logits[places] = read(student, batch).logits.double().cpu().numpy()
    starts, ends = texts.tokens.offsets[rows].tolist(), texts.tokens.offsets[rows + 1].tolist()
    words = [texts.tokens.input_ids[start:end] for start, end in zip(starts, ends, strict=True)]
    return Texts(logits, texts.label_ids[rows], words)
