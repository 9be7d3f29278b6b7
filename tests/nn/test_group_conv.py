import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.nn.group_conv import FieldNorm, GroupConv, GroupPool


def turned(x: Tensor, quarters: int) -> Tensor:
    """Turn feature maps (b, fields * 4, h, w): every map, and the orientations among themselves."""
    b, c, h, w = x.shape
    maps = x.reshape(b, c // 4, 4, h, w).roll(quarters, 2).reshape(x.shape)
    return maps.rot90(quarters, (2, 3))


def randomised(norm: FieldNorm) -> FieldNorm:
    for t in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert t is not None
        t.uniform_(0.3, 2.0)
    return norm


@given(
    fields=st.tuples(*[st.integers(1, 4)] * 2),
    side=st.integers(3, 9),
    kernel=st.sampled_from([1, 3, 5]),
    r=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@settings(max_examples=25)
def test_what_is_turned_going_in_is_turned_coming_out(fields, side, kernel, r, seed) -> None:
    torch.manual_seed(seed)
    lifting = GroupConv(fields[0], fields[1], kernel, lifting=True)
    image = torch.randn(2, fields[0], side, side)
    torch.testing.assert_close(
        lifting(image.rot90(r, (2, 3))), turned(lifting(image), r), atol=1e-5, rtol=1e-5
    )
    conv = GroupConv(fields[0], fields[1], kernel)
    maps = torch.randn(2, 4 * fields[0], side, side)
    torch.testing.assert_close(conv(turned(maps, r)), turned(conv(maps), r), atol=1e-5, rtol=1e-5)


def test_is_the_sum_over_the_group_written_out() -> None:
    torch.manual_seed(0)
    conv = GroupConv(2, 3)
    maps = torch.randn(1, 8, 5, 5)
    found = conv(maps).reshape(3, 4, 5, 5)
    for out in range(3):
        for r in range(4):
            wanted = torch.zeros(1, 1, 5, 5)
            for field in range(2):
                for s in range(4):
                    one = conv.weight[out, field, (s - r) % 4].rot90(r)[None, None]
                    wanted += F.conv2d(maps[:, field * 4 + s][:, None], one, padding=1)
            torch.testing.assert_close(found[out, r], wanted[0, 0], atol=1e-5, rtol=1e-5)


def test_the_norm_is_one_per_field_and_that_of_torch_over_all_its_orientations() -> None:
    torch.manual_seed(1)
    x = torch.randn(6, 12, 4, 4) * 3 + 1
    found = FieldNorm(3)(x).reshape(6, 3, -1)
    torch.testing.assert_close(found.mean((0, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((0, 2), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert sum(p.numel() for p in FieldNorm(3).parameters()) == 6


@pytest.mark.parametrize("norm", [FieldNorm(5), nn.BatchNorm2d(20)])
@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_stack_is_invariant_with_norms_per_field_only(norm: nn.BatchNorm2d, how) -> None:
    torch.manual_seed(2)
    randomised(norm)  # type: ignore[arg-type]  # any batch normalisation
    stack = nn.Sequential(
        GroupConv(3, 5, lifting=True), norm, nn.ReLU(), nn.MaxPool2d(2), GroupConv(5, 6), GroupPool(how)
    ).eval()
    x = torch.randn(2, 3, 12, 12)
    for r in (1, 2, 3):
        error = (stack(x.rot90(r, (2, 3))).mean((2, 3)) - stack(x).mean((2, 3))).abs().max()
        assert (error < 1e-5) == isinstance(norm, FieldNorm)


def test_pooling_takes_the_largest_or_the_mean_of_a_field() -> None:
    x = torch.arange(2 * 8.0).reshape(2, 8, 1, 1)
    assert GroupPool("max")(x).flatten().tolist() == [3, 7, 11, 15]
    assert GroupPool("mean")(x).flatten().tolist() == [1.5, 5.5, 9.5, 13.5]


def test_kernels_without_a_centre_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel 2 is even"):
        GroupConv(1, 1, 2)
