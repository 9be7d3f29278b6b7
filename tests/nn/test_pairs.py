from __future__ import annotations

import pytest
import torch

from bench.errors import DataError
from bench.nn.pairs import (
    Fusion,
    all_pairs_probabilities,
    logits_by_tensors,
    logits_of_tile,
    pair_features,
    pair_width,
)


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


@pytest.mark.parametrize("fusion", ["concat", "simplified", "optimal"])
@pytest.mark.parametrize("d", [16, 384])
def test_a_trained_head_on_many_tiles_with_equal_images(fusion: Fusion, d: int) -> None:
    """A trained head is sure of most pairs; images may be alike."""
    torch.manual_seed(2)
    n, classes = 90, torch.arange(90) % 4
    x = torch.randn(4, d)[classes] + 0.5 * torch.randn(n, d)
    x[40:50] = x[:10]
    first, second = torch.nn.Linear(pair_width(fusion, d), 24), torch.nn.Linear(24, 1)
    items = torch.arange(n * n)
    features = pair_features(x[items // n], x[items % n], fusion)
    same = (classes[items // n] == classes[items % n]).float()
    optimiser = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.01)
    for _ in range(60):
        drawn = torch.randint(0, n * n, (128,))
        logits = second(torch.relu(first(features[drawn]))).squeeze(1)
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(logits, same[drawn]).backward()
        optimiser.step()
    expected = torch.sigmoid(second(torch.relu(first(features)))).detach().view(n, n)
    expected = ((expected + expected.T) / 2).fill_diagonal_(1)
    p = all_pairs_probabilities(x, first, second, fusion, block=128)
    assert (p - expected).abs().max() < 1e-5
    assert min((p < 0.01).sum(), (p > 0.99).sum()) > 200
    assert (p == p.T).all()
    assert (p == all_pairs_probabilities(x, first, second, fusion, block=128)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kernel_does_what_tensor_operations_do(dtype: torch.dtype) -> None:
    """Only one of the two runs on a device."""
    torch.manual_seed(3)
    shared = torch.randn(3, 5, 7, dtype=dtype)
    a_left, a_right, b_left, b_right = (torch.randn(k, 7, dtype=dtype) for k in (3, 3, 5, 5))
    weight = torch.randn(7, dtype=dtype)
    b_left[2, 3] = b_right[4, 1] = torch.nan
    for part in (shared, None):
        fused = logits_of_tile(part, a_left, a_right, b_left, b_right, weight)
        plain = logits_by_tensors(part, a_left, a_right, b_left, b_right, weight)
        torch.testing.assert_close(fused, plain, equal_nan=True)
        assert fused.isnan().sum() == 6


def test_half_precision_has_no_kernel_but_an_answer() -> None:
    torch.manual_seed(4)
    x, first, second = torch.randn(9, 8), torch.nn.Linear(34, 6), torch.nn.Linear(6, 1)
    expected = pair_by_pair(x, first, second, "optimal")
    p = all_pairs_probabilities(x.bfloat16(), first.bfloat16(), second.bfloat16(), "optimal")
    assert p.dtype == torch.bfloat16
    assert (p - expected).abs().max() < 0.03


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
