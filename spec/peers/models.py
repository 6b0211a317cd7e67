"""What the published definitions (torchvision, transformers) compute, for spec/models_spec.lua.
usage: python spec/peers/models.py >spec/support/model_values.lua

Weights and inputs are made by a rule that both sides know, so that no file of weights is needed: entry k of the tensor
whose name is the j-th (sorted, from 1) is cos(0.37 (k mod 4093) + 1.3 j), scaled by what the tensor is (see `fill`).
"""
import math
import sys
import textwrap

import torch
import torchvision
import transformers
from transformers.models.whisper.modeling_whisper import WhisperEncoder

torch.set_grad_enabled(False)


def wave(shape, j):
    n = math.prod(shape)
    k = torch.arange(min(n, 4093), dtype=torch.float64)
    pattern = torch.cos(0.37 * k + 1.3 * j)
    return pattern.repeat(-(-n // 4093) or 1)[:n].reshape(shape)


def tensors(model, alias):
    """The state by name, without what is computed or tied."""
    return {name: x for name, x in model.state_dict().items()
            if not name.endswith("num_batches_tracked") and name not in alias}


def fill(state):
    for j, name in enumerate(sorted(state), 1):
        x = state[name]
        w = wave(x.shape, j)
        if name.endswith("running_var"):
            w = 1 + 0.3 * w
        elif name.endswith("running_mean"):
            w = 0.1 * w
        elif x.dim() <= 1:
            w = 0.05 * w if name.endswith("bias") else 1 + 0.1 * w
        else:
            w = w * math.sqrt(2 / (x.numel() / x.shape[0]))
        x.copy_(w)


def lua(value):
    """Arguments as Lua."""
    if isinstance(value, dict):
        return "{ " + ", ".join("%s = %s" % (k, lua(v)) for k, v in value.items()) + " }"
    if isinstance(value, str):
        return '"%s"' % value
    return str(value).lower() if isinstance(value, bool) else str(value)


def checksum(state):
    """Of names and shapes."""
    h = 0
    for name in sorted(state):
        for byte in ("%s %s;" % (name, list(state[name].shape))).encode():
            h = (h * 31 + byte) % 2147483647
    return h


def row(name, arguments, model, inputs, alias=(), result=lambda y: y):
    model.eval()
    state = tensors(model, alias)
    fill(state)
    y = result(model(*inputs) if isinstance(inputs, tuple) else model(**inputs)).double().reshape(-1)
    weights = torch.cos(0.3 * torch.arange(y.numel(), dtype=torch.float64))
    shown = ", ".join("%.9g" % v for v in y[:6])
    text = ('{ name = "%s", arguments = %s, names = %d, checksum = %d, largest = %.9g, sum = %.9g, first = { %s } },'
            % (name, arguments, len(state), checksum(state), y.abs().max(), (y * weights).sum(), shown))
    print("  " + "\n    ".join(textwrap.wrap(text, 112, break_long_words=False, break_on_hyphens=False)))
    sys.stdout.flush()


print("-- What torchvision %s and transformers %s compute; made by spec/peers/models.py."
      % (torchvision.__version__.split("+")[0], transformers.__version__))
print("return {")

image = (wave((2, 3, 64, 64), 0).float(),)
for name in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "mobilenet_v2",
             "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0"]:
    row(name, "{ num_classes = 10 }", getattr(torchvision.models, name)(num_classes=10), image)
for name in ["vgg11", "vgg16_bn"]:
    model = getattr(torchvision.models, name)(num_classes=10)
    nn = torch.nn
    model.classifier = nn.Sequential(nn.Linear(512 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(),
                                     nn.Dropout(), nn.Linear(32, 10))
    row(name, "{ num_classes = 10, hidden = 32 }", model, image)
row("vit_b_32", "{ num_classes = 10, image_size = 64 }", torchvision.models.vit_b_32(num_classes=10, image_size=64), image)


def language(name, config, arguments, alias=(), model=None, inputs=None, **more):
    config = getattr(transformers, config)(**{**arguments, **more})
    made = (model or getattr(transformers, name))(config)
    row(name, lua(arguments), made, inputs or dict(input_ids=ids), alias, lambda y: y.logits)


ids = (torch.arange(14) * 7 + 3).remainder(97).reshape(2, 7)
mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
small = dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

language("GPT2LMHeadModel", "GPT2Config", dict(vocab_size=97, n_positions=32, n_embd=32, n_layer=2, n_head=4),
         ("lm_head.weight",))
language("LlamaForCausalLM", "LlamaConfig", dict(small, num_key_value_heads=2))
language("LlamaForCausalLM", "LlamaConfig",
         dict(small, num_key_value_heads=1, rope_parameters=llama3, tie_word_embeddings=True, attention_bias=True),
         ("lm_head.weight",))
language("MistralForCausalLM", "MistralConfig", dict(small, num_key_value_heads=2))
language("Qwen2ForCausalLM", "Qwen2Config", dict(small, num_key_value_heads=2))
language("Qwen3ForCausalLM", "Qwen3Config", dict(small, num_key_value_heads=2, head_dim=16))

bert = dict(small, max_position_embeddings=16)
types = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1]])
masked = dict(input_ids=ids, attention_mask=mask, token_type_ids=types)
row("BertModel", lua(bert), transformers.BertModel(transformers.BertConfig(**bert)), masked,
    result=lambda y: torch.cat([y.last_hidden_state[0], y.last_hidden_state[1, :4], y.pooler_output]))
language("BertForSequenceClassification", "BertConfig", dict(bert, num_labels=3), inputs=masked)
language("BertForMaskedLM", "BertConfig", bert, ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"))

t5 = dict(vocab_size=97, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=10)
tied = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
both = dict(input_ids=ids, attention_mask=mask, decoder_input_ids=ids[:, :5])
language("T5ForConditionalGeneration", "T5Config", t5, tied, inputs=both)


def untied(config):
    """T5 1.1's files have another matrix for the logits; transformers 5 ties it until the file is read."""
    model = transformers.T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    return model


language("T5ForConditionalGeneration", "T5Config",
         dict(t5, feed_forward_proj="gated-gelu", tie_word_embeddings=False), tied[:2], untied, inputs=both)

whisper = dict(num_mel_bins=8, d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=48,
               max_source_positions=20)
row("WhisperEncoder", lua(whisper), WhisperEncoder(transformers.WhisperConfig(**whisper)),
    (wave((2, 8, 40), 0).float(),), result=lambda y: y.last_hidden_state)

print("}")
