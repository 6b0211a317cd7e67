--- Normalizers of tokenizer files: by type, fn(op, config) -> fn(text) -> text.

local fail = require "pt.fail"
local pieces = require "pt.data.tokenizer.pieces"
local unicode = require "pt.data.tokenizer.unicode"

local normalizers = {}

local function same(fn) return function() return fn end end
normalizers.NFC, normalizers.NFD = same(unicode.nfc), same(unicode.nfd)
normalizers.NFKC, normalizers.NFKD = same(unicode.nfkc), same(unicode.nfkd)
normalizers.Lowercase = same(unicode.lower)
normalizers.ByteLevel = same(require("pt.data.tokenizer.bytes").encode)

-- Each character through fn(code, char) -> text.
local function mapped(text, fn)
  return (text:gsub(utf8.charpattern, function(c) return fn(utf8.codepoint(c), c) end))
end

local function without_marks(text)
  if not text:find "[\x80-\xff]" then return text end
  return mapped(text, function(code) return unicode.category(code) == "Mn" and "" or nil end)
end
normalizers.StripAccents = same(without_marks)

local function strip_left(text)
  local at = 1
  while at <= #text and unicode.is_space(utf8.codepoint(text, at)) do at = utf8.offset(text, 2, at) end
  return text:sub(at)
end
local function strip_right(text)
  local at = #text
  while at > 0 do
    local first = utf8.offset(text, -1, at + 1)
    if not unicode.is_space(utf8.codepoint(text, first)) then break end
    at = first - 1
  end
  return text:sub(1, at)
end
function normalizers.Strip(_, config)
  return function(text)
    if config.strip_left then text = strip_left(text) end
    return config.strip_right and strip_right(text) or text
  end
end

function normalizers.Prepend(_, config)
  return function(text) return text ~= "" and config.prepend .. text or text end
end

--- fn(text) that puts `content` in the place of each match.
function normalizers.Replace(op, config)
  local find, content = pieces.finder(op, config.pattern), config.content
  if type(content) ~= "string" then fail("%s: Replace without a content", op) end
  return function(text)
    local out, at = {}, 1
    for first, last in find(text) do
      out[#out + 1] = text:sub(at, first - 1) .. content
      at = last + 1
    end
    return at == 1 and text or table.concat(out) .. text:sub(at)
  end
end

function normalizers.Sequence(op, config)
  local list = {}
  for i, part in ipairs(config.normalizers or {}) do list[i] = normalizers.make(op, part) end
  return function(text)
    for _, normalize in ipairs(list) do text = normalize(text) end
    return text
  end
end

-- ---- BERT ----

local function is_chinese(c)
  return c >= 0x4e00 and c <= 0x9fff or c >= 0x3400 and c <= 0x4dbf or c >= 0x20000 and c <= 0x2a6df
    or c >= 0x2a700 and c <= 0x2b73f or c >= 0x2b740 and c <= 0x2b81f or c >= 0x2b920 and c <= 0x2ceaf
    or c >= 0xf900 and c <= 0xfaff or c >= 0x2f800 and c <= 0x2fa1f
end

-- Control characters and U+FFFD go; all that is space is a space.
local function clean(code, char)
  if code == 9 or code == 10 or code == 13 then return " " end
  if code == 0 or code == 0xfffd or unicode.category(code):byte() == 67 then return "" end -- C
  return unicode.is_space(code) and " " or char
end

function normalizers.BertNormalizer(_, config)
  local strip = config.strip_accents
  if strip == nil then strip = config.lowercase end
  return function(text)
    if config.clean_text ~= false then
      if text:find "[\x80-\xff]" then text = mapped(text, clean)
      else text = text:gsub("%c", function(c) return clean(c:byte(), c) end) end
    end
    if config.handle_chinese_chars ~= false and text:find "[\x80-\xff]" then
      text = mapped(text, function(code, char) return is_chinese(code) and " " .. char .. " " or char end)
    end
    if strip then text = without_marks(unicode.nfd(text)) end
    return config.lowercase and unicode.lower(text) or text
  end
end

-- ---- SentencePiece's table of replacements ----

-- The trie (darts-clone's double array) as fn(text) -> text that replaces its shortest prefix, or nil.
local function trie(op, data)
  if #data < 4 then fail("%s: the table of Precompiled is cut off", op) end
  local size = ("<I4"):unpack(data)
  local units, texts = size // 4, 4 + size
  if size % 4 ~= 0 or texts > #data then fail("%s: the table of Precompiled is cut off", op) end
  local function unit(i)
    if i >= units then fail("%s: the table of Precompiled leads beyond its end", op) end
    return (("<I4"):unpack(data, 5 + 4 * i))
  end
  local function child(node, value) return node ~ ((value >> 10) << ((value & 0x200) >> 6)) end
  return function(text)
    local value = unit(0)
    local node = child(0, value)
    for i = 1, #text do
      node = node ~ text:byte(i)
      value = unit(node)
      if value & 0x800000ff ~= text:byte(i) then return nil end
      node = child(node, value)
      if value >> 8 & 1 == 1 then
        local at = texts + 1 + (unit(node) & 0x7fffffff)
        return data:match("^[^\0]*", at)
      end
    end
  end
end

local function from_base64(op, text)
  local value_of = {}
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for i = 1, 64 do value_of[alphabet:sub(i, i)] = i - 1 end
  text = text:gsub("%s", "")
  if #text % 4 ~= 0 or text:find "[^%w+/=]" then fail("%s: the table of Precompiled is no base64", op) end
  return (text:gsub("(.)(.)(.)(.)", function(a, b, c, d)
    local n = (value_of[a] or 0) << 18 | (value_of[b] or 0) << 12 | (value_of[c] or 0) << 6 | (value_of[d] or 0)
    return (">I3"):pack(n):sub(1, d ~= "=" and 3 or c ~= "=" and 2 or 1)
  end))
end

-- A character with the marks behind it; nothing is a mark of what controls or ends a line.
local alone = { Cc = true, Cf = true, Zl = true, Zp = true }
local function clusters(text)
  local at = 1
  return function()
    if at > #text then return nil end
    local from = at
    at = utf8.offset(text, 2, at)
    if text:sub(from, at) == "\r\n" then at = at + 1 end
    local base = utf8.codepoint(text, from)
    while at <= #text and (base == 0x200d or not alone[unicode.category(base)]) do
      local code = utf8.codepoint(text, at)
      if code ~= 0x200d and unicode.category(code):byte() ~= 77 then break end -- M
      at = utf8.offset(text, 2, at)
    end
    return text:sub(from, at - 1)
  end
end

function normalizers.Precompiled(op, config)
  local map = config.precompiled_charsmap
  if type(map) ~= "string" or map == "" then return function(text) return text end end
  local find = trie(op, from_base64(op, map))
  local known = {}
  local function replace(chunk)
    if known[chunk] == nil then known[chunk] = find(chunk) or false end
    return known[chunk]
  end
  return function(text)
    local out = {}
    for cluster in clusters(text) do
      local whole = #cluster < 6 and replace(cluster)
      out[#out + 1] = whole or cluster:gsub(utf8.charpattern, function(c) return replace(c) or c end)
    end
    return table.concat(out)
  end
end

function normalizers.Nmt()
  return function(text)
    return mapped(text, function(code, char)
      if code >= 1 and code <= 8 or code == 11 or code >= 14 and code <= 31 or code == 127 or code == 0x8f
        or code == 0x9f then return "" end
      if code == 9 or code == 10 or code == 12 or code == 13 or code == 0x1680 or code >= 0x200b and code <= 0x200f
        or code == 0x2028 or code == 0x2029 or code == 0x2581 or code == 0xfeff or code == 0xfffd then return " " end
      return char
    end)
  end
end

--- The normalizer that a config describes; text as it is for none.
function normalizers.make(op, config)
  if not config then return function(text) return text end end
  local make = type(config) == "table" and config.type ~= "make" and normalizers[config.type]
  if not make then
    fail("%s: the normalizer '%s' is not known", op, tostring(type(config) == "table" and config.type))
  end
  return make(op, config)
end

return normalizers
