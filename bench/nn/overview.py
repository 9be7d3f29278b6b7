"""A network as a table: its layers in the order in which an image passes them, with sizes and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.nn.autoencoders import Autoencoder
from bench.nn.patch_context import Siamese, patches

_UNSEEN = (nn.Identity, nn.Dropout)
"""What changes nothing when images are encoded."""


@dataclass(frozen=True)
class Layer:
    """One module without modules in it, or with parameters of its own."""

    part: str
    """Where it is: names of modules, dotted."""
    kind: str
    kernel: str
    output: tuple[int, ...]
    """Of one image."""
    parameters: int
    """With the running statistics of normalisations, as Keras counts."""


def layers(network: nn.Module, shape: tuple[int, int, int]) -> list[Layer]:
    """Pass an image of zeros, (c, h, w), and return what it met, in order; of an autoencoder the decoder too.

    A module that is used twice stands there twice, its parameters with the first. Last come modules whose
    parameters are used without calling them, e.g. a transformer's class token, with no output.
    """
    found: list[Layer] = []
    counted: set[int] = set()
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.append(_layer(names[module], module, output, counted))

    met = [m for m in names if _is_layer(m) and not isinstance(m, _UNSEEN)]
    hooks = [module.register_forward_hook(note) for module in met]
    try:
        with torch.no_grad():
            _pass(network.eval(), torch.zeros(1, *shape))
    finally:
        for hook in hooks:
            hook.remove()
    silent = [m for m in met if id(m) not in counted and _own(m)]
    return found + [_layer(names[m], m, None, counted) for m in silent]


def _pass(network: nn.Module, x: Tensor) -> None:
    if isinstance(network, Autoencoder):
        network.decoder(network.encode(x))
    elif isinstance(network, Siamese):
        cells = patches(network.fitted(x), network.shape.patch)
        network(cells[:, 1, 1], cells[:, 0, 1])
    else:
        fitted = getattr(network, "fitted", lambda images: images)
        network(fitted(x))


def _is_layer(module: nn.Module) -> bool:
    own = any(True for _ in module.parameters(recurse=False))
    return own or not any(True for _ in module.children())


def _layer(name: str, module: nn.Module, output: Tensor | None, counted: set[int]) -> Layer:
    kernel = getattr(module, "kernel_size", None) or _side(getattr(module, "weight", None))
    size = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel or ())
    parameters = 0 if id(module) in counted else sum(t.numel() for t in _own(module))
    counted.add(id(module))
    shape = tuple(output.shape[1:]) if output is not None else ()
    return Layer(name, type(module).__name__.lstrip("_"), "x".join(map(str, size)), shape, parameters)


def _own(module: nn.Module) -> list[Tensor]:
    buffers = module.named_buffers(recurse=False)
    running = [b for name, b in buffers if name in ("running_mean", "running_var")]
    return [*module.parameters(recurse=False), *running]


def _side(weight: Tensor | None) -> tuple[int, ...]:
    return tuple(weight.shape[-2:]) if weight is not None and weight.ndim >= 4 else ()
