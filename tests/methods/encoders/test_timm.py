from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

GREY = np.random.default_rng(0).integers(0, 256, (5, 1, 32, 32), dtype=np.uint8)


def encode(pixels=GREY, seed=0, precision="float32", **parameters):
    run = make_run(seed, precision=precision)
    chosen = {"model": "test_vit", "weights": "random", **parameters}
    return adapter("encoders", "timm", **chosen).encode(prepared(pixels), None, run), run.facts


def reference(pixels, model_name="test_vit", seed=0, mean=0.5, deviation=0.5, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = timm.create_model(model_name, num_classes=0, **options).eval()
    x = torch.from_numpy(pixels.astype(np.float32) / 255)
    with torch.no_grad():
        return model, (x.expand(-1, 3, -1, -1) - mean) / deviation


def test_equals_timm_itself_and_facts():
    features, facts = encode()
    model, x = reference(GREY, img_size=32)
    np.testing.assert_allclose(features, model(x).detach().numpy(), atol=1e-5)
    assert features.dtype == np.float32
    assert facts["weights"] == "random"
    assert facts["weights_origin"] is None
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())
    assert facts["feature_dimension"] == features.shape[1] == model.num_features
    assert facts["image_size"] == 32


def test_seed_decides_and_leaves_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, one = encode(seed=1)
    assert torch.rand(1) == expected
    b, same = encode(seed=1)
    c, other = encode(seed=2)
    np.testing.assert_array_equal(a, b)
    assert one["weights_sha256"] == same["weights_sha256"] != other["weights_sha256"]
    assert not np.allclose(a, c)


def test_threads_are_capped_during_and_restored_after():
    before = torch.get_num_threads()
    during = []
    run = make_run(threads=1, report=lambda *_: during.append(torch.get_num_threads()))
    adapter("encoders", "timm", model="test_vit", weights="random").encode(prepared(GREY), None, run)
    assert during == [1]
    assert torch.get_num_threads() == before


def test_batches_do_not_matter_and_brightness_range_follows_the_type():
    np.testing.assert_allclose(encode(batch=2)[0], encode()[0], atol=1e-5)
    np.testing.assert_allclose(encode(GREY.astype(np.uint16) * 257)[0], encode()[0], atol=1e-5)


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_pooling(pool):
    features, _ = encode(pool=pool)
    model, x = reference(GREY, img_size=32)
    tokens = model.forward_features(x).detach().numpy()
    expected = tokens[:, 0] if pool == "token" else tokens[:, 1:].mean(axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-5)


@pytest.mark.parametrize(("normalise", "mean", "deviation"), [("none", 0.0, 1.0), ("imagenet", None, None)])
def test_normalisation(normalise, mean, deviation):
    if mean is None:
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    features, _ = encode(normalise=normalise)
    model, x = reference(GREY, mean=mean, deviation=deviation, img_size=32)
    np.testing.assert_allclose(features, model(x).detach().numpy(), atol=1e-5)


def test_convolutional_net_resized_and_native_channels():
    six = np.random.default_rng(1).integers(0, 256, (3, 6, 20, 20), dtype=np.uint8)
    features, facts = encode(six, model="test_resnet", channels="native", image_size=40)
    assert features.shape == (3, timm.create_model("test_resnet", num_classes=0).num_features)
    assert facts["image_size"] == 40
    assert np.isfinite(features).all()
    with pytest.raises(DataError, match="native"):
        encode(six, model="test_resnet")


def test_bfloat16_only_on_request():
    exact, _ = encode()
    rough, _ = encode(precision="bfloat16")
    assert rough.dtype == np.float32
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(exact, rough, atol=0.1)


@pytest.mark.parametrize("kind", ["safetensors", "pt", "dino"])
def test_weights_from_file(tmp_path, kind):
    model, x = reference(GREY, seed=9, img_size=32)
    whole = timm.create_model("test_vit", img_size=32)  # its head is passed over
    whole.load_state_dict({**whole.state_dict(), **model.state_dict()})
    file = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(whole.state_dict(), file)
    elif kind == "pt":
        torch.save(whole.state_dict(), file)
    else:
        torch.save({"teacher": {f"module.backbone.{k}": v for k, v in model.state_dict().items()}}, file)
    features, facts = encode(weights="file", weights_file=file)
    np.testing.assert_allclose(features, model(x).detach().numpy(), atol=1e-5)
    assert facts["weights"] == "file"


def test_weights_that_do_not_fit(tmp_path):
    file = tmp_path / "w.pt"
    torch.save(timm.create_model("test_vit", embed_dim=32).state_dict(), file)
    with pytest.raises(DataError, match=r"\w+ is \(1, 1, 32\)"):
        encode(weights="file", weights_file=file)
    torch.save({"a": torch.zeros(1)}, file)
    with pytest.raises(DataError, match="missing"):
        encode(weights="file", weights_file=file)


def test_weights_of_another_image_size_have_their_positions_resampled(tmp_path):
    file = tmp_path / "w.pt"
    torch.save(timm.create_model("test_vit", img_size=64).state_dict(), file)
    features, _ = encode(weights="file", weights_file=file)
    assert np.isfinite(features).all()


def test_files_that_hold_no_tensors(tmp_path):
    file = tmp_path / "w.pt"
    for content in (b"", b"nonsense"):
        file.write_bytes(content)
        with pytest.raises(DataError, match="weights_file"):
            encode(weights="file", weights_file=file)
    torch.save([1, 2], file)
    with pytest.raises(DataError, match="no dict of tensors"):
        encode(weights="file", weights_file=file)
    torch.save({"x": ValueError("code")}, file)
    with pytest.raises(DataError, match="tensors only"):
        encode(weights="file", weights_file=file)
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"w\.safetensors"):
        encode(weights="file", weights_file=tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="does not exist"):
        encode(weights="file", weights_file=tmp_path / "none.pt")


def test_unknown_model_names_near_ones():
    with pytest.raises(DataError, match="vit_small_patch16_224"):
        encode(model="vit_smal_patch16_224")


def test_unknown_tag_names_known_ones():
    with pytest.raises(DataError, match="r160_in1k"):
        encode(model="test_vit.nonsense", weights="hub")


def test_hub_out_of_reach(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="hub"):
        encode(model="test_vit.r160_in1k", weights="hub")


def test_models_that_cannot_take_the_images():
    with pytest.raises(DataError, match="30 px"):
        encode(np.zeros((1, 1, 30, 30), np.uint8))
    with pytest.raises(DataError, match="pool"):
        encode(model="test_resnet", pool="token")


def test_weights_file_and_weights_belong_together(tmp_path):
    for wrong in ({"weights": "file"}, {"weights": "random", "weights_file": tmp_path / "x.pt"}):
        with pytest.raises(ValidationError, match="belong together"):
            adapter("encoders", "timm", **wrong)


@pytest.mark.slow
def test_model_without_pretrained_weights():
    with pytest.raises(DataError, match="random"):
        encode(model="vit_base_patch16_plus_240", weights="hub")
