"""``Remembering``: a causal language model whose keys and values stay inside it, in a memory of fixed size; for phones."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import StaticCache
from transformers.cache_utils import StaticLayer

from slimlit.models import PreTrainedModel
from slimlit.models.generation import num_positions

LEAST_ROOM = 256  # tokens of prompt and answer that a phone keeps, at least, where the network has positions for them
_STRANGE = (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)
_CLOSE = (
    1e-4  # of the greatest logit; float32 leaves 2e-7 of it in GPT-2, a window of words that is lost 9e-2 in GPT-Neo
)


class Remembering(nn.Module):
    """Reads new words at their places and remembers them: a whole prompt at once, or one word after the others.

    Guarantees:
        - what it answers is what the network answers of the whole text, whatever pieces the text comes in;
        - words at place 0 begin a text: nothing before them is read;
        - a network that answers pieces otherwise than the whole, of as many words as there is room for, is refused by name.

    The names and the order of its inputs are those that ExecuTorch's own runner of language models gives.

    Args:
        network: in eval mode, with attention written out.
        room: tokens of prompt and answer together, at most.

    Raises:
        ValueError: the network remembers otherwise than by keys and values of all words.
    """

    def __init__(self, network: PreTrainedModel, room: int) -> None:
        super().__init__()
        self.network, self.config, self.room = network, network.config, room
        problem, knows = None, False
        try:
            layers = StaticCache(self.config, max_cache_len=room).layers
            knows = all(type(layer) is StaticLayer for layer in layers) and self._begin() and self._answers_alike()
        except _STRANGE as odd:  # some read masks of a shape of their own, or keep no keys
            problem = odd
        if not knows:
            raise ValueError(
                f"a {self.config.model_type} remembers in a way this export does not know\nexport it --to hub or onnx"
            ) from problem

    @torch.no_grad()
    def _begin(self) -> bool:
        """Make room, of the shapes that a first word leaves."""
        memory = self.network(input_ids=torch.zeros((1, 1), dtype=torch.int64), use_cache=True).past_key_values
        for number, layer in enumerate(memory.layers):
            for name, (_, heads, _, width) in (("keys", layer.keys.shape), ("values", layer.values.shape)):
                self.register_buffer(f"{name}_{number}", torch.zeros(1, heads, self.room, width), persistent=False)
        return True

    @torch.no_grad()
    def _answers_alike(self) -> bool:
        """Whether pieces of random words are answered as all of them at once; it remembers nothing of them."""
        random, half = torch.Generator().manual_seed(0), self.room // 2
        words = torch.randint(self.config.vocab_size, (1, self.room), generator=random, device="cpu")
        places = torch.arange(self.room)
        whole = self.network(input_ids=words).logits
        pieces = [one for one in (places[:half], places[half : half + 1], places[half + 1 :]) if len(one)]
        said = torch.cat([self(words[:, piece], piece) for piece in pieces], dim=1)
        for _, memory in self.named_buffers(recurse=False):
            memory.zero_()
        return bool((said - whole).abs().max() <= _CLOSE * whole.abs().max())

    def forward(
        self, input_ids: Int[Tensor, "1 new"], cache_position: Int[Tensor, " new"]
    ) -> Float[Tensor, "1 new words"]:
        """The logits after each new word, at places that follow each other."""
        cache = StaticCache(self.config, max_cache_len=self.room)
        for number, layer in enumerate(cache.layers):
            layer.keys, layer.values = self.get_buffer(f"keys_{number}"), self.get_buffer(f"values_{number}")
            layer.device, layer.is_initialized = input_ids.device, True
            layer.cumulative_length = cache_position[0].clone()
        seen = torch.arange(self.room, device=input_ids.device) <= cache_position.unsqueeze(1)
        said = self.network(
            input_ids=input_ids,
            attention_mask=torch.where(seen, 0.0, torch.finfo(torch.float32).min)[None, None],
            position_ids=cache_position.unsqueeze(0),
            past_key_values=cache,
            use_cache=True,
        )
        logits: Tensor = said.logits
        return logits


def room_of(network: PreTrainedModel, max_length: int) -> int:
    """Tokens of prompt and answer together that a phone keeps: ``max_length``, and 256 where the network's positions reach so far."""
    room = max(max_length, LEAST_ROOM)
    return min(room, num_positions(network.config) or room)


class TiedHead(nn.Module):
    """A head without bias that reads the word table itself: as a product of another kind than the others, so that no backend packs a copy of it."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.weight = table.weight

    def forward(self, states: Float[Tensor, "1 new width"]) -> Float[Tensor, "1 new words"]:
        """The logits."""
        return torch.mm(self.weight, states[0].T).T.unsqueeze(0)
