"""Architectures for surgery_table.py: name -> a maker of (model, sample). All small, on the CPU, no weights loaded."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "model"))

Maker = Callable[[], tuple[nn.Module, Any]]


class NoTorchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """timm imports torchvision for its data pipelines, which no model needs: every name in it is an empty class here."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = _empty_class  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


class _Names(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


def _empty_class(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Names(name, (), {})


TIMM: dict[str, int] = {
    "resnet18": 64, "resnet50": 64, "seresnet18": 64, "ecaresnet26t": 64, "skresnet18": 64, "resnest14d": 64,
    "res2net50_14w_8s": 64, "resnetv2_18": 64, "dm_nfnet_f0": 64, "regnety_002": 64, "regnetz_b16": 64, "vgg11_bn": 64,
    "densenet121": 64, "dla46_c": 64, "dpn48b": 64, "ese_vovnet19b_dw": 64, "hrnet_w18_small": 64, "selecsls42": 64,
    "inception_v3": 128, "inception_v4": 128, "inception_resnet_v2": 128, "legacy_xception": 96, "xception41": 64,
    "nasnetalarge": 64, "pnasnet5large": 64, "tresnet_m": 64, "legacy_seresnet18": 64, "cs3darknet_s": 64,
    "cspresnext50": 64, "darknet53": 64, "eca_botnext26ts_256": 256, "lambda_resnet26t": 128, "gcresnet33ts": 64,
    "repvgg_a0": 64, "mobileone_s0": 64, "mobilenetv2_035": 64, "mobilenetv3_small_050": 64, "lcnet_035": 64,
    "mobilenetv4_conv_small": 64, "efficientnet_b0": 64, "tf_efficientnet_lite0": 64, "efficientnetv2_rw_t": 64,
    "mnasnet_050": 64, "hardcorenas_a": 64, "ghostnet_050": 64, "ghostnetv2_100": 64, "repghostnet_050": 64,
    "rexnet_100": 64, "hgnetv2_b0": 64, "convnext_atto": 64, "convnextv2_atto": 64, "convmixer_768_32": 64,
    "inception_next_atto": 64, "rdnet_tiny": 64, "starnet_s1": 64, "fasternet_t0": 64, "mambaout_femto": 64,
    "edgenext_xx_small": 64, "focalnet_tiny_srf": 64, "poolformer_s12": 64, "caformer_s18": 64, "convformer_s18": 64,
    "efficientformer_l1": 224, "efficientformerv2_s0": 224, "efficientvit_b0": 64, "efficientvit_m0": 224,
    "fastvit_t8": 64, "repvit_m0_9": 64, "shvit_s1": 64, "swiftformer_xs": 224, "mobilevit_xxs": 64,
    "mobilevitv2_050": 64, "levit_128s": 224, "vit_tiny_patch16_224": 224, "deit_tiny_distilled_patch16_224": 224,
    "test_vit": 160, "beit_base_patch16_224": 224, "cait_xxs24_224": 224, "coat_lite_tiny": 224, "convit_tiny": 224,
    "coatnet_nano_rw_224": 224, "maxvit_nano_rw_256": 256, "crossvit_9_240": 240, "davit_tiny": 64,
    "eva02_tiny_patch14_224": 224, "gcvit_xxtiny": 224, "gmlp_s16_224": 224, "mixer_s32_224": 224,
    "resmlp_12_224": 224, "hiera_tiny_224": 224, "mvitv2_tiny": 224, "nest_tiny": 224, "nextvit_small": 64,
    "pit_ti_224": 224, "pvt_v2_b0": 224, "sequencer2d_s": 224, "swin_tiny_patch4_window7_224": 224,
    "swinv2_cr_tiny_224": 224, "swinv2_tiny_window8_256": 256, "tiny_vit_5m_224": 224, "tnt_s_patch16_224": 224,
    "twins_svt_small": 224, "visformer_tiny": 224, "vitamin_small_224": 224, "volo_d1_224": 224,
    "xcit_nano_12_p16_224": 224, "vit_relpos_small_patch16_224": 224, "samvit_base_patch16_224": 224,
}  # fmt: skip
"""Name in timm -> side of the square picture."""


def timm_maker(name: str, side: int) -> Maker:
    """A model of timm with ten classes."""

    def make() -> tuple[nn.Module, Any]:
        if not any(isinstance(finder, NoTorchvision) for finder in sys.meta_path):
            sys.meta_path.insert(0, NoTorchvision())
        import timm

        return timm.create_model(name, pretrained=False, num_classes=10), torch.randn(2, 3, side, side)

    return make


SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
"""Sizes of a small language model, under the names that most configurations have."""

LANGUAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "BertForSequenceClassification": ("BertConfig", {}),
    "RobertaForMaskedLM": ("RobertaConfig", {}),
    "AlbertModel": ("AlbertConfig", {"embedding_size": 16}),
    "ElectraForPreTraining": ("ElectraConfig", {"embedding_size": 16}),
    "DebertaV2Model": ("DebertaV2Config", {}),
    "DistilBertModel": ("DistilBertConfig", {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4}),
    "MobileBertModel": (
        "MobileBertConfig",
        {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    ),
    "MPNetModel": ("MPNetConfig", {}),
    "ConvBertModel": ("ConvBertConfig", {"embedding_size": 32}),
    "RoFormerModel": ("RoFormerConfig", {"embedding_size": 32}),
    "FNetModel": ("FNetConfig", {}),
    "SqueezeBertModel": ("SqueezeBertConfig", {"embedding_size": 32}),
    "ModernBertModel": ("ModernBertConfig", {"cls_token_id": 1, "sep_token_id": 2}),
    "GPT2LMHeadModel": ("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}),
    "GPTNeoModel": ("GPTNeoConfig", {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]}),
    "GPTNeoXForCausalLM": ("GPTNeoXConfig", {}),
    "GPTJModel": ("GPTJConfig", {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 64}),
    "OPTForCausalLM": ("OPTConfig", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "BloomModel": ("BloomConfig", {"n_layer": 2, "n_head": 4}),
    "FalconModel": ("FalconConfig", {}),
    "LlamaForCausalLM": ("LlamaConfig", {}),
    "MistralForCausalLM": ("MistralConfig", {}),
    "MixtralForCausalLM": ("MixtralConfig", {"num_local_experts": 4}),
    "Qwen2ForCausalLM": ("Qwen2Config", {}),
    "Qwen3ForCausalLM": ("Qwen3Config", {}),
    "GemmaForCausalLM": ("GemmaConfig", {}),
    "Gemma2ForCausalLM": ("Gemma2Config", {}),
    "PhiForCausalLM": ("PhiConfig", {}),
    "Phi3ForCausalLM": ("Phi3Config", {}),
    "StableLmForCausalLM": ("StableLmConfig", {}),
    "OlmoForCausalLM": ("OlmoConfig", {}),
    "CohereForCausalLM": ("CohereConfig", {}),
    "MptForCausalLM": ("MptConfig", {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64}),
    "MambaForCausalLM": ("MambaConfig", {"state_size": 4}),
    "RwkvModel": ("RwkvConfig", {"attention_hidden_size": 32}),
    "XLNetModel": ("XLNetConfig", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}),
}
"""Models of transformers that take token ids: class -> configuration and settings beyond SMALL."""


def language_maker(name: str, config: str, settings: dict[str, Any]) -> Maker:
    """A language model of transformers, with two sequences of seven tokens."""

    def make() -> tuple[nn.Module, Any]:
        import transformers

        made = _config(getattr(transformers, config), settings)
        return getattr(transformers, name)(made), {"input_ids": torch.randint(3, 90, (2, 7)), "return_dict": True}

    return make


def _config(kind: Any, settings: dict[str, Any]) -> Any:
    import inspect

    known = set(inspect.signature(kind.__init__).parameters) | set(getattr(kind, "__dataclass_fields__", ()))
    small = {k: v for k, v in SMALL.items() if k in known and k not in getattr(kind, "attribute_map", {})}
    return kind(**{**small, **settings})


def t5() -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=99)
    ids = torch.randint(3, 90, (2, 7))
    return transformers.T5ForConditionalGeneration(config), {"input_ids": ids, "decoder_input_ids": ids}


def gated_t5() -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=99, feed_forward_proj="gated-gelu"
    )
    ids = torch.randint(3, 90, (2, 7))
    return transformers.T5Model(config), {"input_ids": ids, "decoder_input_ids": ids}


def bart() -> tuple[nn.Module, Any]:
    import transformers

    sizes = {
        f"{part}_{name}": n
        for part in ("encoder", "decoder")
        for name, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))
    }
    config = transformers.BartConfig(d_model=32, vocab_size=99, max_position_embeddings=64, **sizes)
    return transformers.BartModel(config), {"input_ids": torch.randint(3, 90, (2, 7))}


def whisper() -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=48, decoder_ffn_dim=48, vocab_size=99, num_mel_bins=16, max_source_positions=20,
        max_target_positions=20, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    sample = {"input_features": torch.randn(2, 16, 40), "decoder_input_ids": torch.randint(3, 90, (2, 5))}
    return transformers.WhisperModel(config), sample


def wav2vec2() -> tuple[nn.Module, Any]:
    import transformers

    config = transformers.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, conv_dim=(16, 16),
        conv_stride=(5, 2), conv_kernel=(10, 3), num_feat_extract_layers=2, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    return transformers.Wav2Vec2Model(config), torch.randn(2, 400)


def clip() -> tuple[nn.Module, Any]:
    import transformers

    text = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 99,
    }
    vision = {**text, "image_size": 32, "patch_size": 8}
    del vision["vocab_size"]
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    return transformers.CLIPModel(config), {
        "input_ids": torch.randint(3, 90, (2, 7)),
        "pixel_values": torch.randn(2, 3, 32, 32),
    }


def hf_vision(name: str, config: str, **settings: Any) -> Maker:
    """A vision model of transformers on pictures of 32 x 32."""

    def make() -> tuple[nn.Module, Any]:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**settings)), torch.randn(2, 3, 32, 32)

    return make


_VIT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
_STAGES = {"hidden_sizes": [16, 32], "depths": [1, 1]}
_MORE = {
    "T5ForConditionalGeneration": t5,
    "T5Model, gated": gated_t5,
    "BartModel": bart,
    "WhisperModel": whisper,
    "Wav2Vec2Model": wav2vec2,
    "CLIPModel": clip,
    "ViTModel": hf_vision("ViTModel", "ViTConfig", **_VIT),
    "Dinov2Model": hf_vision(
        "Dinov2Model", "Dinov2Config", **{k: v for k, v in _VIT.items() if k != "intermediate_size"}
    ),
    "ResNetModel": hf_vision("ResNetModel", "ResNetConfig", embedding_size=8, layer_type="basic", **_STAGES),
    "ConvNextModel": hf_vision("ConvNextModel", "ConvNextConfig", num_stages=2, **_STAGES),
    "RegNetModel": hf_vision("RegNetModel", "RegNetConfig", embedding_size=8, groups_width=8, **_STAGES),
    "SegformerModel": hf_vision(
        "SegformerModel",
        "SegformerConfig",
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
    ),
}


def keras_models() -> dict[str, Maker]:
    """Models of Keras 3 on torch, built and called once."""

    def of(build: Callable[[Any, Any], tuple[Any, Sequence[int]]]) -> Maker:
        def make() -> tuple[nn.Module, Any]:
            import keras

            model, shape = build(keras, keras.layers)
            x = torch.randn(2, *shape)
            model(x)
            return model, x

        return make

    def dense(keras: Any, k: Any) -> Any:
        layers = [
            k.Input((16,)),
            k.Dense(32, activation="relu"),
            k.Dense(32, activation="tanh"),
            k.Dense(4, activation="softmax"),
        ]
        return keras.Sequential(layers), (16,)

    def convolutional(keras: Any, k: Any) -> Any:
        layers = [
            k.Input((16, 16, 3)),
            k.Conv2D(8, 3, activation="relu"),
            k.BatchNormalization(),
            k.Conv2D(8, 3),
            k.ReLU(),
        ]
        layers += [k.MaxPooling2D(), k.Flatten(), k.Dense(16, activation="gelu"), k.Dropout(0.2), k.Dense(4)]
        return keras.Sequential(layers), (16, 16, 3)

    def functional(keras: Any, k: Any) -> Any:
        x = start = k.Input((16, 16, 8))
        x = k.Activation("relu")(k.BatchNormalization()(k.Conv2D(8, 3, padding="same")(x)))
        x = k.LeakyReLU()(k.add([start, k.Conv2D(8, 3, padding="same", activation="silu")(x)]))
        return keras.Model(start, k.Dense(3)(k.GlobalAveragePooling2D()(x))), (16, 16, 8)

    def attention(keras: Any, k: Any) -> Any:
        x = start = k.Input((10, 16))
        x = k.LayerNormalization()(x + k.MultiHeadAttention(2, 8)(x, x))
        x = k.LayerNormalization()(x + k.Dense(16)(k.Dense(32, activation="gelu")(x)))
        return keras.Model(start, x), (10, 16)

    def recurrent(keras: Any, k: Any) -> Any:
        layers = [k.Input((7, 5)), k.LSTM(8, return_sequences=True), k.GRU(8), k.Dense(8, activation="elu"), k.Dense(2)]
        return keras.Sequential(layers), (7, 5)

    def mobile(keras: Any, k: Any) -> Any:
        return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=4), (32, 32, 3)

    def efficient(keras: Any, k: Any) -> Any:
        return keras.applications.EfficientNetB0(weights=None, input_shape=(32, 32, 3), classes=4), (32, 32, 3)

    def resnet(keras: Any, k: Any) -> Any:
        return keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=4), (32, 32, 3)

    builders = [dense, convolutional, functional, attention, recurrent, mobile, efficient, resnet]
    return {build.__name__: of(build) for build in builders}


def torch_models() -> dict[str, Maker]:
    """Networks of torch.nn's own blocks."""
    layer = nn.TransformerEncoderLayer

    def encoder() -> tuple[nn.Module, Any]:
        return nn.TransformerEncoder(layer(16, 2, 32, batch_first=True), 2), torch.randn(2, 5, 16)

    def encoder_gelu() -> tuple[nn.Module, Any]:
        return nn.TransformerEncoder(layer(16, 2, 32, activation="gelu", norm_first=True), 2), torch.randn(5, 2, 16)

    def whole() -> tuple[nn.Module, Any]:
        return nn.Transformer(16, 2, 2, 2, 32, batch_first=True), (torch.randn(2, 5, 16), torch.randn(2, 4, 16))

    def attention() -> tuple[nn.Module, Any]:
        x = torch.randn(2, 5, 16)
        return Chosen(nn.MultiheadAttention(16, 2, batch_first=True), nn.Linear(16, 4)), (x, x, x)

    def lstm() -> tuple[nn.Module, Any]:
        return Chosen(nn.LSTM(5, 8, 2, batch_first=True), nn.ReLU(), nn.Linear(8, 2)), torch.randn(2, 7, 5)

    def gru() -> tuple[nn.Module, Any]:
        return Chosen(nn.GRU(5, 8, bidirectional=True), nn.Tanh(), nn.Linear(16, 2)), torch.randn(7, 2, 5)

    def rnn() -> tuple[nn.Module, Any]:
        return Chosen(nn.RNN(5, 8, nonlinearity="relu"), nn.ELU(), nn.Linear(8, 2)), torch.randn(7, 2, 5)

    makers = [encoder, encoder_gelu, whole, attention, lstm, gru, rnn]
    return {make.__name__: make for make in makers}


class Chosen(nn.Sequential):
    """The first result of the first layer, through the others."""

    def forward(self, *inputs: Any) -> Any:
        first, *others = self
        x = first(*inputs)[0]
        for layer in others:
            x = layer(x)
        return x


def whet_models() -> dict[str, Maker]:
    """Our own families, as large as they are by default."""
    import every_family

    return {name: functools.partial(every_family.network, name, small=False) for name in every_family.names()}


def architectures() -> dict[str, Maker]:
    """All of them: "library/name" -> maker."""
    from surgery_nets import NETS

    found: dict[str, Maker] = {f"by hand/{name}": make for name, make in NETS.items()}
    found |= {f"whet/{name}": make for name, make in whet_models().items()}
    found |= {f"torch.nn/{name}": make for name, make in torch_models().items()}
    found |= {f"transformers/{name}": language_maker(name, *settings) for name, settings in LANGUAGE.items()}
    found |= {f"transformers/{name}": make for name, make in _MORE.items()}
    found |= {f"keras/{name}": make for name, make in keras_models().items()}
    return found | {f"timm/{name}": timm_maker(name, side) for name, side in TIMM.items()}
