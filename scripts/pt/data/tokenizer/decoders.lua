--- Decoders of tokenizer files: by type, fn(op, config) -> fn(tokens) -> tokens, which are then put together.

local fail = require "pt.fail"
local bytes = require "pt.data.tokenizer.bytes"
local normalizers = require "pt.data.tokenizer.normalizers"

local decoders = {}

local function each(fn)
  return function(tokens)
    local out = {}
    for i, token in ipairs(tokens) do out[i] = fn(token, i, #tokens) end
    return out
  end
end

function decoders.ByteLevel()
  return function(tokens)
    local out = {}
    for i, token in ipairs(tokens) do out[i] = bytes.decode(token) or token end
    return { bytes.lossy(table.concat(out)) }
  end
end

-- Spaces that a tokenizer puts around marks.
local cleanups = {
  { " %.", "." }, { " %?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
  { " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
}
local function cleaned(text)
  for _, cleanup in ipairs(cleanups) do text = text:gsub(cleanup[1], cleanup[2]) end
  return text
end

function decoders.WordPiece(_, config)
  local prefix = config.prefix or "##"
  return each(function(token, i)
    if i > 1 then
      if token:sub(1, #prefix) == prefix then token = token:sub(#prefix + 1) else token = " " .. token end
    end
    return config.cleanup and cleaned(token) or token
  end)
end

function decoders.Metaspace(_, config)
  local mark = config.replacement or "\u{2581}"
  local scheme = require("pt.data.tokenizer.pretokenizers").scheme(config)
  return each(function(token, i) return (token:gsub(mark, i == 1 and scheme ~= "never" and "" or " ")) end)
end

function decoders.BPEDecoder(_, config)
  local suffix = config.suffix or "</w>"
  return each(function(token, i, n)
    local out, at = {}, 1
    while true do
      local first, last = token:find(suffix, at, true)
      if not first then return table.concat(out) .. token:sub(at) end
      out[#out + 1] = token:sub(at, first - 1) .. (i == n and "" or " ")
      at = last + 1
    end
  end)
end

function decoders.Replace(op, config)
  local replace = normalizers.Replace(op, config)
  return each(function(token) return replace(token) end)
end

function decoders.Fuse() return function(tokens) return { table.concat(tokens) } end end

function decoders.Strip(_, config)
  local content, start, stop = config.content or " ", config.start or 0, config.stop or 0
  return each(function(token)
    for _ = 1, start do
      if token:sub(1, #content) ~= content then break end
      token = token:sub(#content + 1)
    end
    for _ = 1, stop do
      if token:sub(-#content) ~= content then break end
      token = token:sub(1, -#content - 1)
    end
    return token
  end)
end

function decoders.ByteFallback()
  return function(tokens)
    local out, waiting = {}, {}
    local function flush()
      local text = table.concat(waiting)
      if #waiting > 0 then out[#out + 1] = utf8.len(text) and text or ("\u{fffd}"):rep(#waiting) end
      waiting = {}
    end
    for _, token in ipairs(tokens) do
      local byte = token:match "^<0x(%x%x)>$"
      if byte then
        waiting[#waiting + 1] = string.char(tonumber(byte, 16))
      else
        flush()
        out[#out + 1] = token
      end
    end
    flush()
    return out
  end
end

function decoders.CTC(_, config)
  local pad, delimiter = config.pad_token or "<pad>", config.word_delimiter_token or "|"
  return function(tokens)
    local out, last = {}, nil
    for _, token in ipairs(tokens) do
      if token ~= last then
        local text = token == pad and "" or token
        if config.cleanup ~= false then text = cleaned(text):gsub(delimiter:gsub("%p", "%%%0"), " ") end
        if text ~= "" then out[#out + 1] = text end
      end
      last = token
    end
    return out
  end
end

function decoders.Sequence(op, config)
  local parts = {}
  for i, part in ipairs(config.decoders or {}) do parts[i] = decoders.make(op, part) end
  return function(tokens)
    for _, part in ipairs(parts) do tokens = part(tokens) end
    return tokens
  end
end

--- The decoder that a config describes; tokens with spaces between them for none.
function decoders.make(op, config)
  if not config then return function(tokens) return { table.concat(tokens, " ") } end end
  local make = type(config) == "table" and config.type ~= "make" and decoders[config.type]
  if not make then fail("%s: the decoder '%s' is not known", op, tostring(type(config) == "table" and config.type)) end
  return make(op, config)
end

return decoders
