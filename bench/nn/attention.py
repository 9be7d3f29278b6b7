"""Attention of vision transformers: what the class token looks at in the last block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.errors import DataError
from bench.nn.inputs import tensor, threads

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Attention, Run
    from bench.nn.backbone import Backbone

_BATCH = 32


def class_attention(backbone: Backbone, images: Prepared, run: Run) -> Attention:
    """Return how much the class token attends to each patch in the last block.

    Returns
    -------
    float32, shape (n, heads, rows, columns) of patches. What goes to the class token itself and to
    registers is left out, so a head's sum is at most 1.

    Raises
    ------
    DataError : the model has no class token, or no attention of the usual kind.
    """
    model: Any = backbone.model
    attention = getattr(backbone.parts[-1] if backbone.parts else None, "attn", None)
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    if not prefix or not isinstance(getattr(attention, "attn_drop", None), nn.Module):
        raise DataError(f"{type(model).__name__} has no class token whose attention can be drawn")
    assert attention is not None
    seen: list[Tensor] = []
    fused = attention.fused_attn
    hook = attention.attn_drop.register_forward_hook(
        lambda _m, _i, out: seen.append(out.detach()[:, :, 0, prefix:].float().cpu())
    )
    attention.fused_attn = False  # the fused kernel never holds the matrix
    try:
        with threads(run.threads), torch.inference_mode():
            backbone.to(run.device).eval()
            for pixels in images.batches(_BATCH):
                x = backbone.fitted(tensor(pixels, run.device))
                backbone(x)
    finally:
        attention.fused_attn = fused
        hook.remove()
    to_patches = torch.cat(seen)
    rows, columns = (side // p for side, p in zip(x.shape[-2:], model.patch_embed.patch_size, strict=True))
    return np.asarray(to_patches.reshape(*to_patches.shape[:2], rows, columns).numpy())
