"""Tokenizer files beside PyPI's tokenizers: the same ids, and the same text back.

usage: python3 spec/peers/tokenizer_files.py build/ptlua                     compares, on tokenizers trained here
       python3 spec/peers/tokenizer_files.py --record FILE                   writes small ones and their ids, for spec/tokenizers_spec.lua

Needs tokenizers; sentencepiece where it is installed, for its table of replacements.
"""
import base64
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import textwrap
import zlib
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import AddedToken, Regex, Tokenizer

HERE = Path(__file__).resolve().parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)"
        r"|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

TEXTS = [
    "", " ", "Hello, world!", "  two  spaces ", "I'll say it's what we've DONE, they'd said", "a\n\n b\t\tc\r\n", "x=1+22-333*4444",
    "Grüße aus Köln, naïve café", "日本語のテキスト。中文字符", "Привет мир", "emoji 😀👩‍👩‍👧 end", "ﬁne ﬂow ½ ² Ⅷ ＡＢＣ", "e\u0301 o\u0308 n\u0303",
    "[CLS] is not [SEP] <s> </s>", "don't <|endoftext|>stop <|endoftext|> ", "ABC'S abc's It'S", "\u200bzero\u00a0width\u2028line",
    "한국어 텍스트", "العربية नमस्ते ไทย", "a" * 60, "supercalifragilistic " * 8, "\x01\x7f control", "tab\tand  \n  lines\n",
    "İstanbul ẞ ΟΔΟΣ", "1234567890 12.5e-3 0x1F", "snake_case CamelCase HTTPServer", "..., ?! -- (ok) [x] {y}", "\ufffd\ufeff",
]


def corpus():
    text = (HERE.parent.parent / "README.md").read_text() + (HERE.parent.parent / "docs" / "tensors.md").read_text()
    return [text] + TEXTS * 3


def trained(model, trainer, normalizer=None, pre=None, decoder=None, post=None, tune=None):
    t = Tokenizer(model)
    if normalizer:
        t.normalizer = normalizer
    if pre:
        t.pre_tokenizer = pre
    if decoder:
        t.decoder = decoder
    t.train_from_iterator(corpus(), trainer)
    if post:
        t.post_processor = post(t)
    if tune:
        data = json.loads(t.to_str())
        tune(data)
        t = Tokenizer.from_str(json.dumps(data))
    return t


def bpe(size, specials, alphabet=True):
    return trainers.BpeTrainer(vocab_size=size, special_tokens=specials, show_progress=False,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [])


def wrap(*specials):
    def make(t):
        ids = [(s, t.token_to_id(s)) for s in specials]
        first, last = specials[0], specials[-1]
        return processors.TemplateProcessing(single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1",
                                             special_tokens=list(dict(ids).items()))
    return make


def split_first(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama2(n):
    """Without a pre-tokenizer, bytes for what is unknown, as the files of Llama 2 are."""
    def tune(data):
        vocab, merges = data["model"]["vocab"], data["model"]["merges"]
        for b in range(256):
            vocab.setdefault(f"<0x{b:02X}>", len(vocab))
        data["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>", merges=merges)
        data["normalizer"] = {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
        data["pre_tokenizer"] = None
        data["decoder"] = {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return trained(models.BPE(), bpe(n, ["<unk>", "<s>", "</s>"], alphabet=False), pre=pre_tokenizers.Metaspace(),
                   post=lambda t: processors.TemplateProcessing(
                       single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", t.token_to_id("<s>"))]), tune=tune)


def charsmap():
    """SentencePiece's table nmt_nfkc, which T5's files hold."""
    import io
    import sentencepiece
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=out, vocab_size=300,
                                             hard_vocab_limit=False, minloglevel=5)
    from sentencepiece import sentencepiece_model_pb2 as pb
    model = pb.ModelProto.FromString(out.getvalue())
    return base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def make_all(n, precompiled=True):
    level = pre_tokenizers.ByteLevel
    out = {
        "gpt2": trained(models.BPE(), bpe(n, ["<|endoftext|>"]), pre=level(add_prefix_space=False), decoder=decoders.ByteLevel(),
                        post=lambda t: processors.ByteLevel(trim_offsets=False)),
        "roberta": trained(models.BPE(), bpe(n, ["<s>", "</s>", "<mask>"]), pre=level(add_prefix_space=True),
                           decoder=decoders.ByteLevel(),
                           post=lambda t: processors.RobertaProcessing(("</s>", 1), ("<s>", 0))),
        "llama3": trained(models.BPE(ignore_merges=True), bpe(n, ["<|begin|>", "<|end|>"]), pre=split_first(LLAMA3),
                          decoder=decoders.ByteLevel(), post=wrap("<|begin|>", "<|end|>")),
        "qwen": trained(models.BPE(), bpe(n, ["<|endoftext|>"]), normalizer=normalizers.NFC(), pre=split_first(QWEN),
                        decoder=decoders.ByteLevel()),
        "o200k": trained(models.BPE(), bpe(n, ["<|endoftext|>"]), pre=split_first(O200K), decoder=decoders.ByteLevel()),
        "llama2": llama2(n),
        "bert": trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
            vocab_size=n, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False),
            normalizer=normalizers.BertNormalizer(lowercase=True), pre=pre_tokenizers.BertPreTokenizer(),
            decoder=decoders.WordPiece(), post=wrap("[CLS]", "[SEP]")),
        "cased": trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
            vocab_size=n, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False),
            normalizer=normalizers.BertNormalizer(lowercase=False), pre=pre_tokenizers.BertPreTokenizer(),
            decoder=decoders.WordPiece(), post=lambda t: processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))),
        "unigram": trained(models.Unigram(), trainers.UnigramTrainer(
            vocab_size=n, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False),
            normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "),
                                             normalizers.Strip()]),
            pre=pre_tokenizers.Metaspace(prepend_scheme="first"), decoder=decoders.Metaspace(prepend_scheme="first"),
            post=lambda t: processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                         special_tokens=[("</s>", 1)])),
        "words": trained(models.WordLevel(unk_token="?"), trainers.WordLevelTrainer(
            vocab_size=n, special_tokens=["?"], show_progress=False),
            normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
            pre=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True),
                                         pre_tokenizers.Punctuation()])),
        "suffix": trained(models.BPE(end_of_word_suffix="</w>", unk_token="<unk>", fuse_unk=True),
                          trainers.BpeTrainer(vocab_size=n, special_tokens=["<unk>"], end_of_word_suffix="</w>",
                                              show_progress=False),
                          normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase()]),
                          pre=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(
                              "-", "merged_with_previous"), pre_tokenizers.Split(Regex("[0-9]+"), "merged_with_next")]),
                          decoder=decoders.BPEDecoder("</w>")),
    }
    if precompiled and importlib.util.find_spec("sentencepiece"):
        table = charsmap()
        t5 = json.loads(out["unigram"].to_str())
        t5["normalizer"] = {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": table},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}
        t5["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
        t5["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
        out["t5"] = Tokenizer.from_str(json.dumps(t5))
    for name in ("gpt2", "bert", "unigram"):
        out[name].add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
        out[name].add_tokens([AddedToken("Köln", single_word=True), AddedToken("wörld", rstrip=True, normalized=True)])
    out["bert"].enable_truncation(12)
    return out


def texts(n):
    random.seed(0)
    chars = "abcdeAB 01.,'-\n\t\u00a0äé\u0301ß中日한русأ😀ﬁ①Ⅷ\u200d</s>"
    words = " ".join(corpus()).split(" ")
    out = list(TEXTS) + ["<mask> a  <mask>b", "Köln Kölner wörld  next wörlds"]
    for i in range(n):
        out.append("".join(random.choice(chars) for _ in range(random.randrange(40))))
        out.append(" ".join(random.choice(words) for _ in range(random.randrange(12))))
    return out


SCRIPT = """
local pt = require "pt"
local data = pt.data
local texts, out = data.read_json "texts.json", {}
for name, path in pairs(data.read_json "names.json") do
  local t = data.tokenizers.load(path)
  out[name] = { count = #t, ids = {}, plain = {}, back = {}, pair = {}, kinds = {} }
  local o = out[name]
  for i, text in ipairs(texts) do
    o.ids[i] = t:encode(text) - 1
    o.plain[i] = t:encode(text, { add_special_tokens = false }) - 1
    o.back[i] = t:decode(t:encode(text))
    local pair, kinds = t:encode(text, texts[#texts + 1 - i])
    o.pair[i], o.kinds[i] = pair - 1, kinds
  end
end
data.write_json(out, "out.json")
"""


def compare(ptlua):
    problems, count = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made, samples = make_all(1200), texts(150)
        for key, t in made.items():
            t.save(str(folder / f"{key}.json"))
        (folder / "texts.json").write_text(json.dumps(samples))
        (folder / "names.json").write_text(json.dumps({key: f"{key}.json" for key in made}))
        done = subprocess.run([ptlua, "-e", SCRIPT], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found = json.loads((folder / "out.json").read_text())
        for key, t in made.items():
            t.no_padding()
            for i, text in enumerate(samples):
                ids = t.encode(text).ids
                pair = t.encode(text, samples[-1 - i])
                want = {"ids": ids, "plain": t.encode(text, add_special_tokens=False).ids, "back": t.decode(ids),
                        "pair": pair.ids, "kinds": pair.type_ids}
                count += 1
                for what, value in want.items():
                    if found[key][what][i] != value:
                        problems += 1
                        if problems < 10:
                            print(f"differs: {key} {what} {text!r}\n  {found[key][what][i]!r}\n  {value!r}")
            if found[key]["count"] != max(t.get_vocab().values()) + 1:
                problems += 1
                print(f"differs: {key}: {found[key]['count']} ids")
    print(f"tokenizers {tokenizers.__version__}: {len(made)} files, {count} texts; {problems} differ")
    sys.exit(1 if problems else 0)


def record(path):
    lines = ["-- Small tokenizers that PyPI's tokenizers trained, and what they make of texts: JSON with file, cases of text,",
             "-- ids and the text back. Made by `python3 spec/peers/tokenizer_files.py --record`.", "return {"]
    for key, t in make_all(330, precompiled=False).items():
        cases = [[text, t.encode(text).ids, t.decode(t.encode(text).ids)] for text in TEXTS]
        data = json.dumps({"file": json.loads(t.to_str()), "cases": cases}, ensure_ascii=False, separators=(",", ":")).encode()
        text = base64.b64encode(zlib.compress(data, 9)[2:-4]).decode()
        lines += [f"  {key} = {{", f"    bytes = {len(data)},", "    deflated = [["] + textwrap.wrap(text, 118) + ["]],", "  },"]
    Path(path).write_text("\n".join(lines + ["}", ""]))


if sys.argv[1] == "--record":
    record(sys.argv[2])
else:
    compare(str(Path(sys.argv[1]).resolve()))
