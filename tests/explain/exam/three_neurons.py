"""A network of three neurons whose answers can be found by hand: what a text says is a sum over its visible words."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from slimlit.explain.question import Question
from slimlit.types import Batch


class ThreeNeurons(PreTrainedModel):
    """Three words, a neuron each: ``h = ReLU(sum of the visible words' rows)``, logits ``(h_1 + h_2 - h_3, 0)``.

    Word 1 adds 2 to the first neuron, word 2 adds 1 to the second, word 3 adds 1 to the third; word 0 adds nothing.
    """

    config_class = PreTrainedConfig

    def __init__(self) -> None:
        super().__init__(PreTrainedConfig(num_hidden_layers=1, num_labels=2))
        self.table = nn.Embedding(4, 3)
        self.table.weight = nn.Parameter(torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1]]))
        self.layers = nn.ModuleList([nn.ReLU()])
        self.head = nn.Linear(3, 2)
        self.head.weight = nn.Parameter(torch.tensor([[1.0, 1, -1], [0, 0, 0]]))
        nn.init.zeros_(self.head.bias)

    def get_input_embeddings(self) -> nn.Module:
        return self.table

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, output_hidden_states: bool = False, **_: Any
    ) -> ModelOutput:
        seen = (self.table(input_ids) * attention_mask.unsqueeze(-1)).sum(dim=1)
        return ModelOutput(logits=self.head(self.layers[0](seen)))


def words_of(*rows: list[int]) -> tuple[Batch, Question]:
    """Texts of those words, and why each answers class 0."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    zeros = torch.zeros(len(rows), dtype=torch.int64)
    batch = Batch(input_ids=ids, attention_mask=mask, labels=zeros, example_id=torch.arange(len(rows)))
    return batch, Question(zeros)
