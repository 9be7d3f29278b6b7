"""Twin networks: trained to tell whether two images show the same class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.errors import DataError
from bench.interfaces import Count, Encoder, HasNetwork, PairModel, StartsFromWeights, Unit

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Attention, JoinProbabilities, Run
    from bench.nn.twin import TwinNetwork

Share = Annotated[float, Field(ge=0, le=1)]
_FILE, _CALIBRATION = "twin.safetensors", "calibration.json"


class Twin(PairModel):
    """A backbone and a head on pairs of its features, trained on balanced pairs of labelled images.

    All pairs of n images cost n passes of the backbone and one pass of the head in blocks.
    Published settings: TNI is the default; TNIa has `augment: 0.2`; the DINO twins have `encoder: {use:
    dino, ...}`, `embedding: null`, fusion optimal or simplified, batch 32, steps 30000, rate 0.002.
    """

    version: ClassVar[int] = 2  # frozen blocks keep their batch statistics
    source: ClassVar[str] = "Presberger et al., GCPR 2024, arXiv 2403.13376, and its public code"
    libraries: ClassVar[tuple[str, ...]] = (
        "torch",
        "timm",
        "safetensors",
        "lightning_fabric",
        "huggingface_hub",
    )
    seeded: ClassVar[bool] = True
    uses_labels: ClassVar[bool] = True
    parallel: ClassVar[bool] = True

    encoder: Encoder | None = None
    """A trained backbone to start from: `{use: dino, ...}`, fitted in a stage of its own; without one, `arch`
    with random weights."""
    arch: str = "resnet18"
    """Model of timm that is trained from scratch, unless an encoder is given."""
    image_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side images are resized to for `arch`; the prepared size unless given."""
    embedding: Count | None = 128
    """Width of a linear layer after the backbone; null: none."""
    fusion: Literal["concat", "simplified", "optimal"] = "concat"
    """What the head sees of features x1, x2: both; also x1 * x2 and their cosine; also |x1 - x2| and their
    distance."""
    hidden: Count | None = None
    """Width of the head; that of one image's features unless given."""
    frozen: Share = 0.75
    """Share of an encoder's blocks, from the first, that are not trained; 1: only the head is."""
    steps: Count = 6000
    """Steps to train."""
    batch: Annotated[Count, Unit("pairs")] = 64
    """Pairs per step, half of them of one class."""
    accumulate: Count = 1
    """Micro-batches that a step is split into where memory is short (gradient accumulation)."""
    rate: Annotated[float, Field(gt=0)] = 0.0001
    """Peak learning rate (lr)."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Of AdamW."""
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    """Of the learning rate. plateau: halved when the mean loss of 100 steps has not improved 20 times."""
    augment: Share = 0.0
    """Probability of each of: mirroring in x, in y, and a rotation by any angle."""
    calibrate: Literal["none", "platt"] = "none"
    """Correct the log-odds by a slope and an offset (Platt scaling), fitted on pairs of held-out images."""
    held_out: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of each class's images that are not trained on, for `calibrate` and the reliability curve."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.calibrate != "none" and self.held_out == 0:
            raise ValueError("calibrate needs images that were not trained on: give held_out, e.g. 0.2")
        if self.batch % (2 * self.accumulate):
            raise ValueError(f"batch {self.batch} does not divide into {self.accumulate} balanced parts")
        return self

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train, calibrate if asked to, and write network and calibration.

        Raises `DataError` for fewer than two classes, a class with fewer than two images, too few images
        held out to calibrate with, an encoder without a backbone, or a loss that is not finite.
        """
        import numpy as np

        from bench.nn.training import Steps, seeded, train
        from bench.nn.twin import BalancedPairs, TwinSettings, TwinTraining
        from bench.nn.weights import write_tensors
        from bench.util.durable import seal, write_whole

        assert images.labels is not None
        network = self._network(images.shape, run.encoder_weights, run)
        run.facts["parameters"] = sum(p.numel() for p in network.parameters())
        run.facts["trained_parameters"] = sum(p.numel() for p in network.parameters() if p.requires_grad)
        kept_out = _held_out(images.labels, self.held_out, run.rng())
        if self.calibrate != "none" and not _both_kinds(images.labels[kept_out]):
            raise DataError(
                f"calibrate: the {int(kept_out.sum())} images held out make no pairs of both kinds; "
                "give a larger held_out, or more images"
            )
        labels = np.where(kept_out, -1, images.labels)
        settings = TwinSettings(
            self.steps, self.batch, self.rate, self.weight_decay, self.schedule, self.augment
        )
        pairs = BalancedPairs(labels, list(images.classes))
        with seeded(run.seed):
            task = TwinTraining(images, pairs, network, settings, self.accumulate)
        train(task, Steps(self.steps, 2 * self.batch, self.accumulate), run)
        write_tensors(weights / _FILE, network)
        slope, offset = self._calibrated(network, images, np.flatnonzero(kept_out), run)
        write_whole(weights / _CALIBRATION, seal({"slope": slope, "offset": offset}))

    def join_probabilities(self, images: Prepared, weights: Path | None, run: Run) -> JoinProbabilities:
        """Return the mean probability of both directions, for all pairs."""
        from bench.nn.reliability import recalibrated, reliability
        from bench.util.durable import unseal

        assert weights is not None
        network = self._loaded(images.shape, weights, run)
        c = unseal((weights / _CALIBRATION).read_bytes(), str(weights / _CALIBRATION))
        p = self._probabilities(network, images, run)
        if self.calibrate != "none":
            p = recalibrated(p, c["slope"], c["offset"])
        if images.labels is not None:
            run.facts["reliability"] = reliability(images.labels, p)
        return p

    def attention(self, images: Prepared, weights: Path | None, run: Run) -> Attention:
        """Return what the class token of the backbone attends to after the training on pairs.

        Raises `DataError` for a backbone without a class token.
        """
        from bench.nn.attention import class_attention

        return class_attention(self._loaded(images.shape, weights, run).backbone, images, run)

    def without_start(self) -> Self:
        """Return the pair model with an encoder whose weights are random."""
        if not isinstance(self.encoder, StartsFromWeights):
            return self
        return self.model_copy(update={"encoder": self.encoder.without_start()})

    def _loaded(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> TwinNetwork:
        from bench.nn.weights import load_strictly, read_tensors

        network = self._network(shape, None, run)
        if weights is not None:
            file = weights / _FILE
            load_strictly(network, read_tensors(file, "weights"), f"weights: {file}")
        return network

    def _network(self, shape: tuple[int, int, int], encoder_weights: Path | None, run: Run) -> TwinNetwork:
        from bench.nn.backbone import Architecture, Backbone, build
        from bench.nn.training import seeded
        from bench.nn.twin import TwinNetwork

        if self.encoder is None:
            channels: Literal["rgb", "native"] = "rgb" if shape[0] in (1, 3) else "native"
            a = Architecture(self.arch, channels=channels, normalise="none", size=self.image_size)
            backbone = build(a, shape, run.seed)
        else:
            encoder = self.encoder
            made = encoder.network(shape, encoder_weights, run) if isinstance(encoder, HasNetwork) else None
            if not isinstance(made, Backbone):
                raise DataError(
                    f"encoder: {self.encoder.use} has no network to train further; use dino or timm"
                )
            backbone = made
            run.facts["frozen_blocks"] = backbone.freeze(self.frozen)
        with seeded(run.seed):
            return TwinNetwork(backbone, self.fusion, self.embedding, self.hidden)

    def _probabilities(self, network: TwinNetwork, images: Prepared, run: Run) -> JoinProbabilities:
        import torch

        from bench.nn.inputs import dtype_of, encode, threads
        from bench.nn.pairs import all_pairs_probabilities

        network.to(run.device).eval()
        network.backbone.model.to(dtype_of(run))
        features = encode(images, run, lambda x: network.features(network.backbone.fitted(x)))
        with threads(run.threads), torch.inference_mode():
            x = torch.from_numpy(features).to(run.device)
            p = all_pairs_probabilities(x, network.first, network.second, self.fusion)
        found: JoinProbabilities = p.float().cpu().numpy()
        return found

    def _calibrated(
        self, network: TwinNetwork, images: Prepared, rows: NDArray[np.int64], run: Run
    ) -> tuple[float, float]:
        """Return slope and offset from the pairs of images held out; note how reliable they are."""
        import numpy as np

        from bench.images import Prepared
        from bench.nn.reliability import fit_platt, recalibrated, reliability

        assert images.labels is not None
        if not rows.size:
            return 1.0, 0.0
        truth = images.labels[rows]
        ids = [images.ids[i] for i in rows]
        p = self._probabilities(network, Prepared(images.pixels, images.rows[rows], ids, images.classes), run)
        facts = {"before": reliability(truth, p)}
        slope, offset = 1.0, 0.0
        if self.calibrate == "platt":
            a, b = np.triu_indices(rows.size, 1)
            clipped = np.clip(p[a, b].astype(np.float64), 1e-6, 1 - 1e-6)
            slope, offset = fit_platt(np.log(clipped / (1 - clipped)), truth[a] == truth[b])
            facts["after"] = reliability(truth, recalibrated(p, slope, offset))
            run.facts["calibration"] = {"slope": round(slope, 6), "offset": round(offset, 6)}
        run.facts["held_out_reliability"] = facts
        return slope, offset


def _held_out(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose the share of each class's images, but leave two of each to train on."""
    import numpy as np

    chosen = np.zeros(labels.size, bool)
    for c in np.unique(labels[labels >= 0]) if share else ():
        members = rng.permutation(np.flatnonzero(labels == c))
        chosen[members[: min(round(share * members.size), max(0, members.size - 2))]] = True
    return chosen


def _both_kinds(labels: NDArray[np.int64]) -> bool:
    """Return whether some pairs of images are of one class and some of two."""
    import numpy as np

    counts = np.unique(labels, return_counts=True)[1]
    return counts.size > 1 and bool(counts.max() > 1)
