"""``lower_rank``: a word table of fewer columns and a map to the old width: stock for an ELECTRA, and a BERT becomes one."""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import ElectraConfig, ElectraForTokenClassification, PreTrainedConfig, PreTrainedModel

from slimlit.models import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.architectures import base_config

_SHARED = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size"),
    *("initializer_range", "layer_norm_eps", "pad_token_id", "classifier_dropout"),
)


def low_rank_config(config: PreTrainedConfig, size: int) -> PreTrainedConfig:
    """The configuration with a word table of that width.

    Raises:
        ValueError: an architecture whose word table is as wide as itself, or a width that is no narrower.
    """
    inner = base_config(config)
    is_ours = isinstance(config, SequenceClassifierConfig)
    is_tagger = any(name.endswith("ForTokenClassification") for name in config.architectures or [])
    if inner.model_type not in ("bert", "electra") or not (is_ours or is_tagger):
        raise ValueError(
            f"a {inner.model_type} with this head has a word table as wide as itself, and no config.json says otherwise\n"
            "leave --embedding_size out; it is for a BERT or ELECTRA that classifies or tags"
        )
    width = int(getattr(inner, "embedding_size", None) or inner.hidden_size)
    if not 2 <= size <= width or size >= inner.hidden_size:
        most = min(width, int(inner.hidden_size) - 1)
        raise ValueError(f"--embedding_size is {size}, and the word table is {width} wide\nexpected 2 to {most}")
    new = ElectraConfig(**{name: getattr(inner, name) for name in _SHARED}, embedding_size=size, dtype=torch.float32)
    if is_ours:
        whole = copy.deepcopy(config)
        whole.encoder = new
        return whole
    new.id2label, new.label2id = config.id2label, config.label2id
    new.architectures = ["ElectraForTokenClassification"]
    return new


@torch.no_grad()
def lower_rank(network: PreTrainedModel, size: int) -> PreTrainedModel:
    """A network whose words, positions and types have ``size`` numbers each, mapped to the old width after their layer norm.

    The layer norm takes the mean of each vector away and keeps its direction; both are the same in the basis of the largest
    ``size - 1`` directions of the tables, laid into the vectors of ``size`` numbers that sum to zero. So only what lies in the
    other directions is lost. No text is read; words count alike.

    Guarantees:
        - the same logits, where the tables (less the mean of each row) have rank ``size - 1`` at most.

    Raises:
        ValueError: see :func:`low_rank_config`.
    """
    network.config.architectures = [type(network).__name__]
    config = low_rank_config(network.config, size)
    with torch.random.fork_rng(devices=[]):
        small: PreTrainedModel = (
            SequenceClassifier(config)
            if isinstance(network, SequenceClassifier)
            else ElectraForTokenClassification(config)
        )
    old: Any = network.base_model
    tables = {
        name: _centred(getattr(old.embeddings, f"{name}_embeddings").weight.double())
        for name in ("word", "position", "token_type")
    }
    width = tables["word"].shape[1]
    basis = _directions(list(tables.values()), size - 1)
    into = _sums_to_zero(size) @ basis.T
    norm, project = old.embeddings.LayerNorm, dict(old.named_children()).get("embeddings_project")
    mixing = torch.eye(width, dtype=torch.double) if project is None else project.weight.double()
    bias = mixing @ norm.bias.double() + (0.0 if project is None else project.bias.double())
    prefix = small.base_model_prefix
    state = {
        name.replace(f"{network.base_model_prefix}.", f"{prefix}.", 1): weight
        for name, weight in network.state_dict().items()
        if ".embeddings" not in f".{name}"
    }
    for name, table in tables.items():
        state[f"{prefix}.embeddings.{name}_embeddings.weight"] = (table @ into.T).float()
    state[f"{prefix}.embeddings.LayerNorm.weight"] = torch.ones(size)
    state[f"{prefix}.embeddings.LayerNorm.bias"] = torch.zeros(size)
    whole = (mixing * norm.weight.double()) @ into.T * (width / size) ** 0.5
    state[f"{prefix}.embeddings_project.weight"] = whole.float()
    state[f"{prefix}.embeddings_project.bias"] = bias.float()
    small.load_state_dict(state)
    return small.train(network.training)


def _centred(table: Tensor) -> Tensor:
    return table - table.mean(1, keepdim=True)


def _directions(tables: list[Tensor], number: int) -> Float[Tensor, "width number"]:
    """The directions in which sums of a row of each table are largest."""
    mean = torch.stack([table.mean(0) for table in tables]).sum(0)
    spread = torch.outer(mean, mean)
    for table in tables:
        away = table - table.mean(0)
        spread = spread + away.T @ away / len(table)
    directions: Tensor = torch.linalg.eigh(spread).eigenvectors
    return directions.flip(1)[:, :number]


def _sums_to_zero(size: int) -> Float[Tensor, "size number"]:
    """An orthonormal basis of the vectors whose numbers sum to zero."""
    start = torch.cat([torch.ones(size, 1), torch.eye(size)[:, :-1]], 1).double()
    basis: Tensor = torch.linalg.qr(start).Q
    return basis[:, 1:]
