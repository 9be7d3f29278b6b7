import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench.errors import DataError
from bench.nn.weights import fingerprint, load_strictly, read_tensors, write_tensors


def net(width: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))


def test_what_was_written_comes_back_with_buffers(tmp_path: Path) -> None:
    first, second = net(), net(seed=1)
    first(torch.randn(8, 3))
    write_tensors(tmp_path / "w.safetensors", first)
    load_strictly(second, read_tensors(tmp_path / "w.safetensors", "weights"), "weights")
    assert fingerprint(first) == fingerprint(second) != fingerprint(net(seed=2))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"teacher": {f"module.{k}": v for k, v in s.items()}}]
)
def test_common_wrappings_of_torch_files_are_seen_through(tmp_path: Path, wrap) -> None:
    torch.save(wrap(net().state_dict()), tmp_path / "w.pt")
    model = net(seed=1)
    load_strictly(model, read_tensors(tmp_path / "w.pt", "weights"), "weights")
    assert fingerprint(model) == fingerprint(net())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_prefixes_of_wrapped_networks_are_seen_through_in_either_file(
    tmp_path: Path, prefix: str, name: str
) -> None:
    state = {f"{prefix}{k}": v.clone() for k, v in net().state_dict().items()}
    if name == "w.pt":
        torch.save(state, tmp_path / name)
    else:
        save_file(state, tmp_path / name)
    model = net(seed=1)
    load_strictly(model, read_tensors(tmp_path / name, "weights"), "weights")
    assert fingerprint(model) == fingerprint(net())


def test_a_prefix_that_stays_is_named(tmp_path: Path) -> None:
    torch.save({f"encoder.{k}": v for k, v in net().state_dict().items()}, tmp_path / "w.pt")
    with pytest.raises(DataError, match=r"the names of the file begin with 'encoder\.'"):
        load_strictly(net(), read_tensors(tmp_path / "w.pt", "weights"), "weights")


def test_weights_of_another_architecture_are_refused_by_name(tmp_path: Path) -> None:
    write_tensors(tmp_path / "w.safetensors", net(width=5))
    state = read_tensors(tmp_path / "w.safetensors", "weights")
    with pytest.raises(
        DataError, match=r"weights does not fit Sequential: 6 tensors differ.*\(5, 3\) for \(4, 3\)"
    ):
        load_strictly(net(), state, "weights")


class Hostile:
    def __reduce__(self):
        return print, ("this must never run",)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path, capsys) -> None:
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Hostile()))
    torch.save({"a": Hostile()}, tmp_path / "zip.pt")
    for name in ("raw.pt", "zip.pt"):
        with pytest.raises(DataError, match="tensors only"):
            read_tensors(tmp_path / name, "weights")
    assert "never" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_torn_and_missing_files_end_with_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(DataError, match="does not exist"):
        read_tensors(path, "weights")
    if name.endswith("pt"):
        torch.save(net().state_dict(), path)
    else:
        write_tensors(path, net())
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(DataError, match="weights: cannot read"):
            read_tensors(path, "weights")


@pytest.mark.parametrize("zipped", [True, False])
def test_no_damage_to_a_torch_file_is_anything_but_a_sentence(tmp_path: Path, zipped: bool) -> None:
    path, rng = tmp_path / "w.pt", np.random.default_rng(0)
    torch.save(net().state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    for _ in range(200):
        data = whole.copy()
        data[rng.integers(0, min(data.size, 700), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(data.tobytes())
        try:
            read_tensors(path, "weights")
        except DataError:
            refused += 1
    assert refused > 50


def test_what_else_a_file_holds_is_named_and_settings_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    torch.save({"a": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(DataError, match=r"it holds \S*print, which is never run"):
        read_tensors(tmp_path / "hostile.pt", "weights")
    torch.save({"teacher": net().state_dict(), "args": Namespace(arch="vit")}, tmp_path / "w.pt")
    assert read_tensors(tmp_path / "w.pt", "weights").keys() == net().state_dict().keys()
