"""Image models of the timm library as backbones: what `timm`, `dino` and the pair models share."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor, nn

from bench.errors import DataError
from bench.nn.inputs import resized, with_channels
from bench.nn.training import seeded
from bench.nn.weights import load_strictly, read_tensors

_STAGE = re.compile(r"(layer|s)\d+")
"""Names of the stages of ResNets and RegNets."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Architecture:
    """Which model, how it sees images, and where its weights come from. Errors use these names."""

    model: str
    """Name in timm, with the tag of pretrained weights after a dot if there are several."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels (grey is repeated), or a first layer for the channels that the images have."""
    normalise: Literal["model", "imagenet", "none"] = "model"
    pool: Literal["model", "token", "avg"] = "model"
    size: int | None = None
    """Side images are resized to; None: as prepared."""
    weights: Literal["hub", "random", "file"] = "random"
    weights_file: Path | None = None
    options: tuple[tuple[str, Any], ...] = ()
    """Further options of the model: embed_dim, depth, num_heads..."""


class Backbone(nn.Module):
    """A timm model without its head: images in [0, 1], shape (b, c, h, w) -> features (b, d)."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, architecture: Architecture, channels: int, size: int) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self._pool = architecture.pool
        self._channels = 3 if architecture.channels == "rgb" else channels
        self._at_rest: list[nn.Module] = []
        mean, std = _statistics(model, architecture, self._channels)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    @property
    def width(self) -> int:
        """Number of features."""
        hidden = getattr(self.model, "head_hidden_size", None) if self._pool == "model" else None
        return int(hidden or self.model.num_features)  # type: ignore[arg-type]  # timm's models all have it

    @property
    def parts(self) -> Sequence[nn.Module]:
        """The model's blocks in the order in which images pass them, the first ones near the pixels."""
        named = dict(self.model.named_children())
        for name in ("blocks", "stages", "layers", "features"):
            if name in named:
                return list(named[name].children())
        return [m for name, m in named.items() if _STAGE.fullmatch(name)]

    def forward(self, x: Tensor) -> Tensor:
        """Return features of images of any size that the model takes; see `fitted` for others."""
        x = with_channels(x, self._channels)
        dtype = next(self.model.parameters()).dtype
        return self._pooled(((x - self.mean.to(x)) / self.std.to(x)).to(dtype))

    def fitted(self, x: Tensor) -> Tensor:
        """Return images with the side that the model was built for."""
        return resized(x, self.size)

    def freeze(self, share: float) -> int:
        """Stop training of the embedding and of the first `share` of the parts; return how many parts.

        What follows the parts is trained as long as one of them is. What is frozen also keeps its
        statistics of batches, and drops nothing. Raises `DataError` for a model whose parts are not known.
        """
        parts = self.parts
        if not parts and share < 1:
            name = type(self.model).__name__
            raise DataError(
                f"frozen: {name} has no blocks in a row; freeze all of it (1), or take a ViT or ResNet"
            )
        n = round(share * len(parts))
        trained = [*parts[n:], *self._after(parts)] if n < len(parts) else []
        self.model.requires_grad_(False)
        for part in trained:
            part.requires_grad_(True)
        moving = {id(m) for part in trained for m in part.modules()}
        holders = {id(m) for m in self.model.modules() if any(id(inner) in moving for inner in m.modules())}
        self._at_rest = [m for m in self.model.modules() if id(m) not in holders]
        return n

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all that is not frozen."""
        super().train(mode)
        for module in self._at_rest:
            module.training = False
        return self

    def _after(self, parts: Sequence[nn.Module]) -> list[nn.Module]:
        """Return what images pass behind the last part."""
        children = list(self.model.children())
        last = max(i for i, c in enumerate(children) if any(m is parts[-1] for m in c.modules()))
        return children[last + 1 :]

    def _pooled(self, x: Tensor) -> Tensor:
        found = self.model.forward_features(x)  # type: ignore[operator]  # timm's models all have it
        if self._pool == "token":
            found = found[:, 0]
        elif self._pool == "avg":
            found = found[:, self.model.num_prefix_tokens :].mean(dim=1)
        else:
            found = self.model.forward_head(found, pre_logits=True)  # type: ignore[operator]
        flat: Tensor = found.flatten(1)
        return flat


def build(a: Architecture, shape: tuple[int, int, int], seed: int, **options: Any) -> Backbone:
    """Create a backbone for images of some shape (c, h, w) and give it its weights.

    Raises
    ------
    DataError : an unknown model, unavailable or incompatible weights, images whose channels or
        size the model cannot take.
    """
    base = a.model.partition(".")[0]
    if not timm.is_model(base):
        raise DataError(f"model: timm {timm.__version__} has no {base!r}{_near(base)}")
    if a.channels == "rgb" and shape[0] not in (1, 3):
        raise DataError(f"channels: rgb needs images of 1 or 3 channels, these have {shape[0]}; use native")
    side = a.size or shape[1]
    options = {
        "num_classes": 0,
        "in_chans": 3 if a.channels == "rgb" else shape[0],
        **dict(a.options),
        **options,
    }
    config = _config(a.model)
    if config is not None and config.fixed_input_size:
        options["img_size"] = side
    with seeded(seed):
        model = _create(a.model, a.weights == "hub", options)
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", (1, 1))
    if side % patch[0] or side % patch[1]:
        raise DataError(f"image_size: {side} px does not divide into {patch[0]} px patches of {a.model}")
    if a.weights_file is not None:
        load_strictly(model, _of_file(a.weights_file, model), f"weights_file: {a.weights_file}")
    if a.pool != "model" and not hasattr(model, "num_prefix_tokens"):
        raise DataError(f"pool: {a.model} has no tokens; use pool: model")
    if a.pool == "token" and not model.num_prefix_tokens:
        raise DataError(f"pool: {a.model} has no class token; use avg or model")
    return Backbone(model, a, shape[0], side)


def origin(model: Any) -> str | None:
    """Return where a model's pretrained weights come from."""
    config = model.pretrained_cfg
    return config.get("hf_hub_id") or config.get("url") or None


def _of_file(file: Path, model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a weights file under their names in timm, fit for the size of the images.

    Checkpoints of DINO or of pair models hold the backbone beside its heads, and weights written by a fit
    here hold the model one level down. Position embeddings are resampled, as those of pretrained weights are.
    """
    state = dict(read_tensors(file, "weights_file"))
    for level in ("backbone.", "model."):
        inner = {k.removeprefix(level): t for k, t in state.items() if k.startswith(level)}
        state = inner or state
    theirs, own = state.get("pos_embed"), getattr(model, "pos_embed", None)
    if isinstance(own, Tensor) and theirs is not None and theirs.ndim == own.ndim == 3:
        state["pos_embed"] = _resampled(theirs, own, model)
    return state


def _resampled(theirs: Tensor, own: Tensor, model: Any) -> Tensor:
    """Return position embeddings for another number of patches; unchanged if they are of another kind."""
    prefix = 0 if getattr(model, "no_embed_class", False) else int(model.num_prefix_tokens)
    side = math.isqrt(max(0, theirs.shape[1] - prefix))
    if theirs.shape == own.shape or not side or side**2 + prefix != theirs.shape[1]:
        return theirs
    grid = list(model.patch_embed.grid_size)
    resampled: Tensor = resample_abs_pos_embed(theirs, grid, num_prefix_tokens=prefix)
    return resampled


def _statistics(model: Any, a: Architecture, channels: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation per channel, shape (channels, 1, 1), for pixels in [0, 1]."""
    mean, std = IMAGENET
    if a.normalise == "none":
        mean, std = (0.0,) * 3, (1.0,) * 3
    elif a.normalise == "model":
        config = model.pretrained_cfg
        mean, std = config.get("mean", mean), config.get("std", std)
    pair = torch.tensor([mean, std], dtype=torch.float32)
    if channels != pair.shape[1]:
        pair = pair.mean(dim=1, keepdim=True).repeat(1, channels)
    return pair[0, :, None, None], pair[1, :, None, None]


def _near(name: str) -> str:
    names = (
        difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        or timm.list_models(f"*{name}*")[:3]
    )
    return f"; near: {', '.join(names)}" if names else "; `timm.list_models()` lists them"


def _config(name: str) -> Any:
    """Return what timm knows of the weights a name means; None if there are none."""
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        base = name.partition(".")[0]
        known = ", ".join(timm.list_pretrained(f"{base}.*")[:8]) or "none"
        raise DataError(f"model: {error} Known pretrained: {known}") from None


def _create(name: str, pretrained: bool, options: dict[str, Any]) -> Any:
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except OSError as error:
        raise DataError(
            f"weights: cannot fetch {name} from the hub ({type(error).__name__}); run once on a machine with "
            f"a network and copy its Hugging Face cache (HF_HOME), or give weights: file with weights_file"
        ) from error
    except (RuntimeError, TypeError, AssertionError) as error:
        if not isinstance(error, RuntimeError):
            raise DataError(f"model: {name} does not take {sorted(options)}: {error}") from error
        if "pretrained weights" not in str(error).lower():
            raise
        raise DataError(f"weights: {error} Choose another model, or weights: random or file") from error
