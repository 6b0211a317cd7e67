-- Tokenizer files: the ids that PyPI's tokenizers gives, plus 1, and the text back; files that ask for what is not
-- there.

local pt = require "pt"
local data = pt.data
local recorded = require "spec.support.tokenizer_files"
local unpack_data = require "spec.support.unpack"

local path
local function write(text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end
local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(tostring(message), text))
end

setup(function() path = os.tmpname() end)
teardown(function() os.remove(path) end)

local names = {}
for name in pairs(recorded) do names[#names + 1] = name end
table.sort(names)

-- A recorded tokenizer and its cases.
local function load(name)
  local all = data.parse_json(unpack_data(recorded[name]), { null = "null" })
  return data.tokenizers.load(write(data.to_json(all.file, { null = "null" }))), all.cases
end

describe("a tokenizer file", function()
  for _, name in ipairs(names) do
    it("gives the ids of the reference plus 1: " .. name, function()
      local tokenizer, cases = load(name)
      for _, case in ipairs(cases) do
        local text, ids, back = table.unpack(case)
        local found = tokenizer:encode(text)
        assert.same(ids, (found - 1):tolist(), name .. ": " .. text)
        assert.equal(back, tokenizer:decode(found), name .. ": " .. text)
      end
    end)
  end

  it("tells tokens and ids from each other", function()
    local tokenizer = load "bert"
    assert.equal("[CLS]", tokenizer:token(3))
    assert.equal(3, tokenizer:id "[CLS]")
    assert.is_nil(tokenizer:id "no such token")
    assert.equal("[CLS]", tokenizer:tokens("a b")[1])
    assert.equal(2, #tokenizer:tokens("a b", { add_special_tokens = false }))
    assert.is_true(#tokenizer > 300)
    assert.matches("%[CLS%] a b %[SEP%]", tokenizer:decode(tokenizer:encode "a b", { skip_special_tokens = false }))
  end)

  it("takes pairs, and several texts", function()
    local tokenizer = load "bert"
    local ids, kinds = tokenizer:encode("a b", { pair = "a" })
    assert.equal(6, ids:numel())
    assert.same({ 0, 0, 0, 0, 1, 1 }, kinds:tolist())
    local all, mask = tokenizer:encode_batch { "a b a", "a" }
    assert.same({ { 2, 5 }, { 2, 5 } }, { all:size(), mask:size() })
    assert.same({ { true, true, true, true, true }, { true, true, true, false, false } }, mask:tolist())
    assert.is_true(tokenizer:encode(("a "):rep(50)):numel() == 12) -- as the file says
    assert.is_true(tokenizer:encode(("a "):rep(50), { truncation = false }):numel() == 52)
  end)

  it("may be GPT-2's vocabulary and merges", function()
    local whole = data.parse_json(unpack_data(recorded.gpt2)).file
    local lines = { "#version: 0.2" }
    for i, pair in ipairs(whole.model.merges) do lines[i + 1] = table.concat(pair, " ") end
    local merges = os.tmpname()
    data.write_json(whole.model.vocab, path)
    data.write_file(merges, data.bytes(table.concat(lines, "\n")))
    local tokenizer = data.tokenizers.from_gpt2(path, merges)
    os.remove(merges)
    local text = "I'll read  Grüße 123!<|endoftext|>\n"
    assert.equal("I'll read  Grüße 123!\n", tokenizer:decode(tokenizer:encode(text)))
    assert.equal(text, tokenizer:decode(tokenizer:encode(text), { skip_special_tokens = false }))
  end)

  it("is as fast with a long word", function()
    local tokenizer = load "llama2" -- a text is one word
    local text = ("the tensor of tensors "):rep(2000)
    assert.equal(text, tokenizer:decode(tokenizer:encode(text)))
  end)

  local base = { model = { type = "WordLevel", vocab = { a = 0 }, unk_token = "a" } }
  local function with(key, value)
    local config = {}
    for name, part in pairs(base) do config[name] = part end
    config[key] = value
    return config
  end
  local function split(pattern) return { type = "Split", pattern = { Regex = pattern }, behavior = "Isolated" } end
  for message, config in pairs {
    ["the normalizer 'Magic' is not known"] = with("normalizer", { type = "Magic" }),
    ["the pre-tokenizer 'UnicodeScripts' is not known"] = with("pre_tokenizer", { type = "UnicodeScripts" }),
    ["the pre-tokenizer 'make' is not known"] = with("pre_tokenizer", { type = "make" }),
    ["the decoder 'Magic' is not known"] = with("decoder", { type = "Magic" }),
    ["the post-processor 'Magic' is not known"] = with("post_processor", { type = "Magic" }),
    ["the model 'Magic' is not known"] = with("model", { type = "Magic" }),
    ["the token 'a' has no id"] = with("model", { type = "WordLevel", vocab = { a = "b" } }),
    ["merge 1 joins what is not in the vocabulary"] = with("model",
      { type = "BPE", vocab = { a = 0 }, merges = { "a a" } }),
    ["piece 1 has no score"] = with("model", { type = "Unigram", vocab = { { "a" } } }),
    ["the behavior 'Magic' is not known"] = with("pre_tokenizer",
      { type = "Split", pattern = { String = " " }, behavior = "Magic" }),
    ["a group does not end"] = with("pre_tokenizer", split "(a"),
    ["a class does not end"] = with("pre_tokenizer", split "[a"),
    ["\\p{Magic} is not known"] = with("pre_tokenizer", split "\\p{Magic}"),
    ["nothing to repeat before '*'"] = with("pre_tokenizer", split "*a"),
    ["groups are nested deeper than 50"] = with("pre_tokenizer", split(("("):rep(60) .. (")"):rep(60))),
    ["the table of Precompiled is cut off"] = with("normalizer",
      { type = "Precompiled", precompiled_charsmap = "////////" }),
    ["added token 1 has no text or id"] = with("added_tokens", { { content = "x" } }),
  } do
    it("is refused: " .. message, function()
      raises(message, data.tokenizers.load, write(data.to_json(config)))
    end)
  end

  it("with a pattern that takes for ever is given up", function()
    local tokenizer = data.tokenizers.load(write(data.to_json(with("pre_tokenizer", split "(a+)+$"))))
    raises("takes too many steps", tokenizer.encode, tokenizer, ("a"):rep(40) .. "b")
  end)

  it("refuses what is no text and no id", function()
    local tokenizer = load "gpt2"
    raises("byte 2 of the text is no UTF-8", tokenizer.encode, tokenizer, "a\xff")
    raises("ids go from 1 to", tokenizer.decode, tokenizer, { 0 })
    raises("ids go from 1 to", tokenizer.decode, tokenizer, { #tokenizer + 1 })
    raises("expected a list of ids", tokenizer.decode, tokenizer, "x")
  end)
end)

describe("a detokenizer", function()
  local bytes = data.ByteTokenizer()
  -- Bytes as published tokenizers give them: those of no whole character are U+FFFD.
  local lossy = { decode = function(_, ids)
    local text = bytes:decode(ids)
    local ok, bad = utf8.len(text)
    while not ok do
      text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
      ok, bad = utf8.len(text, bad)
    end
    return text
  end }

  for _, case in ipairs {
    { "plain text", {}, "plain text" }, { "", { "x" }, "" }, { "aé€\u{1F600}z", {}, "aé€\u{1F600}z" },
    { "one stop two", { "stop" }, "one " }, { "sto st stop", { "stop", "zzz" }, "sto st " },
    { "ends in sto", { "stop" }, "ends in sto" }, { "aab", { "ab", "aab" }, "" }, { "a€b", { "€" }, "a" },
    { "x\n\nuser: y", { "\nuser:" }, "x\n" },
  } do
    local text, stops, want = table.unpack(case)
    for name, tokenizer in pairs { bytes = bytes, lossy = lossy } do
      it(("gives %q, stops %s, %s"):format(text, table.concat(stops, " "), name), function()
        local stream, out, ended = data.Detokenizer(tokenizer, stops), {}, false
        for _, id in ipairs(bytes:encode(text):tolist()) do
          local piece, stopped = stream:add(id)
          assert.is_truthy(utf8.len(piece)) -- never a part of a character
          assert.is_falsy(piece:find("\u{FFFD}", 1, true))
          out[#out + 1] = piece
          ended = ended or stopped
        end
        out[#out + 1] = stream:flush()
        assert.equal(want, table.concat(out))
        assert.equal(want ~= text, ended)
        assert.equal("", stream:flush())
      end)
    end
  end

  it("gives up on bytes that are no text, and looks at few ids", function()
    local most = 0
    local counted = { decode = function(_, ids)
      most = math.max(most, #ids)
      return lossy:decode(ids)
    end }
    local stream, out = data.Detokenizer(counted), {}
    for _ = 1, 100 do out[#out + 1] = stream:add(256) end
    out[#out + 1] = stream:flush()
    assert.equal(("\u{FFFD}"):rep(100), table.concat(out))
    assert(most <= 16, most)
  end)

  it("refuses an empty stop string", function()
    assert.error_matches(function() data.Detokenizer(bytes, { "" }) end, "stops: 1 must be a string that is not empty")
  end)
end)
