"""The pooling's weights and exact shares."""

import torch

from slimlit.explain.methods import pooling_share, pooling_weights
from slimlit.explain.question import Question, answer
from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.types import Batch
from tests.explain.methods.networks import SMALL, a_batch, a_network

KIND = "sequence_classification"
ASKED = Question(torch.tensor([1, 2]))


def test_the_shares_and_the_bias_sum_to_the_logit_asked() -> None:
    for heads in (1, 3):
        network = a_network(KIND, num_pooling_heads=heads)
        said = answer(network, a_batch(KIND), ASKED)[torch.arange(2), ASKED.classes]
        shares = pooling_share(network, a_batch(KIND), ASKED).sum(dim=1)
        torch.testing.assert_close(shares + network.classifier.bias[ASKED.classes], said, atol=1e-5, rtol=1e-5)


def test_a_share_is_the_weight_times_what_the_head_reads_of_the_token() -> None:
    network, batch = a_network(KIND), a_batch(KIND)
    with torch.no_grad():
        output = read(network, batch, frozenset({"hidden_states.2"}))
    assert output.pooling_weights is not None
    found = pooling_share(network, batch, ASKED)
    weights, states = output.pooling_weights.double(), output.hidden_states[2].double()
    for b in range(2):
        for i in range(6):
            share = 0.0
            for head in range(2):
                row = network.classifier.weight[int(ASKED.classes[b]), 16 * head : 16 * head + 16].detach().double()
                share += float(weights[b, head, i] * (row @ states[b, i]))
            assert abs(float(found[b, i]) - share) < 1e-5


def test_shares_sum_to_the_logit_of_a_mean_and_of_what_a_pooling_mask_leaves() -> None:
    from transformers import BertConfig

    torch.manual_seed(0)
    network = SequenceClassifier(SequenceClassifierConfig(encoder=BertConfig(**SMALL), pooling="mean", num_labels=3))
    for each in (network.eval(), a_network(KIND)):
        batch = Batch(**{**a_batch(KIND), "pooling_mask": torch.tensor([[1, 0, 1, 1, 0, 1], [0, 1, 1, 1, 1, 1]])})  # type: ignore[typeddict-item]
        shares = pooling_share(each, batch, ASKED)
        assert not shares[0, 1]
        said = answer(each, batch, ASKED)[torch.arange(2), ASKED.classes]
        torch.testing.assert_close(shares.sum(dim=1) + each.classifier.bias[ASKED.classes], said, atol=1e-5, rtol=1e-5)


def test_weights_sum_to_one_and_are_those_of_the_pooling() -> None:
    network, batch = a_network(KIND, num_pooling_heads=1), a_batch(KIND)
    found = pooling_weights(network, batch, ASKED)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2))
    weights = read(network, batch).pooling_weights
    assert weights is not None
    assert torch.equal(found, weights[:, 0])
