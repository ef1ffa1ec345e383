# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""Common battery: what users of transformers expect of any model and processor holds for every one of ours.

The models come from two registries, the package's exports and the models that a run can train, so that a new one is
tested by itself.
"""

import copy
import io
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoProcessor, PreTrainedModel

import modeling_amess
from modeling_amess import AmessForIntentClassification, AmessMediaEncoder, AmessModel, AmessProcessor
from tests.training.baselines import tiny_baselines
from tests.training.tiny import make_text_model
from training.baselines import MODELS

from .tiny import padded as padded_features
from .tiny import tiny_batch, tiny_clip_model, tiny_clips, tiny_media_encoder, tiny_model, tiny_tokenizer
from .tiny_recognizer import recognizer_processor


LABELS = torch.tensor([0, 1, 2])


@dataclass(frozen=True)
class Subject:
    """One model under test.

    Attributes:
        make: Makes it in evaluation mode, always with the same weights; the argument is a folder with a text model.
        batch: Inputs of three rows, without labels.
        longer: Makes of a batch the same one with more padding, of arbitrary content.
    """

    make: Callable[[str], PreTrainedModel]
    batch: dict[str, torch.Tensor]
    longer: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


def with_encoder(text_model_type: str) -> AmessForIntentClassification:
    model = tiny_clip_model(text_model_type=text_model_type)
    model.attach_media_encoder(tiny_media_encoder())
    return model


def padded_clips(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same clips with two more masked frames and 333 more masked samples, none of them zero."""
    out = (
        padded_features({name: value for name, value in batch.items() if name in TEXT}) if "input_ids" in batch else {}
    )
    for name, more in (("pixel_values", 2), ("input_values", 333)):
        values, mask = batch[name], batch[f"{name}_mask"]
        filler = torch.full((len(values), more, *values.shape[2:]), 7.0)
        out[name] = torch.cat([values, filler], dim=1)
        out[f"{name}_mask"] = torch.cat([mask, torch.zeros(len(values), more, dtype=mask.dtype)], dim=1)
    return out


def without_labels(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in batch.items() if name != "labels"}


TEXT = ("input_ids", "attention_mask")
FEATURES = tiny_batch(batch=3)
CLIPS = {**{name: FEATURES[name] for name in TEXT}, **tiny_clips()}
SUBJECTS = {"AmessMediaEncoder": Subject(lambda _: tiny_media_encoder(), tiny_clips(), padded_clips)}
for _kind in ("bert", "roberta"):
    SUBJECTS |= {
        f"AmessModel {_kind}": Subject(lambda _, kind=_kind: tiny_model(kind).amess, FEATURES, padded_features),
        f"AmessForIntentClassification {_kind}": Subject(
            lambda _, kind=_kind: tiny_model(kind, semantic_logits=True), FEATURES, padded_features
        ),
        f"AmessModel {_kind} with encoder": Subject(
            lambda _, kind=_kind: with_encoder(kind).amess, CLIPS, padded_clips
        ),
        f"AmessForIntentClassification {_kind} with encoder": Subject(
            lambda _, kind=_kind: with_encoder(kind), CLIPS, padded_clips
        ),
    }
for _name in MODELS:
    if _name != "amess":
        SUBJECTS[_name] = Subject(
            lambda text_model, name=_name: tiny_baselines.build(name, text_model),
            without_labels(tiny_baselines.make_batch()),
            lambda batch: tiny_baselines.padded(batch, 3, 4, 5),
        )
WITH_TEXT = [name for name in SUBJECTS if name != "AmessMediaEncoder"]
# The encoders run over the real frames and samples of each clip: their numbers decide shapes, which export forbids.
NOT_EXPORTED = {name for name in SUBJECTS if "ncoder" in name}


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random BERT without dropout."""
    return make_text_model(tmp_path_factory.mktemp("bert"), dropout=0.0)


def tensors(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The output that the padding must not touch: logits, pooled vectors or, of the encoder, the real features."""
    with torch.no_grad():
        output = model(**batch)
    if isinstance(model, AmessMediaEncoder):
        return {
            name: output[f"{name}_features"][output[f"{name}_attention_mask"].bool()] for name in ("video", "audio")
        }
    names = ("logits",) if "logits" in output else ("pooler_output", "semantic_embedding")
    return {name: output[name] for name in names}


def assert_same(one: dict, other: dict, **tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value.float(), other[name].float(), **(tolerance or {"atol": 0, "rtol": 0}))


def auto_class(model: PreTrainedModel) -> type:
    return AutoModel if isinstance(model, (AmessModel, AmessMediaEncoder)) else AutoModelForSequenceClassification


def test_every_model_that_the_package_exports_is_a_subject():
    exported = (getattr(modeling_amess, name) for name in modeling_amess.__all__)
    models = {one.__name__ for one in exported if isinstance(one, type) and issubclass(one, PreTrainedModel)}
    assert models - {"AmessPreTrainedModel"} == {name.split()[0] for name in SUBJECTS} - set(MODELS)


@pytest.mark.parametrize("name", SUBJECTS)
def test_its_auto_class_loads_the_same_model_and_no_key_is_missing(name, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    model.save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is type(model.config)
    for options in ({}, {"device_map": "cpu"}):
        loaded, info = auto_class(model).from_pretrained(tmp_path, output_loading_info=True, **options)
        assert type(loaded) is type(model) and not loaded.training
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
        for kind in ("named_parameters", "named_buffers"):
            assert_same(dict(getattr(loaded, kind)()), dict(getattr(model, kind)()))
        assert_same(tensors(loaded, subject.batch), tensors(model, subject.batch))
    loaded.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    # Loading writes the dtype into sub-configurations too.
    first, again = (
        re.sub(r'"dtype": "float32",?\s*', "", (folder / "config.json").read_text())
        for folder in (tmp_path, tmp_path / "again")
    )
    assert again == first


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", SUBJECTS)
def test_half_precision(name, dtype, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    model.save_pretrained(tmp_path)
    half = auto_class(model).from_pretrained(tmp_path, dtype=dtype)
    kept = half._keep_in_fp32_modules_strict or ()
    for key, value in (*half.named_parameters(), *half.named_buffers()):
        if value.is_floating_point():
            is_kept = any(part in kept for part in key.split("."))
            assert value.dtype == (torch.float32 if is_kept else dtype), key
    assert_same(tensors(half, subject.batch), tensors(model, subject.batch), atol=0.15, rtol=0.15)
    if "logits" in half(**subject.batch):
        assert torch.isfinite(half(**subject.batch, labels=LABELS).loss)


@pytest.mark.parametrize("name", SUBJECTS)
def test_extra_padding_changes_nothing(name, text_model):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    longer = subject.longer(subject.batch)
    assert all(longer[key].shape[1] > value.shape[1] for key, value in subject.batch.items())
    assert_same(tensors(model, longer), tensors(model, subject.batch), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", WITH_TEXT)
def test_the_vocabulary_can_grow(name, text_model, tmp_path):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    expected, size = tensors(model, subject.batch), model.get_input_embeddings().num_embeddings
    model.resize_token_embeddings(size + 3)
    assert model.get_input_embeddings().num_embeddings == model.config.text_config.vocab_size == size + 3
    assert_same(tensors(model, subject.batch), expected)
    new_tokens = {**subject.batch, "input_ids": subject.batch["input_ids"].clone()}
    new_tokens["input_ids"][:, 1] = size + 2
    model.save_pretrained(tmp_path)
    loaded = auto_class(model).from_pretrained(tmp_path)
    assert_same(tensors(loaded, new_tokens), tensors(model, new_tokens))


def gradients(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gradients in training mode, without dropout, which would differ between two passes."""
    for module in model.train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for attribute in ("attention_dropout", "dropout_probability"):
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, 0.0)
    torch.manual_seed(0)
    if isinstance(model, AmessModel):
        output = model(**batch)
        (output.pooler_output.sum() + output.semantic_embedding.sum()).backward()
    else:
        model(**batch, labels=LABELS).loss.backward()
    return {key: value.grad for key, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", WITH_TEXT)
def test_gradient_checkpointing_gives_the_same_gradients(name, text_model):
    subject = SUBJECTS[name]
    plain, checkpointing = subject.make(text_model), subject.make(text_model)
    checkpointing.activation_checkpointing_enable()
    assert checkpointing.is_activation_checkpointing
    assert_same(gradients(checkpointing, subject.batch), gradients(plain, subject.batch), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SUBJECTS)
def test_export(name, text_model):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    if name in NOT_EXPORTED:
        with pytest.raises(Exception, match=r"data-dependent|Could not guard|unbacked|nonzero"):
            torch.export.export(model, (), kwargs=subject.batch, strict=False)
        return
    program = torch.export.export(model, (), kwargs=subject.batch, strict=False)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    with torch.no_grad():
        output, expected = torch.export.load(file).module()(**subject.batch), model(**subject.batch)
    for key in ("logits", "semantic_embedding"):
        if key in expected:
            torch.testing.assert_close(output[key], expected[key], atol=1e-5, rtol=1e-4)


@pytest.fixture
def unset_memory_is_nan() -> Iterator[None]:
    """Fresh memory holds NaN, or the largest integer, until something is written there."""
    torch.use_deterministic_algorithms(True)  # `fill_uninitialized_memory` is on by default
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("unset_memory_is_nan")
@pytest.mark.parametrize("name", SUBJECTS)
def test_weights_that_a_checkpoint_lacks_are_initialised(name, text_model, tmp_path):
    model = SUBJECTS[name].make(text_model)
    model.save_pretrained(tmp_path)
    safetensors.torch.save_file({}, tmp_path / "model.safetensors", {"format": "pt"})
    for key, value in type(model).from_pretrained(tmp_path).state_dict().items():
        unset = value.isnan() if value.is_floating_point() else value == torch.iinfo(value.dtype).max
        # transformers does not initialise the two parts of WavLM's weight norm.
        assert not unset.any() or ".parametrizations.weight.original" in key, key


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_seed_alone_decides_the_start(name, text_model):
    model = SUBJECTS[name].make(text_model)

    def start(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return type(model)(copy.deepcopy(model.config)).state_dict()

    first = start(0)
    assert all(torch.isfinite(value).all() for value in first.values())
    assert_same(start(0), first)
    other = start(1)
    assert any(not torch.equal(other[key], value) for key, value in first.items())


def saved_whole(model: PreTrainedModel) -> PreTrainedModel:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_can_be_pickled_copied_and_saved_whole(name, text_model):
    subject = SUBJECTS[name]
    model = subject.make(text_model)
    expected = tensors(model, subject.batch)
    if name in WITH_TEXT:
        model(**subject.batch, output_hidden_states=True, output_attentions=True)  # transformers leaves hooks behind
    pickled = pickle.loads(pickle.dumps(model))
    for copied in (pickled, pickle.loads(pickle.dumps(pickled)), copy.deepcopy(pickled), saved_whole(pickled)):
        assert type(copied) is type(model) and not copied.training
        assert_same(tensors(copied, subject.batch), expected)
        assert_same(copied.state_dict(), model.state_dict())
        copied.load_state_dict(model.state_dict())
        trainable = {key for key, value in model.named_parameters() if value.requires_grad}
        assert {key for key, value in copied.named_parameters() if value.requires_grad} == trainable


PROCESSORS = {
    "features": lambda: AmessProcessor(tiny_tokenizer(), video_feature_size=16, audio_feature_size=12),
    "clips": recognizer_processor,
    "text alone, with context": lambda: AmessProcessor(tiny_tokenizer(), context_utterances=2, max_context_length=7),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_saved_processor_makes_the_same_batches(name, tmp_path):
    processor = PROCESSORS[name]()
    processor.save_pretrained(tmp_path)
    generator = np.random.default_rng(0)
    features = {
        "video_features": [generator.standard_normal((200, 16)), None],
        "audio_features": [None, generator.standard_normal((5, 12))],
    }
    inputs = {
        "features": features,
        "clips": {
            "video": [generator.integers(0, 256, (30, 40, 50, 3), dtype=np.uint8), None],
            "audio": [generator.standard_normal(9000) / 10, None],
            "frame_rate": 10.0,
            "sampling_rate": 16000,
        },
        "text alone, with context": {"context": [["no way .", "oh"], None]},
    }[name]
    for loaded in (AmessProcessor.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)):
        assert type(loaded) is AmessProcessor
        assert {**loaded.to_dict(), "auto_map": processor.to_dict()["auto_map"]} == processor.to_dict()
        one, other = (each(text=["oh, great.", "thanks"], **inputs) for each in (processor, loaded))
        assert_same(one, other)
        assert set(one) - {"token_type_ids"} <= set(loaded.model_input_names)
        for row in range(2):
            alone = loaded.tokenizer(["oh, great.", "thanks"][row])["input_ids"]
            assert one["input_ids"][row, : len(alone)].tolist() == alone
