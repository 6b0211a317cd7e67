-- Texts about data: datasets, samplers, loaders, transforms, tokenizers, files: see reference.lua.
return [==[
= data.Dataset()
The base of datasets: numbered samples. A kind of one's own, `data.class("Mine")`, has get(i), which
returns what sample i consists of, i from 1, and len().
> local Squares = data.class "Squares"
> function Squares:len() return 10 end
> function Squares:get(i) return pt.tensor(i * i) end
> Squares():get(3)
tensor(9)

= Dataset:get(i)
Sample i, from 1: one or more values. A kind of dataset defines it.
> data.TensorDataset(pt.tensor { 5, 6 }):get(2)
tensor(6)

= Dataset:len()
How many samples there are; `#dataset` asks it. A kind of dataset defines it.
> data.TensorDataset(pt.tensor { 5, 6 }):len()
2

= data.class(name, [base])
A new kind of dataset, or (with base data.IterableDataset, data.Sampler) of what the base is.
from: class Mine(torch.utils.data.Dataset)
> local One = data.class "One"
> function One:len() return 1 end
> #One()
1

= data.IterableDataset()
Samples that come one after the other: a kind of it has iter(), which returns an iterator, and may
have len().
> local Count = data.class("Count", data.IterableDataset)
> function Count:iter() local i = 0 return function() i = i + 1 return i <= 2 and pt.tensor(i) or nil end end
> for x in data.DataLoader(Count(), { batch_size = 2 }) do print(x) end
tensor([1, 2])

= IterableDataset:iter()
An iterator over samples. A kind of dataset defines it.
> local Count = data.class("Count", data.IterableDataset)
> function Count:iter() local i = 0 return function() i = i + 1 return i <= 2 and i or nil end end
> for i in Count():iter() do print(i) end
1
2

= data.TensorDataset(...)
Rows of tensors of equal length: sample i is x[i], y[i], ...
> #data.TensorDataset(pt.ones(4, 2), pt.ones(4))
4

= TensorDataset:get_batch(ids)
The samples of those ids, stacked.
> data.TensorDataset(pt.tensor { 5, 6, 7 }):get_batch(pt.tensor { 1, 3 })
tensor([5, 7])

= data.Subset(dataset, indices)
The samples of a dataset with those ids, in that order.
> data.Subset(data.TensorDataset(pt.tensor { 5, 6, 7 }), { 3, 1 }):get(1)
tensor(7)

= Subset:fetch(ids)
The samples of those ids, a tensor: what a loader asks for.
> type(data.Subset(data.TensorDataset(pt.tensor { 5, 6, 7 }), { 3, 1 }):fetch(pt.tensor { 1 }))
userdata

= data.ConcatDataset(datasets)
Datasets one behind the other.
> #data.ConcatDataset { data.TensorDataset(pt.ones(2)), data.TensorDataset(pt.ones(3)) }
5

= data.MapDataset(dataset, fn)
fn(sample...) in the place of each sample of a dataset: where transforms go.
from: -
> data.MapDataset(data.TensorDataset(pt.tensor { 5, 6 }), function(x) return x * 10 end):get(2)
tensor(60)

= data.random_split(dataset, lengths, {seed, generator})
Parts of a dataset in a random order, as a list; lengths are counts, or shares that add up to 1. A seed
fixes the order, a generator draws it.
> #data.random_split(data.TensorDataset(pt.ones(10)), { 0.8, 0.2 })[1]
8

= data.DataLoader
Batches of a dataset, for a `for` loop: stacked by collate_fn, shuffled anew each epoch where
shuffle is set, made ahead by num_workers threads. `seed` makes the order one that can be repeated; without
it the order is drawn by `generator`, or the thread's. `#loader` is how many batches.
> local set = data.TensorDataset(pt.range(1, 4), pt.ones(4))
> for x, y in data.DataLoader(set, { batch_size = 2 }) do print(x) end
tensor([1, 2])
tensor([3, 4])

= DataLoader:iter()
The iterator of the next epoch; `for x in loader do` does the same.
> for x in data.DataLoader(data.TensorDataset(pt.range(1, 2))):iter() do print(x) end
tensor([1])
tensor([2])

= DataLoader:set_epoch(epoch)
The next loop is that epoch, from 0, which decides the order.
> local loader = data.DataLoader(data.TensorDataset(pt.range(1, 4)), { shuffle = true, seed = 1 })
> loader:set_epoch(3)

= DataLoader:state_dict()
Where the loader stands in its data, for a run that goes on later.
> type(data.DataLoader(data.TensorDataset(pt.ones(4))):state_dict())
table

= DataLoader:load_state_dict(state)
Goes on where state_dict was taken.
> local loader = data.DataLoader(data.TensorDataset(pt.ones(4)))
> loader:load_state_dict(loader:state_dict())

= DataLoader:close()
Ends its workers.
> data.DataLoader(data.TensorDataset(pt.ones(4))):close()

= data.default_collate(samples)
What a loader does with a list of samples: tensors and numbers are stacked, lists and tables gone
through.
> data.default_collate { pt.tensor { 1, 2 }, pt.tensor { 3, 4 } }
tensor([[1, 2],
        [3, 4]])

= data.Sampler()
The base of samplers: in which order a loader reads. A kind of it has iter(epoch), an iterator over
ids from 1, and len().
> local Odd = data.class("Odd", data.Sampler)
> function Odd:len() return 2 end
> function Odd:iter() local i = -1 return function() i = i + 2 return i <= 3 and i or nil end end
> for id in Odd():iter() do print(id) end
1
3

= Sampler:iter(epoch)
An iterator over ids from 1. A kind of sampler defines it.
> for id in data.SequentialSampler(data.TensorDataset(pt.ones(2))):iter() do print(id) end
1
2

= Sampler:len()
How many ids there are. A kind of sampler defines it.
> data.SequentialSampler(data.TensorDataset(pt.ones(2))):len()
2

= data.SequentialSampler(dataset)
1, 2, 3, ...
> #data.SequentialSampler(data.TensorDataset(pt.ones(2)))
2

= data.RandomSampler
Every id once in a random order; with replacement, num_samples of any. Takes a seed or a generator.
> #data.RandomSampler(data.TensorDataset(pt.ones(5)))
5

= data.WeightedRandomSampler
num_samples ids, each as often as its weight says. Takes a seed or a generator.
> for id in data.WeightedRandomSampler({ 0, 1 }, 2):iter() do print(id) end
2
2

= data.BatchSampler
The ids of another sampler in lists of batch_size.
> #data.BatchSampler(data.SequentialSampler(data.TensorDataset(pt.ones(5))), 2)
3

= data.DistributedSampler
The share of one rank of a job: every num_replicas-th id of an order that is the same on all ranks.
> #data.DistributedSampler(data.TensorDataset(pt.ones(5)), { num_replicas = 2, rank = 0 })
3

= DistributedSampler:set_epoch(epoch)
From now on the order is that of this epoch.
> data.DistributedSampler(data.TensorDataset(pt.ones(5)), { num_replicas = 2, rank = 0 }):set_epoch(1)

= data.ImageFolder
Images sorted into one folder for each class: sample i is the image (3, h, w) of bytes, through
transform, and its class id from 1. Classes are numbered in the order of their names.
from: torchvision.datasets.ImageFolder
> local ok, why = pcall(data.ImageFolder, "/nowhere")
> ok
false

= data.read_image(path, mode = "UNCHANGED")
A PNG or JPEG file as uint8 (channels, h, w). mode: UNCHANGED, GRAY, GRAY_ALPHA, RGB or RGB_ALPHA. A
damaged file is refused, and the error names the byte.
from: torchvision.io.read_image
> local path = os.tmpname()
> if pcall(data.write_png, pt.zeros(3, 2, 2, { dtype = pt.uint8 }), path) then assert(data.read_image(path):size(1) == 3) end

= data.decode_image(bytes, mode = "UNCHANGED")
The same of a PNG or JPEG in memory, a vector of uint8.
from: torchvision.io.decode_image
> local ok, png = pcall(data.encode_png, pt.zeros(1, 2, 2, { dtype = pt.uint8 }))
> if ok then assert(data.decode_image(png):sum():item() == 0) end

= data.encode_png(image, compression_level = 6)
An image uint8 (1 to 4 channels, h, w) as a PNG in memory.
from: torchvision.io.encode_png
> local ok, png = pcall(data.encode_png, pt.zeros(1, 2, 2, { dtype = pt.uint8 }))
> if ok then assert(png:dim() == 1) end

= data.encode_jpeg(image, quality = 75)
An image uint8 (1 or 3 channels, h, w) as a JPEG in memory.
from: torchvision.io.encode_jpeg
> local ok, jpeg = pcall(data.encode_jpeg, pt.zeros(1, 2, 2, { dtype = pt.uint8 }))
> if ok then assert(jpeg:dim() == 1) end

= data.write_png(image, path, compression_level = 6)
encode_png into a file.
from: torchvision.io.write_png
> local path = os.tmpname()
> if pcall(data.write_png, pt.zeros(3, 2, 2, { dtype = pt.uint8 }), path) then assert(data.read_image(path):size(2) == 2) end

= data.write_jpeg(image, path, quality = 75)
encode_jpeg into a file.
from: torchvision.io.write_jpeg
> local path = os.tmpname()
> if pcall(data.write_jpeg, pt.zeros(3, 2, 2, { dtype = pt.uint8 }), path) then assert(data.read_image(path):size(2) == 2) end

= data.read_file(path, {max_bytes})
The bytes of a file as a vector of uint8, unpacked where it is gzipped.
from: torchvision.io.read_file
> local path = os.tmpname()
> data.write_file(path, data.bytes "abc")
> data.read_file(path)
tensor([97, 98, 99], dtype=pt.uint8)

= data.write_file(path, bytes)
A vector of uint8 as a file, which is there in full or as it was before.
from: torchvision.io.write_file
> local path = os.tmpname()
> data.write_file(path, data.bytes "abc")
> data.read_text(path)
abc

= data.read_text(path, {max_bytes})
A text file, gzipped or not, as a string.
from: -
> local path = os.tmpname()
> data.write_file(path, data.bytes "abc")
> data.read_text(path)
abc

= data.read_lines(path, {max_bytes})
The lines of a text file as a list.
from: -
> local path = os.tmpname()
> data.write_file(path, data.bytes "a\nb\n")
> #data.read_lines(path)
2

= data.read_csv(path, {header, sep = ",", dtype, text = false})
A table of numbers as a tensor (rows, columns), and the names of the columns where there is a
header. text: rows of strings. An empty field is NaN. Lines that begin with # are left out.
from: pandas.read_csv
> local path = os.tmpname()
> data.write_file(path, data.bytes "a,b\n1,2\n3,4\n")
> data.read_csv(path, { header = true })
tensor([[1., 2.],
        [3., 4.]])  { "a", "b" }

= data.tokenizers.load(path, {max_bytes})
The tokenizer of a tokenizer.json: byte pairs, word pieces, unigrams, words, with the normalizers,
pre-tokenizers, post-processors and decoders of the files of GPT-2, Llama, Qwen, BERT, T5 and others.
An id is the file's plus 1.
from: tokenizers.Tokenizer.from_file
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> data.tokenizers.load(path):encode("b a c")
tensor([2, 1, 3])

= data.tokenizers.from_gpt2(vocab, merges, {max_bytes})
GPT-2's tokenizer from its vocab.json and merges.txt. An id is the file's plus 1.
from: transformers.GPT2Tokenizer
> local vocab, merges = os.tmpname(), os.tmpname()
> data.write_json({ a = 0, b = 1, ab = 2 }, vocab)
> data.write_file(merges, data.bytes "#version: 0.2\na b\n")
> data.tokenizers.from_gpt2(vocab, merges):encode("aba")
tensor([3, 1])

= data.tokenizers.Tokenizer
A tokenizer that data.tokenizers.load has read: #tokenizer is how many rows an embedding needs.
from: tokenizers.Tokenizer
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> #data.tokenizers.load(path)
3

= Tokenizer:encode(text, {pair, add_special_tokens = true, truncation = true})
Ids of a text, int64 (n), from 1. Of a pair of texts, second, which of them each is of, 0 or 1.
truncation: as the file says.
from: tokenizers.Tokenizer.encode
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> tokenizer:encode("a", { pair = "b b" })
tensor([1, 2, 2])  tensor([0, 1, 1])

= Tokenizer:encode_batch(texts, {add_special_tokens = true, truncation = true, pad})
Ids of several texts, int64 (N, longest), and which of them are no padding, bool (N, longest). pad: the
id of padding, by default as the file says, or 1.
from: tokenizers.Tokenizer.encode_batch
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> tokenizer:encode_batch { "b a", "b" }
tensor([[2, 1],
        [2, 1]])  tensor([[ True,  True],
        [ True, False]])

= Tokenizer:decode(ids, {skip_special_tokens = true})
The text of ids, a tensor or a list.
from: tokenizers.Tokenizer.decode
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> tokenizer:decode { 2, 1 }
b a

= Tokenizer:tokens(text, {add_special_tokens = true})
The tokens of a text as the file writes them, a list.
from: transformers.PreTrainedTokenizer.tokenize
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> table.unpack(tokenizer:tokens "b c")
b  ?

= Tokenizer:id(token)
The id of a token, from 1, or nil.
from: tokenizers.Tokenizer.token_to_id
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> tokenizer:id "b"
2

= Tokenizer:token(id)
The token of an id, from 1, or nil.
from: tokenizers.Tokenizer.id_to_token
> local path = os.tmpname()
> local model = { type = "WordLevel", vocab = { a = 0, b = 1, ["?"] = 2 }, unk_token = "?" }
> data.write_json({ model = model, pre_tokenizer = { type = "Whitespace" } }, path)
> local tokenizer = data.tokenizers.load(path)
> tokenizer:token(2)
b

= data.read_json(path, {null = false, max_bytes})
A JSON file as a value: objects are tables, arrays lists; null is what the option says.
from: json.load
> local path = os.tmpname()
> data.write_file(path, data.bytes '{"layers": [1, 2.5, null]}')
> table.unpack(data.read_json(path).layers)
1  2.5  false

= data.read_jsonl(path, {null = false, max_bytes})
A file with a JSON value in each line, as a list.
from: -
> local path = os.tmpname()
> data.write_jsonl({ { x = 1 }, { x = 2 } }, path)
> data.read_jsonl(path)[2].x
2

= data.parse_json(text, {null = false})
A JSON text as a value.
from: json.loads
> data.parse_json('{"a": "b"}').a
b

= data.write_json(value, path, {indent, null})
Writes a value as JSON. An empty table is an empty array, a tensor a nested array.
from: json.dump
> local path = os.tmpname()
> data.write_json({ a = { 1, 2 } }, path)
> data.read_lines(path)[1]
{"a":[1,2]}

= data.write_jsonl(list, path, {null})
Writes each value of a list as a line of JSON.
from: -
> local path = os.tmpname()
> data.write_jsonl({ 1, "b" }, path)
> data.read_lines(path)[2]
"b"

= data.to_json(value, {indent, null})
A value as a JSON text.
from: json.dumps
> data.to_json { a = true, b = { 1, 2.5 } }
{"a":true,"b":[1,2.5]}

= data.read_wav(path, {map = false})
The sound of a WAV file, (channels, frames) of float32 from -1 to 1, and its sample rate.
from: torchaudio.load
> local path = os.tmpname()
> data.write_wav(pt.tensor { 0.5, -0.25 }, path, { sample_rate = 8000 })
> data.read_wav(path)
tensor([[ 0.5000, -0.2500]])  8000

= data.write_wav(x, path, {sample_rate, bits = 16, float = false})
Writes sound, (channels, frames) or (frames) from -1 to 1, as PCM of 8, 16, 24 or 32 bits, or as floats
of 32 or 64.
from: torchaudio.save
> local path = os.tmpname()
> data.write_wav(pt.zeros(2, 100), path, { sample_rate = 8000, bits = 24 })
> data.read_wav(path).shape
[2, 100]

= data.read_table(path, {header = true, sep, types, max_bytes})
A table of any columns by their titles (numbers, without a header): tensors, and lists of strings;
second, the titles. types = { price = "float64" }; others are found: int64, float32, bool, else string.
A name that ends in .tsv is separated by tabs.
from: pandas.read_csv
> local path = os.tmpname()
> data.write_file(path, data.bytes "name,price\nice,2.5\ntea,\n")
> local columns = data.read_table(path)
> columns.price, columns.name[2]
tensor([2.5000,    nan])  tea

= data.read_events(path)
What a TensorBoard event file holds, a list of { step, wall_time, tag, value }: numbers, texts,
histograms, images.
from: tensorboard.backend.event_processing.event_file_loader
> local path = os.tmpname()
> local log = pt.history(path .. ".tfevents")
> log { loss = 0.5 }
> data.read_events(path .. ".tfevents")[1].value
0.5

= data.read_idx(path)
An IDX file (MNIST's format) as a tensor of the file's shape and dtype.
from: -
> local path = os.tmpname()
> data.write_file(path, data.bytes "\0\0\8\1\0\0\0\2\5\6")
> data.read_idx(path)
tensor([5, 6], dtype=pt.uint8)

= data.read_labels(path)
An IDX file of labels as class ids, which count from 1: the file's label 0 is class 1.
from: -
> local path = os.tmpname()
> data.write_file(path, data.bytes "\0\0\8\1\0\0\0\2\0\6")
> data.read_labels(path)
tensor([1, 7])

= data.read_cifar(path, {labels = 1, max_bytes})
CIFAR-10's binary files (CIFAR-100's with labels = 2): images uint8 (n, 3, 32, 32) and class ids
from 1.
from: -
> local path = os.tmpname()
> data.write_file(path, data.bytes("\2" .. ("\0"):rep(3072)))
> local images, classes = data.read_cifar(path)
> images.shape, classes
[1, 3, 32, 32]  tensor([3])

= data.bytes(text)
Bytes of a string as a vector of uint8.
from: -
> data.bytes "abc"
tensor([97, 98, 99], dtype=pt.uint8)

= data.ByteTokenizer()
Text as ids: byte b is id b + 1, 256 in all.
from: -
> data.ByteTokenizer():encode "ab"
tensor([98, 99])

= ByteTokenizer:encode(text)
A text as ids int64 (n), from 1.
> data.ByteTokenizer():encode "ab"
tensor([98, 99])

= ByteTokenizer:decode(ids)
The text of ids, a tensor or a list.
> data.ByteTokenizer():decode { 98, 99 }
ab

= data.Detokenizer
Text of ids that come one by one: `add` gives what an id makes certain, never a part of a character, and nothing that may
still become one of the stop strings, with which the text ends.
from: transformers.TextIteratorStreamer
> local text, pieces = data.Detokenizer(data.ByteTokenizer(), { "stop" }), {}
> for i, id in ipairs(data.ByteTokenizer():encode("as stop"):tolist()) do pieces[i] = (text:add(id)) end
> pieces
{ "a", "", "s ", "", "", "", "" }

= Detokenizer:add
The text that is certain with one more id, often "", and whether a stop string has come.
> data.Detokenizer(data.ByteTokenizer()):add(98)
a  false

= Detokenizer:flush
What was held back, once no more ids will come.
> local text = data.Detokenizer(data.ByteTokenizer(), { "stop" })
> text:add(116)
> text:flush()
s

= data.CharTokenizer(text)
The characters (UTF-8) of a text, in the order of their codes, as ids from 1.
from: -
> #data.CharTokenizer "hello"
4

= CharTokenizer:encode(text)
A text as ids int64 (n). Raises an error for a character that it does not know.
> data.CharTokenizer("hello"):encode "hello"
tensor([2, 1, 3, 3, 4])

= CharTokenizer:decode(ids)
The text of ids, a tensor or a list.
> data.CharTokenizer("hello"):decode { 2, 1 }
he

= data.BPETokenizer(merges)
Byte-pair encoding: bytes, and pieces made by joining the most frequent neighbours.
BPETokenizer.train makes one from a text.
from: Sennrich et al. 2016
> #data.BPETokenizer.train("low lower lowest low low", 258)
258

= BPETokenizer:train(text, vocab_size)
Called on the class: a tokenizer with as many pieces as vocab_size says, trained on a text.
> #data.BPETokenizer.train("low lower lowest low low", 258)
258

= BPETokenizer:encode(text)
A text as ids int64 (n), from 1.
> data.BPETokenizer.train("low lower lowest low low", 258):encode("low"):size(1)
1

= BPETokenizer:decode(ids)
The text of ids, a tensor or a list.
> local t = data.BPETokenizer.train("low lower lowest low low", 258)
> t:decode(t:encode "lowest")
lowest

= BPETokenizer:save(path)
Writes the merges.
> local path = os.tmpname()
> data.BPETokenizer.train("low lower lowest low low", 258):save(path)
> #data.BPETokenizer.load(path)
258

= BPETokenizer:load(path)
Called on the class: reads what save wrote.
> local path = os.tmpname()
> data.BPETokenizer.train("low lower lowest low low", 258):save(path)
> #data.BPETokenizer.load(path)
258

= BPETokenizer:from_gpt2(path)
Called on the class: GPT-2's tokenizer from its file merges.txt; ids are GPT-2's plus 1.
> pcall(data.BPETokenizer.from_gpt2, "/nowhere/merges.txt") == false
true

= data.transforms.Compose(transforms)
The transforms of a list, one after the other. Values behind the image pass through.
> local T = data.transforms
> T.Compose({ T.ToTensor(), T.Normalize(0.5, 0.5) })(pt.full({ 1, 2, 2 }, 255, { dtype = pt.uint8 })):flatten()
tensor([1., 1., 1., 1.])

= data.transforms.ToTensor
Bytes as floats from 0 to 1; an image of two dims gets one for its colour.
> data.transforms.ToTensor()(pt.full({ 2, 2 }, 255, { dtype = pt.uint8 })).shape
[1, 2, 2]

= data.transforms.Normalize
(x - mean) / std, a number for all or one for each colour.
> data.transforms.Normalize(0.5, 0.5)(pt.ones(1, 1, 2)):flatten()
tensor([1., 1.])

= data.transforms.Grayscale
The mean of the colours, weighted as the eye does: (3, h, w) -> (1, h, w).
> data.transforms.Grayscale()(pt.ones(3, 2, 2)).shape
[1, 2, 2]

= data.transforms.ColorJitter
Brightness, contrast and saturation times random numbers from 1 - a to 1 + a.
> data.transforms.ColorJitter { brightness = 0.2 }(pt.ones(3, 2, 2)).shape
[3, 2, 2]

= data.transforms.GaussianNoise
x plus normal noise of deviation std.
from: torchvision.transforms.v2.GaussianNoise
> data.transforms.GaussianNoise(0)(pt.ones(1, 1, 2)):flatten()
tensor([1., 1.])

= data.transforms.CenterCrop
The window of that size in the middle.
> data.transforms.CenterCrop(2)(pt.ones(1, 4, 4)).shape
[1, 2, 2]

= data.transforms.RandomCrop
A window at a random place, after `padding` more pixels on each side.
> data.transforms.RandomCrop(2)(pt.ones(1, 4, 4)).shape
[1, 2, 2]

= data.transforms.RandomResizedCrop
A window of a random share of the image, and of a random form, at that size.
> data.transforms.RandomResizedCrop(2)(pt.ones(1, 4, 4)).shape
[1, 2, 2]

= data.transforms.Resize
The image at that size; one number is the shorter side.
> data.transforms.Resize(2)(pt.ones(1, 4, 8)).shape
[1, 2, 2]

= data.transforms.Pad
More pixels of a value on each side.
> data.transforms.Pad(1)(pt.ones(1, 2, 2)).shape
[1, 4, 4]

= data.transforms.RandomHorizontalFlip
Left and right exchanged with probability p.
> data.transforms.RandomHorizontalFlip(1)(pt.tensor { { { 1, 2 } } })
tensor([[[2, 1]]])

= data.transforms.RandomVerticalFlip
Top and bottom exchanged with probability p.
> data.transforms.RandomVerticalFlip(1)(pt.tensor { { { 1 }, { 2 } } })
tensor([[[2],
         [1]]])

= data.transforms.RandomRotation
Turned by a random angle of up to so many degrees.
> data.transforms.RandomRotation(10)(pt.ones(1, 4, 4)).shape
[1, 4, 4]

= data.transforms.RandomAffine
Turned, moved, scaled and sheared at random.
> data.transforms.RandomAffine { degrees = 10 }(pt.ones(1, 4, 4)).shape
[1, 4, 4]

= data.transforms.RandomErasing
A random rectangle filled with a value, with probability p.
> data.transforms.RandomErasing(0)(pt.ones(1, 4, 4)).shape
[1, 4, 4]

= data.StackDataset(dataset, ...)
Datasets of the same length side by side: a value of each, or, where they are given by name, a table of them.
> data.StackDataset({ 10, 20 }, { "a", "b" }):get(2)
20  b

= data.ChainDataset(datasets)
IterableDatasets one after the other.
> local Three = data.class("Three", data.IterableDataset)
> function Three:iter() local i = 0; return function() i = i + 1; return i <= 3 and i or nil end end
> for x in data.DataLoader(data.ChainDataset { Three(), Three() }, 4) do print(x) end
tensor([1, 2, 3, 1])
tensor([2, 3])

= ChainDataset:len()
The sum of the lengths of the streams, where all have one.
> #data.ChainDataset {}
0

= data.SubsetRandomSampler(indices, {seed})
Some ids, each once, in a random order.
> #data.SubsetRandomSampler { 2, 4, 6 }
3

= data.default_convert(value)
A sample as it is, in tables of its own.
> data.default_convert({ 1, "a" })
{ 1, "a" }

= data.get_worker_info()
In a worker of a loader: {id, num_workers, seed, dataset}, id from 1; nil elsewhere.
> data.get_worker_info()
nil
]==]
