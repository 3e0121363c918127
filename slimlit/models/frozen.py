"""``Frozen``: a pretrained encoder that stays as it is, and reads each text once however often it is drawn."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from slimlit.models.network import Head
from slimlit.models.pooling import Pooling
from slimlit.models.pretrained import Pretrained
from slimlit.models.sequence_classifier import SequenceClassifier

_AT_ONCE = 64  # texts the encoder reads together


class Frozen(Pretrained):
    """A pretrained encoder, frozen, and a fresh head: what is trained where texts are few, or privacy is dear.

    The same as ``Pretrained`` with ``freeze: [encoder]``, but that the encoder's last hidden states are kept in memory, by
    text: from the second time on a text costs its head alone. They take tokens x width numbers, of two bytes under bf16.

    What is remembered ends with the process, and a text read anew beside others differs in its last bits: a private run that
    is killed and resumed repeats its lost steps with other noise, and the journal counts them twice.

    Guarantees:
        - once read, a text reads the same in this process, however it is padded and whatever stands beside it in a batch;
        - what is saved is a model like any other, with nothing remembered.

    Args:
        source: as of :class:`~slimlit.models.Pretrained`.
        pooling: how the head reads the hidden states.
    """

    def __init__(self, source: str, pooling: Pooling = "mean") -> None:
        super().__init__(source, pooling)

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model, its encoder frozen and remembering.

        Raises:
            ValueError: the task does not classify texts.
        """
        if head.kind != "sequence_classification":
            raise ValueError(
                f"slimlit.models.Frozen reads whole texts, and the task asks for {head.kind}\n"
                "use slimlit.models.Pretrained with model.init_args.freeze"
            )
        student = super().build(head, teacher)
        assert isinstance(student, SequenceClassifier)
        encoder = student.encoder.requires_grad_(False)
        encoder.forward = _Remembering(encoder, encoder.forward)
        return student


class _Remembering:
    """The forward pass of an encoder, by heart."""

    def __init__(self, encoder: PreTrainedModel, forward: Callable[..., Any]) -> None:
        self.encoder, self.read = encoder, forward
        self.known: dict[bytes, Tensor] = {}

    def __call__(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Int[Tensor, "batch tokens"],
        token_type_ids: Int[Tensor, "batch tokens"] | None = None,
        output_hidden_states: bool = False,
    ) -> Any:
        """The last hidden states, zero where padded; inner ones are read anew."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        given |= {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        if output_hidden_states:
            return self.read(**given, output_hidden_states=True)
        # through numpy: what is looked up has rows of its own, whatever watches the batch (the privacy engine does)
        plain = {name: torch.from_numpy(tensor.cpu().numpy()) for name, tensor in given.items()}
        lengths = plain["attention_mask"].sum(1).tolist()
        whole = torch.stack([tokens for name, tokens in plain.items() if name != "attention_mask"], 1)
        precision = str(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else ""
        keys = [
            precision.encode() + row[:, :length].numpy().tobytes() for row, length in zip(whole, lengths, strict=True)
        ]
        new = sorted(
            {key: row for row, key in enumerate(keys) if key not in self.known}.values(), key=lengths.__getitem__
        )
        for start in range(0, len(new), _AT_ONCE):
            rows = new[start : start + _AT_ONCE]
            for row, states in zip(rows, self._states(plain, rows, lengths[rows[-1]]), strict=True):
                self.known[keys[row]] = states[: lengths[row]].clone()
        found = [self.known[key] for key in keys]
        states = torch.zeros(*input_ids.shape, found[0].shape[-1], device=input_ids.device)
        for row, one in enumerate(found):
            states[row, : len(one)] = one
        return BaseModelOutput(last_hidden_state=states * attention_mask.unsqueeze(2))

    @torch.no_grad()
    def _states(self, given: dict[str, Tensor], rows: list[int], longest: int) -> Float[Tensor, "some tokens width"]:
        training = self.encoder.training
        self.encoder.eval()
        part = {name: tensor[rows, :longest].to(self.encoder.device) for name, tensor in given.items()}
        states: Tensor = self.read(**part).last_hidden_state
        self.encoder.train(training)
        return states.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else states
