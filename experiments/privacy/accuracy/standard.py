"""``standardise``: an encoder whose mean-pooled vectors have mean 0 and variance 1 over a public text."""

import torch
from torch import nn

from slimlit.data import TextClassification
from slimlit.models.sequence_classifier import SequenceClassifier


def standardise(student: SequenceClassifier, data: TextClassification, num_texts: int = 2000) -> None:
    """Fold mean and spread of the pooled vectors into the last layer's LayerNorm: the same network, better conditioned.

    One clipping norm then fits all directions: without it most of an example's gradient is along the mean of all texts.
    """
    texts = data.splits["train"]
    norm = [module for module in student.encoder.modules() if isinstance(module, nn.LayerNorm)][-1]
    pooled: list[torch.Tensor] = []
    handle = student.classifier.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0].float()))
    student.eval()
    with torch.inference_mode():
        for start in range(0, min(num_texts, len(texts)), 64):
            batch = texts.batch(range(start, min(start + 64, len(texts))))
            student(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    handle.remove()
    vectors = torch.cat(pooled)
    mean, spread = vectors.mean(0), vectors.std(0)
    with torch.no_grad():
        norm.weight.div_(spread)
        norm.bias.sub_(mean).div_(spread)
