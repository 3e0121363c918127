"""``Plan``: which parts of a network stay, as a file that can be read and kept."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from transformers import PreTrainedConfig

from slimlit.compress.layouts import Place, layout_of
from slimlit.models.architectures import base_config
from slimlit.runs import write

NAME = "plan.json"


@dataclass(frozen=True)
class Parts:
    """How many parts of each kind a network has.

    Args:
        layers: of each stack.
        heads: of each attention.
        shared_heads: of its keys and values; fewer than ``heads`` where several queries share one.
        head_dim: width of a head.
        feed_forward: units of each feed-forward layer, by stack.
        hidden: width.
        words: of the vocabulary.
    """

    layers: dict[str, int]
    heads: dict[str, int]
    shared_heads: int | None
    head_dim: int
    feed_forward: dict[str, int]
    hidden: int
    words: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> "Parts":
        """Those of a configuration.

        Raises:
            ValueError: an architecture not known.
        """
        layout_of(config)
        given = getattr(config, "head_dim", None)
        config = base_config(config)
        kind, hidden, words = config.model_type, int(config.hidden_size), int(config.vocab_size)
        if kind in ("t5", "mt5"):
            layers = {"encoder": int(config.num_layers), "decoder": int(config.num_decoder_layers)}
            heads, feed = dict.fromkeys(layers, int(config.num_heads)), dict.fromkeys(layers, int(config.d_ff))
            return cls(layers, heads, None, int(config.d_kv), feed, hidden, words)
        if config.is_encoder_decoder:
            layers = {"encoder": int(config.encoder_layers), "decoder": int(config.decoder_layers)}
            heads = {"encoder": config.encoder_attention_heads, "decoder": config.decoder_attention_heads}
            feed = {"encoder": config.encoder_ffn_dim, "decoder": config.decoder_ffn_dim}
            return cls(layers, heads, None, hidden // heads["encoder"], feed, hidden, words)
        number = int(config.num_attention_heads)
        names = {"distilbert": "hidden_dim", "gpt2": "n_inner"}
        feed_forward = getattr(config, names.get(kind, "intermediate_size")) or 4 * hidden
        width = given or getattr(config, "head_dim", None) or hidden // number
        shared = getattr(config, "num_key_value_heads", None)
        return cls(
            {"layers": int(config.num_hidden_layers)}, {"layers": number}, shared, width, {"layers": feed_forward}, hidden, words
        )  # fmt: skip

    def places(self) -> Iterable[Place]:
        """Every layer."""
        return [Place(side, number + 1) for side, depth in self.layers.items() for number in range(depth)]

    def attentions(self) -> Iterable[str]:
        """The key of every attention."""
        for place in self.places():
            yield place.key("self")
            if place.side == "decoder":
                yield place.key("cross")


@dataclass(frozen=True)
class Plan:
    """What stays of a network; what is not named stays whole.

    Args:
        layers: by stack, the numbers of the layers that stay, from 1.
        heads: by attention (``layers.3.self``, ``decoder.1.cross``), the numbers of its heads, from 0.
        feed_forward: by layer (``layers.3.feed``), the numbers of its units, from 0.
        hidden: the numbers of the hidden units, from 0.
        words: the old numbers of the words; a word's new number is its place in the list.
        embedding_size: width of the word table, where it becomes narrower than the network.
    """

    layers: dict[str, list[int]] = field(default_factory=dict)
    heads: dict[str, list[int]] = field(default_factory=dict)
    feed_forward: dict[str, list[int]] = field(default_factory=dict)
    hidden: list[int] | None = None
    words: list[int] | None = None
    embedding_size: int | None = None

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        write(folder / NAME, json.dumps(asdict(self)) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Plan":
        """The plan in a folder.

        Raises:
            ValueError: there is none, or it is damaged.
        """
        file = folder / NAME
        if not file.is_file():
            raise ValueError(
                f"no plan of what stays: {file} is not there\nmake one: slimlit compress --run OLD --to NEW"
            )
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as problem:
            raise ValueError(
                f"{file} is damaged: {str(problem).splitlines()[0]}\nmake it again: slimlit compress"
            ) from problem

    def words_alone(self) -> "Plan":
        """The same for the words, with all else whole."""
        return Plan(words=self.words)

    def check(self, config: PreTrainedConfig) -> None:
        """It names parts that a network of that configuration has, and as many of a kind in each layer.

        Raises:
            ValueError: it does not.
        """
        parts = Parts.of(config)
        for side, layers in self.layers.items():
            _check(f"layers of its {side}", [layer - 1 for layer in layers], parts.layers.get(side, 0), 1)
        for key, heads in self.heads.items():
            _check(f"heads of {key}", heads, parts.heads[key.split(".")[0]] if key in set(parts.attentions()) else 0)
        for key, units in self.feed_forward.items():
            _check(f"feed-forward units of {key}", units, parts.feed_forward.get(key.split(".")[0], 0))
        for what, kept in (("heads", self.heads), ("feed-forward units", self.feed_forward)):
            for side in parts.layers:
                counts = {len(one) for key, one in kept.items() if key.startswith(f"{side}.")}
                if len(counts) > 1:
                    raise ValueError(
                        f"the plan keeps {min(counts)} {what} in one layer and {max(counts)} in another\n"
                        "expected the same number in each: a stock config.json has one for all"
                    )
        if base_config(config).model_type in ("t5", "mt5"):
            for side in parts.layers:
                alike = {
                    str(one) for key, one in self.heads.items() if key.startswith(f"{side}.") and key.endswith("self")
                }
                if len(alike) > 1:
                    raise ValueError(
                        "the plan keeps other heads in each layer of a t5, and one table of distances is for all\nkeep the same"
                    )
        if self.hidden is not None:
            _check("hidden units", self.hidden, parts.hidden)
        if self.words is not None:
            _check("words", self.words, parts.words)


def _check(what: str, numbers: list[int], total: int, first: int = 0) -> None:
    wrong = [number + first for number in numbers if not 0 <= number < total]
    if wrong or not numbers or len(set(numbers)) != len(numbers):
        said = f"asks for {wrong[0]}" if wrong else "keeps none" if not numbers else "names one twice"
        raise ValueError(
            f"the plan {said} of the {what}, and there are {total}\nexpected {first} to {total + first - 1}, each once"
        )
