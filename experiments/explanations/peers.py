"""Other libraries on the same network: what one sentence costs, what their page weighs and fetches, and our exam of their maps."""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from experiments.explanations.subjects import Subject, classifier
from slimlit.explain.exam import examine, table_of
from slimlit.explain.method import Method
from slimlit.explain.methods import METHODS
from slimlit.explain.question import Question, readable, take
from slimlit.explain.shortening import trim
from slimlit.models import PreTrainedModel, SequenceClassifier
from slimlit.types import Batch

HERE = Path(__file__).parent
ADDRESS = re.compile(
    r"(?:src|href)=[\"'](?:https?:)?//[^\"']+|[\"'](?://[\w./-]+|https?://[\w./-]+\.(?:js|css)|https://cdn[\w./-]+)"
)


class OursForSequenceClassification(SequenceClassifier):
    """Our classifier under the kind of name that interpreto looks for."""


def main() -> None:
    """Measure each library that is installed, then examine their maps."""
    parser = argparse.ArgumentParser(prog="python -m experiments.explanations.peers", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--sst2", type=Path, required=True, help="a text classifier's run")
    parser.add_argument("--translator", type=Path, help="a Marian run, for inseq, which explains written words alone")
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--costs-alone", action="store_true", help="keep the exam that peers.json has")
    asked = parser.parse_args()
    subject = classifier(asked.sst2, asked.shared / "sst2/test.tsv", asked.texts)
    sentence = subject.tokenizer.decode(subject.batch["input_ids"][0], skip_special_tokens=True)
    found: dict[str, Any] = {"sentence": sentence, "costs": {}}
    jobs: dict[str, Callable[[], str | None]] = {
        "Captum, integrated gradients of 20 steps": lambda: _nothing(captum_gradients(20), subject),
        "Captum, feature ablation": lambda: _nothing(captum_ablation, subject),
        **{f"interpreto, {name}": lambda name=name: interpreto_page(name, subject) for name in INTERPRETO},  # type: ignore[misc]
        **{
            f"slimlit, {name}": lambda method=METHODS[name]: _nothing(method, subject)  # type: ignore[misc]
            for name in ("input-gradient", "gradient-attention", "leave-one-out")
        },
        "bertviz, head view": lambda: bertviz_page(subject),
    }
    if asked.translator:
        jobs["inseq, saliency of a translation"] = lambda: inseq_page(asked.translator, sentence)
    for name, job in jobs.items():
        job()  # what is loaded the first time is not the sentence's
        began = time.process_time()
        page = job()
        cost: dict[str, Any] = {"CPU ms": round(1000 * (time.process_time() - began), 1)}
        if page is not None:
            addresses = set(ADDRESS.findall(page))
            cost |= {"bytes": len(page.encode()), "addresses": len(addresses)}
        found["costs"][name] = cost
        print(name, cost, flush=True)
    if asked.costs_alone:
        found["exam"] = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))["exam"]
        return save(found)
    methods: dict[str, Method] = {
        "Captum, integrated gradients from [PAD]": captum_gradients(20),
        "Captum, feature ablation": captum_ablation,
        **{
            f"interpreto, {name}": interpreto_method(name, subject)
            for name in ("Saliency", "IntegratedGradients", "Occlusion")
        },
    }
    given = (subject.network, subject.batch, subject.question, methods, subject.removable, subject.words)
    exam = examine(*given, num_compared=8)
    found["exam"] = json.loads(exam.to_json())
    save(found)
    print(table_of(exam))


def save(found: dict[str, Any]) -> None:
    """Keep what was found so far."""
    (HERE / "peers.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


INTERPRETO = ("Saliency", "SmoothGrad", "IntegratedGradients", "Occlusion", "KernelShap", "Lime", "Sobol")


def _nothing(method: Method, subject: Subject) -> None:
    """One map, and no page: there is none."""
    length = int(subject.batch["attention_mask"][0].sum())
    first = trim(take(subject.batch, torch.tensor([0])), length)
    method(subject.network, first, Question(subject.question.classes[:1]))


def captum_gradients(num_steps: int) -> Method:
    """Captum's integrated gradients over the word embeddings, from [PAD], as its tutorials have it."""
    from captum.attr import LayerIntegratedGradients

    def method(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        """The sum over each word vector."""
        ids = batch["input_ids"]
        layer = LayerIntegratedGradients(_forward(network), network.get_input_embeddings())
        base = torch.where(ids > 999, torch.zeros_like(ids), ids)  # BERT's ids below are special
        found = layer.attribute(
            ids, base, target=question.classes, n_steps=num_steps, additional_forward_args=(batch["attention_mask"],)
        )
        return found.sum(dim=-1).float() * readable(batch, question)

    return method


def captum_ablation(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """Captum's feature ablation: each token in turn becomes [PAD], which the network still attends to."""
    from captum.attr import FeatureAblation

    with torch.no_grad():
        found = FeatureAblation(_forward(network)).attribute(
            batch["input_ids"], target=question.classes, additional_forward_args=(batch["attention_mask"],)
        )
    return found.float() * readable(batch, question)


def _forward(network: PreTrainedModel) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda ids, mask: network(input_ids=ids, attention_mask=mask).logits


def interpreto_method(name: str, subject: Subject) -> Method:
    """A method of interpreto, text by text."""

    def method(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        """Its numbers for every token."""
        found = torch.zeros(batch["input_ids"].shape)
        for row, target in enumerate(question.classes.tolist()):
            length = int(batch["attention_mask"][row].sum())
            told = _interpret(name, network, subject, batch["input_ids"][row : row + 1, :length], target)
            found[row, :length] = told.attributions.reshape(-1)[:length].float()
        return found

    return method


def _interpret(name: str, network: PreTrainedModel, subject: Subject, ids: Tensor, target: int) -> Any:
    import interpreto
    from transformers import BatchEncoding

    network.__class__ = OursForSequenceClassification
    explainer = getattr(interpreto, name)(
        network, subject.tokenizer, batch_size=64, granularity=interpreto.Granularity.ALL_TOKENS
    )
    given = BatchEncoding({"input_ids": ids.clone(), "attention_mask": torch.ones_like(ids)})
    return explainer.explain(given, torch.tensor([[target]]))[0]


def interpreto_page(name: str, subject: Subject) -> str:
    """Its page of one sentence."""
    import interpreto

    length = int(subject.batch["attention_mask"][0].sum())
    ids = subject.batch["input_ids"][:1, :length]
    told = _interpret(name, subject.network, subject, ids, int(subject.question.classes[0]))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        interpreto.plot_attributions(told, save_path=page)
        return page.read_text(encoding="utf-8")


def bertviz_page(subject: Subject) -> str:
    """Its view of all heads of one sentence."""
    from bertviz import head_view

    first, length = take(subject.batch, torch.tensor([0])), int(subject.batch["attention_mask"][0].sum())
    encoder = subject.network.encoder
    before = encoder.config._attn_implementation
    encoder.set_attn_implementation("eager")
    with torch.no_grad():
        told = encoder(input_ids=first["input_ids"][:, :length], output_attentions=True)
    encoder.set_attn_implementation(before)
    tokens = subject.tokenizer.convert_ids_to_tokens(first["input_ids"][0, :length].tolist())
    return str(head_view(told.attentions, tokens, html_action="return").data)


def inseq_page(run: Path, sentence: str) -> str:
    """Its page of one translation."""
    import inseq

    model = inseq.load_model(str(run / "student"), "saliency")
    return str(model.attribute(sentence, show_progress=False).show(display=False, return_html=True))


if __name__ == "__main__":
    main()
