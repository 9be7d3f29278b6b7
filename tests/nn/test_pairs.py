from __future__ import annotations

import pytest
import torch

from bench.interfaces import DataError
from bench.nn.pairs import Fusion, all_pairs_probabilities, pair_features, pair_width


def pair_by_pair(
    x: torch.Tensor, first: torch.nn.Linear, second: torch.nn.Linear, fusion: Fusion
) -> torch.Tensor:
    n = len(x)
    p = torch.ones(n, n, dtype=x.dtype)
    for a in range(n):
        for b in range(n):
            if a != b:
                p[a, b] = torch.sigmoid(
                    second(torch.relu(first(pair_features(x[a : a + 1], x[b : b + 1], fusion))))
                )
    return ((p + p.T) / 2).detach()


@pytest.mark.parametrize("fusion", ["concat", "simplified", "optimal"])
@pytest.mark.parametrize("block", [None, 1, 64, 10**6])
@pytest.mark.parametrize("bias", [True, False])
def test_all_pairs_agree_with_pair_by_pair(fusion: Fusion, block: int | None, bias: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(23, 12)
    x[4] = 0
    x[5] = x[6]
    first = torch.nn.Linear(pair_width(fusion, 12), 20, bias=bias)
    second = torch.nn.Linear(20, 1, bias=bias)
    p = all_pairs_probabilities(x, first, second, fusion, block=block)
    assert (p - pair_by_pair(x, first, second, fusion)).abs().max() < 1e-5
    assert (p == p.T).all()
    assert (p.diagonal() == 1).all()
    assert p.std() > 0.01


def test_agreement_at_the_real_size() -> None:
    torch.manual_seed(1)
    x = torch.randn(40, 384)
    first, second = torch.nn.Linear(pair_width("optimal", 384), 384), torch.nn.Linear(384, 1)
    p = all_pairs_probabilities(x, first, second, "optimal")
    assert (p - pair_by_pair(x, first, second, "optimal")).abs().max() < 1e-5


def test_pair_features_have_the_published_widths_and_meaning() -> None:
    assert [pair_width(f, 384) for f in ("concat", "simplified", "optimal")] == [768, 1153, 1538]
    a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]])
    features = pair_features(a, b, "optimal")[0].tolist()
    assert features == pytest.approx([3, 4, 4, 3, 12, 12, 1, 1, 24 / 25, 2**0.5])


def test_one_image_and_a_head_that_does_not_fit() -> None:
    first, second = torch.nn.Linear(8, 5), torch.nn.Linear(5, 1)
    assert all_pairs_probabilities(torch.randn(1, 4), first, second, "concat").tolist() == [[1.0]]
    with pytest.raises(DataError, match="does not take optimal pairs of 4 features: these have 18"):
        all_pairs_probabilities(torch.randn(3, 4), first, second, "optimal")
