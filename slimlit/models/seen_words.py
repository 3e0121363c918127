"""A word table of which only the rows of given words are trained."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel


class SeenWords(nn.Module):
    """An ``nn.Embedding`` that trains the rows of ``seen`` and holds the others still; saved and loaded like one.

    Trained alike, its rows and those of a plain table are the same bit for bit, but that weight decay leaves the words
    that are never seen as they are. Gradient and optimizer state are as small as the table of seen words.

    Args:
        table: the plain table.
        seen: numbers of the words that come in training.
    """

    def __init__(self, table: nn.Embedding, seen: Iterable[int]) -> None:
        super().__init__()
        pad = [] if table.padding_idx is None else [table.padding_idx]
        words = torch.tensor(sorted({*seen, *pad}), device=table.weight.device)
        self.padding_row = None if table.padding_idx is None else words.tolist().index(table.padding_idx)
        row_of = torch.full((len(table.weight),), -1, device=words.device)
        row_of[words] = torch.arange(len(words), device=words.device)
        self.rows = nn.Parameter(table.weight.detach()[words])
        # not buffers: several processes would send each other 47 MB of them at every step
        self.words = nn.Parameter(words, requires_grad=False)
        self.row_of = nn.Parameter(row_of, requires_grad=False)
        self.others = nn.Parameter(table.weight.detach(), requires_grad=False)

    def forward(self, input_ids: Int[Tensor, "*batch tokens"]) -> Float[Tensor, "*batch tokens width"]:
        """Look the words up; in training, a word that is not among the seen ones is an error of torch's."""
        rows = self.row_of[input_ids]
        if self.training:
            return functional.embedding(rows, self.rows, self.padding_row)
        known = functional.embedding(rows.clamp(min=0), self.rows)
        return torch.where((rows >= 0).unsqueeze(-1), known, functional.embedding(input_ids, self.others))

    @property
    def weight(self) -> Float[Tensor, "words width"]:
        """The whole table, a copy."""
        return self.others.detach().index_copy(0, self.words, self.rows.detach())

    def plain(self) -> nn.Embedding:
        """The whole table as an ``nn.Embedding``."""
        padding = None if self.padding_row is None else int(self.words[self.padding_row])
        num_words, width = self.others.shape
        return nn.Embedding(num_words, width, padding_idx=padding, _weight=self.weight)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination[f"{prefix}weight"] = self.weight

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        whole = state_dict[f"{prefix}weight"]
        with torch.no_grad():
            self.others.data = whole.to(self.others, copy=True)  # what came before may be the teacher's table
            self.rows.copy_(self.others[self.words])


def train_seen_words(network: PreTrainedModel, seen: Iterable[int]) -> None:
    """Train only the rows of the seen words of the network's table, in place.

    Raises:
        ValueError: the table is tied to the output layer, or no plain ``nn.Embedding``.
    """
    table = network.get_input_embeddings()
    head = network.get_output_embeddings()
    if type(table) is not nn.Embedding or (head is not None and getattr(head, "weight", None) is table.weight):
        kind = "tied to the output layer" if type(table) is nn.Embedding else f"a {type(table).__name__}"
        raise ValueError(f"the word table of {type(network).__name__} is {kind}; SeenWords needs a plain table")
    network.set_input_embeddings(SeenWords(table, seen).train(table.training))


def train_all_words(network: PreTrainedModel) -> None:
    """Undo :func:`train_seen_words`, keeping what was learnt."""
    table = network.get_input_embeddings()
    if isinstance(table, SeenWords):
        network.set_input_embeddings(table.plain().train(table.training))
