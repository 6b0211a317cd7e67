-- Texts about pt.models: see reference.lua.
return [==[
= models.ResNet
Residual networks with torchvision's names: blocks in each of four stages, of two or (bottleneck) three convolutions.
from: torchvision.models.ResNet; He, Zhang, Ren and Sun 2016
> pt.models.ResNet({ 1, 1, 1, 1 }, { num_classes = 4 }):eval()(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.resnet18
ResNet of 18 layers. In training mode as it is made; model:eval() before it classifies.
from: torchvision.models.resnet18
> #pt.models.resnet18():state_dict()
122

= models.resnet34
ResNet of 34 layers.
from: torchvision.models.resnet34
> pt.models.resnet34({ num_classes = 4 }).fc
Linear(in_features=512, out_features=4, bias=true)

= models.resnet50
ResNet of 50 layers, in blocks of three convolutions.
from: torchvision.models.resnet50
> pt.models.resnet50({ num_classes = 4 }).fc
Linear(in_features=2048, out_features=4, bias=true)

= models.resnet101
ResNet of 101 layers, in blocks of three convolutions.
from: torchvision.models.resnet101
> #pt.models.resnet101({ num_classes = 4 }).layer3
23

= models.resnet152
ResNet of 152 layers, in blocks of three convolutions.
from: torchvision.models.resnet152
> #pt.models.resnet152({ num_classes = 4 }).layer3
36

= models.resnext50_32x4d
ResNet of 50 layers whose 3 x 3 convolutions have 32 groups.
from: torchvision.models.resnext50_32x4d; Xie and others 2017
> pt.models.resnext50_32x4d({ num_classes = 4 }).layer1[1].conv2.groups
32

= models.wide_resnet50_2
ResNet of 50 layers whose 3 x 3 convolutions are twice as wide.
from: torchvision.models.wide_resnet50_2; Zagoruyko and Komodakis 2016
> pt.models.wide_resnet50_2({ num_classes = 4 }).layer1[1].conv2.out_channels
128

= models.VGG
VGG with torchvision's names: `counts` 3 x 3 convolutions of 64, 128, 256, 512 and 512 channels. hidden is the width
of the classifier, whose layers hold most of the weights.
from: torchvision.models.VGG; Simonyan and Zisserman 2015
> pt.models.VGG({ 1, 1, 1, 1, 1 }, { num_classes = 4, hidden = 8 })(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.vgg11
VGG of 11 layers.
from: torchvision.models.vgg11
> #pt.models.vgg11({ hidden = 8 }):state_dict()
22

= models.vgg11_bn
VGG of 11 layers with batch norms.
from: torchvision.models.vgg11_bn
> #pt.models.vgg11_bn({ hidden = 8 }):state_dict()
62

= models.vgg13
VGG of 13 layers.
from: torchvision.models.vgg13
> #pt.models.vgg13({ hidden = 8 }):state_dict()
26

= models.vgg13_bn
VGG of 13 layers with batch norms.
from: torchvision.models.vgg13_bn
> #pt.models.vgg13_bn({ hidden = 8 }):state_dict()
76

= models.vgg16
VGG of 16 layers.
from: torchvision.models.vgg16
> #pt.models.vgg16({ hidden = 8 }):state_dict()
32

= models.vgg16_bn
VGG of 16 layers with batch norms.
from: torchvision.models.vgg16_bn
> #pt.models.vgg16_bn({ hidden = 8 }):state_dict()
97

= models.vgg19
VGG of 19 layers.
from: torchvision.models.vgg19
> #pt.models.vgg19({ hidden = 8 }):state_dict()
38

= models.vgg19_bn
VGG of 19 layers with batch norms.
from: torchvision.models.vgg19_bn
> #pt.models.vgg19_bn({ hidden = 8 }):state_dict()
118

= models.MobileNetV2
MobileNetV2 with torchvision's names; width_mult scales all channels.
from: torchvision.models.MobileNetV2; Sandler and others 2018
> pt.models.MobileNetV2({ num_classes = 4, width_mult = 0.25 }):eval()(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.mobilenet_v2
MobileNetV2 as it was published.
from: torchvision.models.mobilenet_v2
> #pt.models.mobilenet_v2().features
19

= models.MobileNetV3
MobileNetV3, "large" or "small", with torchvision's names.
from: torchvision.models.MobileNetV3; Howard and others 2019
> pt.models.MobileNetV3("small", { num_classes = 4 }):eval()(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.mobilenet_v3_large
The larger MobileNetV3.
from: torchvision.models.mobilenet_v3_large
> #pt.models.mobilenet_v3_large().features
17

= models.mobilenet_v3_small
The smaller MobileNetV3.
from: torchvision.models.mobilenet_v3_small
> #pt.models.mobilenet_v3_small().features
13

= models.EfficientNet
EfficientNet-B0 with torchvision's names; in training, blocks are left out with probabilities up to stochastic_depth.
from: torchvision.models.EfficientNet; Tan and Le 2019
> pt.models.EfficientNet({ num_classes = 4 }):eval()(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.efficientnet_b0
EfficientNet-B0 as it was published.
from: torchvision.models.efficientnet_b0
> #pt.models.efficientnet_b0().features
9

= models.VisionTransformer
The vision transformer with torchvision's names: patches of an image are the steps.
from: torchvision.models.VisionTransformer; Dosovitskiy and others 2021
> pt.models.VisionTransformer(32, 16, 1, 2, 8, 16, { num_classes = 4 })(pt.zeros(1, 3, 32, 32)).shape
[1, 4]

= models.vit_b_16
ViT-Base with patches of 16 by 16 pixels.
from: torchvision.models.vit_b_16
> pcall(pt.models.vit_b_16, { image_size = 30 })
false  VisionTransformer: patches of 16 do not divide images of 30 (example:1)

= models.vit_b_32
ViT-Base with patches of 32 by 32 pixels.
from: torchvision.models.vit_b_32
> pcall(pt.models.vit_b_32, { image_size = 30 })
false  VisionTransformer: patches of 32 do not divide images of 30 (example:1)

= models.vit_l_16
ViT-Large with patches of 16 by 16 pixels.
from: torchvision.models.vit_l_16
> pcall(pt.models.vit_l_16, { image_size = 30 })
false  VisionTransformer: patches of 16 do not divide images of 30 (example:1)

= models.vit_l_32
ViT-Large with patches of 32 by 32 pixels.
from: torchvision.models.vit_l_32
> pcall(pt.models.vit_l_32, { image_size = 30 })
false  VisionTransformer: patches of 32 do not divide images of 30 (example:1)

= models.GPT2LMHeadModel
GPT-2 with the names of transformers. config has the fields of config.json; those that are missing are GPT-2 small's.
model(ids, { cache, mask, last }) gives logits of ids (batch, steps) from 1: with a KVCache only new steps are given;
mask is true where there is text; last wants only the last step's logits.
from: transformers.GPT2LMHeadModel; Radford and others 2019
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> model(pt.tensor { { 3, 1, 20 } }).shape
[1, 3, 20]

= models.LlamaForCausalLM
Llama 2 and 3 with the names of transformers, config and call as GPT2LMHeadModel's: rotary positions (also Llama 3.1's
stretched ones), grouped heads of keys, RMS norms, gated units.
from: transformers.LlamaForCausalLM; Touvron and others 2023
> local model = pt.models.LlamaForCausalLM {
>   vocab_size = 20, hidden_size = 8, intermediate_size = 16, num_hidden_layers = 1, num_attention_heads = 4,
>   num_key_value_heads = 2,
> }
> model(pt.tensor { { 3, 1, 20 } }, { last = true }).shape
[1, 1, 20]

= models.MistralForCausalLM
Mistral, which is built as Llama; all steps see all before them, without a sliding window.
from: transformers.MistralForCausalLM
> pt.models.MistralForCausalLM({ vocab_size = 20, hidden_size = 64, num_hidden_layers = 1 }).config.num_key_value_heads
8

= models.Qwen2ForCausalLM
Qwen2 and 2.5: as Llama, with biases for queries, keys and values.
from: transformers.Qwen2ForCausalLM
> pt.models.Qwen2ForCausalLM({ vocab_size = 20, hidden_size = 64, num_hidden_layers = 1 }).model.layers[1].self_attn.q_proj
Linear(in_features=64, out_features=64, bias=true)

= models.Qwen3ForCausalLM
Qwen3: as Llama, with norms of queries and keys.
from: transformers.Qwen3ForCausalLM
> pt.models.Qwen3ForCausalLM({ vocab_size = 20, hidden_size = 64, num_hidden_layers = 1 }).model.layers[1].self_attn.q_norm
RMSNorm(normalized_shape={128}, eps=1e-06, elementwise_affine=true)

= models.BertModel
BERT with the names of transformers. model(ids, mask, types) gives states (batch, steps, width) and what the pooler makes
of the first; mask is true where there is text; types, from 1, tell a first text from a second.
from: transformers.BertModel; Devlin and others 2019
> local model = pt.models.BertModel {
>   vocab_size = 20, hidden_size = 8, num_hidden_layers = 1, num_attention_heads = 2, intermediate_size = 16,
> }
> local states, pooled = model(pt.tensor { { 3, 1, 20 } })
> states.shape, pooled.shape
[1, 3, 8]  [1, 8]

= models.BertForMaskedLM
BERT with logits over the vocabulary for each step.
from: transformers.BertForMaskedLM
> local model = pt.models.BertForMaskedLM { vocab_size = 20, hidden_size = 24, num_hidden_layers = 1 }
> model(pt.tensor { { 3, 1, 20 } }).shape
[1, 3, 20]

= models.BertForSequenceClassification
BERT with num_labels logits for each text.
from: transformers.BertForSequenceClassification
> local model = pt.models.BertForSequenceClassification {
>   vocab_size = 20, hidden_size = 24, num_hidden_layers = 1, num_labels = 3,
> }
> model(pt.tensor { { 3, 1, 20 } }).shape
[1, 3]

= models.T5ForConditionalGeneration
T5 with the names of transformers: model(ids, decoder_ids, mask) gives the logits of decoder_ids, whose first is
decoder_start_token_id + 1.
from: transformers.T5ForConditionalGeneration; Raffel and others 2020
> local model = pt.models.T5ForConditionalGeneration { vocab_size = 20, d_model = 8, d_kv = 4, d_ff = 16, num_layers = 1, num_heads = 2 }
> model(pt.tensor { { 3, 1, 20 } }, pt.tensor { { 1, 5 } }).shape
[1, 2, 20]

= T5ForConditionalGeneration:encode(ids, mask)
The encoder's states of ids, once for all steps of the decoder.
> local model = pt.models.T5ForConditionalGeneration { vocab_size = 20, d_model = 8, d_kv = 4, d_ff = 16, num_layers = 1, num_heads = 2 }
> model:encode(pt.tensor { { 3, 1, 20 } }).shape
[1, 3, 8]

= T5ForConditionalGeneration:decode(ids, memory, mask, cache)
Logits of the decoder's ids, which look at what encode gave. With a KVCache only new steps are given.
> local model = pt.models.T5ForConditionalGeneration { vocab_size = 20, d_model = 8, d_kv = 4, d_ff = 16, num_layers = 1, num_heads = 2 }
> model:decode(pt.tensor { { 1 } }, model:encode(pt.tensor { { 3, 1, 20 } })).shape
[1, 1, 20]

= models.WhisperEncoder
Whisper's encoder with the names of transformers: states of a log-mel spectrogram (batch, bins, frames), half as many as
frames.
from: transformers.models.whisper.modeling_whisper.WhisperEncoder; Radford and others 2022
> local model = pt.models.WhisperEncoder { num_mel_bins = 8, d_model = 12, encoder_layers = 1, max_source_positions = 10 }
> model(pt.zeros(1, 8, 20)).shape
[1, 10, 12]

= models.KVCache()
The keys and values of the steps that a language model has seen. `cache.length` counts them.
from: transformers.DynamicCache
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local cache = pt.models.KVCache()
> model(pt.tensor { { 3, 1, 20 } }, { cache = cache })
> model(pt.tensor { { 7 } }, { cache = cache }).shape, cache.length
[1, 1, 20]  4

= KVCache:select
Keeps only these rows of the batch, in this order.
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local cache = pt.models.KVCache()
> model(pt.tensor { { 3 }, { 4 } }, { cache = cache })
> cache:select(pt.tensor { 2 })
> model(pt.tensor { { 7 } }, { cache = cache }).shape
[1, 1, 20]

= models.generate
Continues prompts, ids of one text or a list of them, and returns the new ids of each; with T5 it answers them, by a text
of its own. temperature 0 takes the likeliest
token; top_k, top_p and min_p leave out unlikely ones; repetition_penalty above 1 makes those that occurred unlikely. Ids
in `stop` end a text. on_token(id, row) is called for each; false ends that row. presence_penalty and frequency_penalty
are taken from the logits of tokens that the new text has, once and as often as they occur.
from: transformers.GenerationMixin.generate
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local texts = pt.models.generate(model:eval(), { { 3, 1 }, { 4 } }, { max_new_tokens = 5, top_k = 10 })
> #texts, #texts[1]
2  5

= models.ContinuousBatch
Continues texts that begin and end at different times together: a step is one pass through the model over the next id of
each, and over at most `prefill` ids of new prompts. #batch counts the texts.
from: Yu and others 2022, "Orca"
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local batch = pt.models.ContinuousBatch(model:eval())
> local first = batch:add({ 3, 1 }, { max_new_tokens = 5 })
> batch:step()
> local second = batch:add({ 4 }, { max_new_tokens = 2 })
> while #batch > 0 do batch:step() end
> #first.text, #second.text, second.finish
5  2  length

= ContinuousBatch:add
Adds a text that the next step begins with. Options are those of models.generate; on_token gets the id and the sequence.
With `logprobs` the sequence lists the log-probability of each new token and of so many of the likeliest. sequence.text
are the new ids, sequence.finish says why it has ended: "stop", "length" or "removed".
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local batch = pt.models.ContinuousBatch(model:eval())
> local text = batch:add({ 3, 1 }, { max_new_tokens = 5, logprobs = 2 })
> batch:step()
> #text.text, #text.logprobs[1].top
1  2

= ContinuousBatch:remove
Takes a text out of the batch before it has ended.
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local batch = pt.models.ContinuousBatch(model:eval())
> local text = batch:add { 3, 1 }
> batch:remove(text)
> batch:step()
> #batch, text.finish
0  removed

= ContinuousBatch:step
Continues every text by a token, once its prompt has been read; returns the texts that have ended.
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> local batch = pt.models.ContinuousBatch(model:eval())
> batch:add({ 3, 1 }, { max_new_tokens = 1 })
> #batch:step()
1

= models.load_weights
Copies published weights, as pt.load gives them, into a model. Names may lack the prefix of the model's body or have one
more, shared weights may be there once; what is missing is an error, names without a place are returned.
from: -
> local model = pt.models.GPT2LMHeadModel { vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> pt.models.load_weights(model, model.transformer:state_dict())
{}

= models.from_pretrained
The model of a folder as it was downloaded: config.json, and model.safetensors or pytorch_model.bin or the parts that
their index names. dtype and device are where the weights go. In eval mode.
from: transformers.AutoModel.from_pretrained
> (pcall(pt.models.from_pretrained, "no/such/folder"))
false

= models.from_config
The model that a config.json describes, by its `architectures` or its model_type.
from: transformers.AutoModel.from_config
> local config = { model_type = "gpt2", vocab_size = 20, n_embd = 8, n_layer = 1, n_head = 2 }
> getmetatable(pt.models.from_config(config)).__name
GPT2LMHeadModel
]==]
