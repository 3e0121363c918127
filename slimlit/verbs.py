"""The options of our own verbs, as methods of a trainer: LightningCLI reads them there; :class:`~slimlit.cli.SlimCLI` does the work."""

from typing import Literal

from lightning.pytorch import Trainer

from slimlit.compress.importance import Score


class VerbsTrainer(Trainer):
    """A trainer with our verbs."""

    def compress(
        self,
        to: str | None = None,
        heads: float = 0.0,
        feed_forward: float = 0.0,
        hidden: float = 0.0,
        layers: float = 0.0,
        vocabulary: str = "all",
        embedding_size: int | None = None,
        score: Score = "taylor",
        weights: Literal["float32", "int8", "int4", "dynamic-int8"] = "float32",
        epochs: int = 0,
        teacher: str | None = None,
        max_examples: int = 512,
        seed: int = 0,
    ) -> None:
        """Make a smaller run of a finished one.

        Args:
            to: name of the new run.
            heads: share of the attention heads to take away.
            feed_forward: share of the feed-forward units.
            hidden: share of the width, heads with it where they are as wide as width over heads.
            layers: share of the layers.
            vocabulary: words that stay: all, seen (in the training texts), or those of a file with a text a line.
            embedding_size: width of the word table, narrower than the network: a BERT becomes an ELECTRA.
            score: how parts are chosen: taylor (gradients), activation, attention (how surely a head looks at one token), or weights, which reads no text.
            weights: how they are held: float32, int8, int4, or dynamic-int8, which rounds the states of each token too.
            epochs: of distillation afterwards, from the run as it was.
            teacher: another run to distil from, with the same tokens.
            max_examples: training texts to score the parts on.
            seed: of the texts drawn.
        """

    def audit(self, max_examples: int = 2000, seed: int = 0) -> None:
        """Attack a finished run, and say what the attack found.

        Args:
            max_examples: texts attacked on each side, members and others, at most.
            seed: of the texts drawn.
        """

    def explain(self) -> None:
        """Show and test the reasons of a finished run's answers."""

    def export(
        self,
        to: str = "",
        precision: Literal["fp32", "int8"] = "fp32",
        allow: str = "",
        max_texts: int = 1024,
        licence: str = "unknown",
    ) -> None:
        """Write a finished run's student for other software, and keep it if it says the same there.

        Args:
            to: hub, onnx, openvino, executorch or gguf.
            precision: of the weights.
            allow: what the export may fail by, with commas between: cosine, metric, words, pooling.
            max_texts: validation texts it is checked on, at most.
            licence: for the model card.
        """

    def bench(self, watts: float = 5.0) -> None:
        """Measure a finished run: size, memory, speed and quality of its teacher, student and exports.

        Args:
            watts: of one busy core, for the estimate of energy where the processor's own counter cannot be read.
        """
