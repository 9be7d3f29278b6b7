"""Any image model of the timm library, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.interfaces import Count, DataError, Encoder, InputFile, Unit

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Run

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Timm(Encoder):
    """Features of a model of the timm library, before its classification head.

    Grey images are repeated to three channels unless `channels` is `native`.
    """

    source: ClassVar[str] = "Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "timm", "safetensors", "huggingface_hub")
    seeded: ClassVar[bool] = True

    model: str = "vit_small_patch8_224.dino"
    """Name in timm, with the tag of the pretrained weights after a point if there are several."""
    weights: Literal["hub", "random", "file"] = "hub"
    """Pretrained weights from the hub (downloaded once), random ones by the seed, or `weights_file`."""
    weights_file: InputFile | None = None
    """A safetensors file or a torch state dict of this very architecture; with `weights: file`."""
    image_size: Annotated[int, Field(ge=8, le=4096), Unit("px")] | None = None
    """Side images are resized to; the prepared size unless given."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels (grey is repeated), or a first layer for as many as the images have (timm sums
    or repeats the pretrained one)."""
    normalise: Literal["model", "imagenet", "none"] = "model"
    """Subtract a mean and divide by a deviation: those the pretrained model was trained with,
    ImageNet's, or neither (pixels in [0, 1])."""
    pool: Literal["model", "token", "avg"] = "model"
    """What makes one feature vector of a transformer's tokens: the model's own way, the class token,
    or the mean of the patch tokens."""
    batch: Annotated[Count, Unit("images")] = 128
    """Images per forward pass."""

    @model_validator(mode="after")
    def _file_with_weights_file(self) -> Self:
        if (self.weights == "file") != (self.weights_file is not None):
            raise ValueError("weights: file and weights_file belong together; give both or neither")
        return self

    def depends_on_seed(self) -> bool:
        """Only random weights do."""
        return self.weights == "random"

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return features of shape (n, width of the model).

        Raises `DataError` for an unknown model, weights that cannot be had or do not fit, and
        images whose channels or size the model cannot take.
        """
        import numpy as np
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(run.threads)
        try:
            model = self._build(images.shape, run)
            dtype = torch.bfloat16 if run.precision == "bfloat16" else torch.float32
            model = model.to(run.device, dtype).eval()
            mean, deviation = self._statistics(model, images.shape[0])
            parts, done = [], 0
            with torch.inference_mode():
                for pixels in images.batches(self.batch):
                    x = self._tensor(pixels, run.device)
                    x = ((x - mean.to(x)) / deviation.to(x)).to(dtype)
                    parts.append(self._pool(model, x).float().cpu().numpy())
                    done += len(pixels)
                    run.report(done, len(images), "images")
        finally:
            torch.set_num_threads(threads)
        features = np.concatenate(parts).astype(np.float32, copy=False)
        run.facts["feature_dimension"] = int(features.shape[1])
        return features

    def _build(self, shape: tuple[int, int, int], run: Run) -> Any:
        """Create the model and give it its weights."""
        import timm
        import torch

        from bench.nn.weights import fingerprint, load_strictly, read_tensors

        base = self.model.partition(".")[0]
        if not timm.is_model(base):
            raise DataError(f"model: timm {timm.__version__} has no {base!r}{_near(base)}")
        if self.channels == "rgb" and shape[0] not in (1, 3):
            raise DataError(
                f"channels: rgb needs images of 1 or 3 channels, these have {shape[0]}; use native"
            )
        side = self.image_size or shape[1]
        options: dict[str, Any] = {
            "num_classes": 0,
            "in_chans": 3 if self.channels == "rgb" else shape[0],
        }
        config = _config(self.model)
        if config is not None and config.fixed_input_size:
            options["img_size"] = side
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            model = _create(self.model, self.weights == "hub", options)
        patch = getattr(getattr(model, "patch_embed", None), "patch_size", (1, 1))
        if side % patch[0] or side % patch[1]:
            raise DataError(
                f"image_size: {side} px does not divide into {patch[0]} px patches of {self.model}"
            )
        if self.weights_file is not None:
            load_strictly(
                model, read_tensors(self.weights_file, "weights_file"), f"weights_file: {self.weights_file}"
            )
        if self.pool != "model" and not hasattr(model, "num_prefix_tokens"):
            raise DataError(f"pool: {self.model} has no tokens; use pool: model")
        if self.pool == "token" and not model.num_prefix_tokens:
            raise DataError(f"pool: {self.model} has no class token; use avg or model")
        run.facts["weights"] = self.weights
        run.facts["weights_origin"] = _origin(model) if self.weights == "hub" else None
        run.facts["weights_sha256"] = fingerprint(model)
        run.facts["parameters"] = sum(p.numel() for p in model.parameters())
        run.facts["image_size"] = side
        return model

    def _statistics(self, model: Any, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and deviation per channel, shape (channels, 1, 1), for pixels in [0, 1]."""
        import torch

        mean, deviation = _IMAGENET
        if self.normalise == "none":
            mean, deviation = (0.0,) * 3, (1.0,) * 3
        elif self.normalise == "model":
            config = model.pretrained_cfg
            mean, deviation = config.get("mean", mean), config.get("std", deviation)
        pair = torch.tensor([mean, deviation], dtype=torch.float32)
        if self.channels == "native" and channels != pair.shape[1]:
            pair = pair.mean(dim=1, keepdim=True).expand(2, channels)
        return pair[0, :, None, None], pair[1, :, None, None]

    def _tensor(self, pixels: NDArray[Any], device: str) -> torch.Tensor:
        """Return float32 images in [0, 1] of the wanted size and channels."""
        import numpy as np
        import torch

        scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        x = torch.from_numpy(scaled).to(device)
        side = self.image_size or x.shape[-1]
        if side != x.shape[-1]:
            x = torch.nn.functional.interpolate(
                x, size=(side, side), mode="bilinear", antialias=True, align_corners=False
            )
        if self.channels == "rgb" and x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return x

    def _pool(self, model: Any, x: torch.Tensor) -> torch.Tensor:
        found = model.forward_features(x)
        if self.pool == "token":
            found = found[:, 0]
        elif self.pool == "avg":
            found = found[:, model.num_prefix_tokens :].mean(dim=1)
        else:
            found = model.forward_head(found, pre_logits=True)
        flat: torch.Tensor = found.flatten(1)
        return flat


def _near(name: str) -> str:
    import difflib

    import timm

    names = (
        difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        or timm.list_models(f"*{name}*")[:3]
    )
    return f"; near: {', '.join(names)}" if names else "; `timm.list_models()` lists them"


def _config(name: str) -> Any:
    """Return what timm knows of the weights a name means; None if there are none."""
    import timm

    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        base = name.partition(".")[0]
        known = ", ".join(timm.list_pretrained(f"{base}.*")[:8]) or "none"
        raise DataError(f"model: {error} Known pretrained: {known}") from None


def _create(name: str, pretrained: bool, options: dict[str, Any]) -> Any:
    import timm

    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except OSError as error:
        raise DataError(
            f"weights: cannot fetch {name} from the hub ({type(error).__name__}); run once on a machine with "
            f"a network and copy its Hugging Face cache (HF_HOME), or give weights: file with weights_file"
        ) from error
    except RuntimeError as error:
        if "pretrained weights" not in str(error).lower():
            raise
        raise DataError(f"weights: {error} Choose another model, or weights: random or file") from error


def _origin(model: Any) -> str | None:
    config = model.pretrained_cfg
    return config.get("hf_hub_id") or config.get("url") or None
