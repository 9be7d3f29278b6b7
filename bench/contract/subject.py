"""An adapter under test: runs it on generated material as the stages of a run would."""

from __future__ import annotations

import itertools
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.adapters import registry
from bench.contract.check import Broken, NotApplicable
from bench.contract.material import Material, drawn
from bench.errors import DataError
from bench.interfaces import (
    Adapter,
    Classifier,
    Clusterer,
    Dataset,
    Encoder,
    Generator,
    Json,
    PairModel,
    Reducer,
    Run,
    ToCluster,
)
from bench.stages.outputs import as_class_probabilities, as_features, as_join_probabilities, as_labels

Take = Literal["features", "join_probabilities", "nothing"]
_GENERATED = 24
"""Images that a generator under test writes."""
Report = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Sizes:
    """How much material adapters are tried on."""

    images: int = 96
    size: int = 32
    """Side of the images, px."""


@dataclass(frozen=True)
class Ran:
    """What an adapter returned, and what it told the record."""

    result: NDArray[Any]
    facts: dict[str, Json]


class Subject:
    """What is tested: an adapter or a metric."""

    def __init__(self, kind: str, file: str | None) -> None:
        self.kind = kind
        self.file = file  # the path of its source


class AdapterSubject(Subject):
    """An adapter, and a folder in which it may write."""

    def __init__(self, kind: str, adapter: Adapter, folder: Path, sizes: Sizes | None = None) -> None:
        super().__init__(kind, sys.modules[type(adapter).__module__].__file__)
        self.adapter, self.folder = adapter, folder
        self.sizes = sizes or Sizes()
        self._numbers = itertools.count()

    @property
    def cls(self) -> type[Adapter]:
        """The class under test."""
        return type(self.adapter)

    def with_params(self, **changes: Any) -> Adapter:
        """Return a new adapter with the same parameters but for some.

        Raises pydantic's `ValidationError` if they do not go together.
        """
        return self.cls.model_validate({**dict(self.adapter), **changes})

    def new_folder(self) -> Path:
        """Return an empty folder."""
        folder = self.folder / f"{next(self._numbers)}"
        folder.mkdir()
        return folder

    def run(self, seed: int = 0, checkpoints: Path | None = None, report: Report | None = None) -> Run:
        """Return what a stage on one thread of the CPU would hand to the adapter."""
        return Run(
            seed=seed,
            threads=1,
            device="cpu",
            precision="float32",
            log=logging.getLogger("bench"),
            checkpoints=checkpoints or self.new_folder(),
            report=report or (lambda done, total, text: None),
            checkpoint_s=0.0,
        )


class MethodSubject(AdapterSubject):
    """A part of a method."""

    @cached_property
    def _drawn(self) -> Material:
        return drawn(self.sizes.images, self.sizes.size)

    @property
    def material(self) -> Material:
        """What the adapter is tried on first: grey 8-bit images; a new copy, should it write into it."""
        return self._drawn.copy()

    @cached_property
    def trained(self) -> Path | None:
        """What was learned from `material` with seed 0; None if nothing is."""
        return self.fit(self.material)

    @cached_property
    def first(self) -> Ran:
        """What the adapter returns for `material` with seed 0."""
        return self.apply(self.material, self.trained)

    @property
    def learns(self) -> bool:
        """Whether the adapter has a fit of its own."""
        return self.cls.learns()

    def fit(
        self,
        material: Material,
        *,
        adapter: Adapter | None = None,
        seed: int = 0,
        checkpoints: Path | None = None,
        report: Report | None = None,
        labels: bool = False,
    ) -> Path | None:
        """Have an adapter learn, and return the folder of its weights; None if it learns nothing.

        `labels` hands it the true classes even if it does not declare `uses_labels`.
        """
        adapter = adapter or self.adapter
        if not isinstance(adapter, (Encoder, PairModel, Classifier)) or not adapter.learns():
            return None
        weights = self.new_folder()
        run = replace(self.run(seed, checkpoints, report), encoder_weights=self._encoder(adapter, material))
        adapter.fit(seen(material, adapter, labels), weights, run)
        return weights

    def apply(
        self,
        material: Material,
        weights: Path | None,
        *,
        adapter: Adapter | None = None,
        seed: int = 0,
        labels: bool = False,
        take: Take | None = None,
    ) -> Ran:
        """Run an adapter on what `material` holds of it; `take`: what a clusterer is handed."""
        adapter = adapter or self.adapter
        run = self.run(seed)
        if isinstance(adapter, Encoder):
            result: Any = adapter.encode(seen(material, adapter, labels), weights, run)
        elif isinstance(adapter, PairModel):
            result = adapter.join_probabilities(seen(material, adapter, labels), weights, run)
        elif isinstance(adapter, Reducer):
            result = adapter.reduce(material.features, run)
        elif isinstance(adapter, Clusterer):
            result = adapter.cluster(to_cluster(material, adapter, labels, take), run)
        else:
            assert isinstance(adapter, Classifier)
            assert weights is not None
            run = replace(run, encoder_weights=self._encoder(adapter, material))
            result = adapter.predict(replace(material.images, labels=None), weights, run)
        return Ran(np.asarray(result), run.facts)

    def whole(self, material: Material, *, seed: int = 0, labels: bool = False) -> Ran:
        """Have the adapter learn, if it learns, and run it."""
        weights = self.fit(material, seed=seed, labels=labels)
        return self.apply(material, weights, seed=seed, labels=labels)

    def verify(self, result: NDArray[Any], material: Material) -> None:
        """Raise `Broken` if a result is not what the kind of adapter promises."""
        n, what = len(material), "it"
        try:
            if self.kind in ("encoder", "reducer"):
                as_features(result, n, what)
            elif self.kind == "pair_model":
                as_join_probabilities(result, n, what)
            elif self.kind == "classifier" and result.ndim == 2:
                as_class_probabilities(result, n, len(material.images.classes), what)
            else:
                as_labels(result, n, what)
        except DataError as e:
            raise Broken(str(e)) from None
        if self.kind == "classifier" and result.ndim == 1 and result.max() >= len(material.images.classes):
            raise Broken(f"it returned class {result.max()} of {len(material.images.classes)}, from 0 on")

    def accepts(self, what: str, material: Material) -> None:
        """Raise `Broken` unless the adapter handles some images, or refuses them with a `DataError`."""
        try:
            result = self.whole(material).result
        except DataError:
            return
        try:
            self.verify(result, material)
        except Broken as e:
            raise Broken(f"{what}: {e}") from None

    def _encoder(self, adapter: Adapter, material: Material) -> Path | None:
        """Fit the encoder that an adapter holds, if it learns."""
        encoder = next((v for _, v in adapter if isinstance(v, Encoder)), None)
        return self.fit(material, adapter=encoder) if encoder is not None else None


class DataSubject(AdapterSubject):
    """A dataset or a generator."""

    def __init__(
        self, kind: str, adapter: Adapter, folder: Path, sizes: Sizes | None = None, root: Path | None = None
    ) -> None:
        super().__init__(kind, adapter, folder, sizes)
        self._root = root

    @property
    def dataset(self) -> Dataset:
        """The adapter, if it is a dataset."""
        assert isinstance(self.adapter, Dataset)
        return self.adapter

    @cached_property
    def root(self) -> Path:
        """Data to read: the folder given, or a stand-in by the generator that the dataset names."""
        if self._root is not None:
            return self._root
        if not self.dataset.generator:
            raise NotApplicable("it names no generator; give its data with --root FOLDER")
        cls = registry.load("generator", self.dataset.generator)
        generator = cls.model_validate({"images": self.sizes.images})
        assert isinstance(generator, Generator)
        return self.written(generator)

    def written(self, generator: Generator) -> Path:
        """Return a folder that a generator has filled."""
        folder = self.new_folder()
        generator.write(folder, self.run())
        return folder

    def generator(self, **changes: Any) -> Generator:
        """Return the adapter, if it is a generator, with other parameters; it writes few images."""
        few = min(self.sizes.images, _GENERATED, getattr(self.adapter, "images", _GENERATED))
        made = self.with_params(**{"images": few, **changes})
        assert isinstance(made, Generator)
        return made


def subject_of(
    kind: str, adapter: Adapter, folder: Path, sizes: Sizes | None = None, root: Path | None = None
) -> AdapterSubject:
    """Return an adapter as a subject of the checks of its kind."""
    if kind in ("dataset", "generator"):
        return DataSubject(kind, adapter, folder, sizes, root)
    return MethodSubject(kind, adapter, folder, sizes)


def seen(material: Material, adapter: Adapter, labels: bool) -> Any:
    """Return the images as an adapter may see them."""
    images = material.images
    return images if labels or type(adapter).uses_labels else replace(images, labels=None)


def to_cluster(material: Material, adapter: Clusterer, labels: bool, take: Take | None) -> ToCluster:
    """Return what a clusterer is handed."""
    take = take or adapter.takes[0]
    truth = material.images.labels
    return ToCluster(
        n=len(material),
        n_classes=int(np.unique(truth).size) if truth is not None else None,
        features=material.features if take == "features" else None,
        join_probabilities=material.join_probabilities if take == "join_probabilities" else None,
        labels=truth if labels or type(adapter).uses_labels else None,
    )


def moved(folder: Path, to: Path) -> Path:
    """Move a folder of weights, as a store does."""
    return Path(shutil.move(folder, to))
