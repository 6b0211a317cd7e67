--- Text of ids that come one by one, for those who show it as it comes.

local class = require "pt.class"
local fail = require "pt.fail"
local signature = require "pt.signature"

-- Ids without a whole character after which there will be none: their bytes are no UTF-8.
local PATIENCE = 8

-- Whether the end of a text may be the beginning of a character: a tokenizer gives its bytes, or U+FFFD for them.
local function is_cut(text)
  if text:sub(-3) == "\u{FFFD}" then return true end
  for n = 1, math.min(3, #text) do
    local byte = text:byte(-n)
    if byte >= 0xc0 then return (byte >= 0xf0 and 4 or byte >= 0xe0 and 3 or 2) > n end
    if byte < 0x80 then return false end
  end
  return false
end

-- How many bytes at the end of a text may begin one of the stop strings.
local function begun(text, stops)
  local most = 0
  for _, stop in ipairs(stops) do
    for n = math.min(#stop - 1, #text), most + 1, -1 do
      if text:sub(-n) == stop:sub(1, n) then most = n break end
    end
  end
  return most
end

-- The place of the first stop string, or nil.
local function stop_in(text, stops)
  local first
  for _, stop in ipairs(stops) do
    local at = text:find(stop, 1, true)
    if at and (not first or at < first) then first = at end
  end
  return first
end

--- `add` gives the text that an id makes certain: no part of a character, and nothing that may still become a stop
--- string, with which the text ends.
---@class pt.data.Detokenizer
local Detokenizer = class "Detokenizer"

---@param tokenizer table what has decode(ids)
---@param stops? string[] the text ends before the first of them
function Detokenizer:init(tokenizer, stops)
  for i, stop in ipairs(stops or {}) do
    if type(stop) ~= "string" or stop == "" then
      fail("Detokenizer: stops: %d must be a string that is not empty, got %s", i, signature.describe(stop))
    end
  end
  self.tokenizer, self.stops, self.held, self.stopped = tokenizer, stops or {}, "", false
  -- The last ids, of which the first `told` have their text out, `length` bytes: a token's text depends on the one
  -- before, not on all.
  self.ids, self.told, self.length = {}, 0, 0
end

-- What the ids not told add to the text.
local function fresh(self) return self.tokenizer:decode(self.ids):sub(self.length + 1) end

-- Joins what was held back and new text; gives what is certain of it.
local function release(self, text)
  text = self.held .. text
  local stop = stop_in(text, self.stops)
  if stop then
    self.stopped, self.held = true, ""
    return text:sub(1, stop - 1)
  end
  local certain = #text - begun(text, self.stops)
  self.held = text:sub(certain + 1)
  return text:sub(1, certain)
end

--- The text that is certain with one more id, often "", and whether a stop string has come.
---@param id integer
---@return string text
---@return boolean stopped
function Detokenizer:add(id)
  if self.stopped then return "", true end
  local ids = self.ids
  ids[#ids + 1] = id
  local text = fresh(self)
  if is_cut(text) and #ids - self.told < PATIENCE then return "", false end
  self.ids = table.move(ids, self.told + 1, #ids, 1, {})
  self.told = #self.ids
  self.length = #self.tokenizer:decode(self.ids)
  return release(self, text), self.stopped
end

--- What was held back, once no more ids will come.
---@return string
function Detokenizer:flush()
  local text = self.stopped and "" or release(self, #self.ids > self.told and fresh(self) or "")
  text = text .. self.held
  self.ids, self.told, self.length, self.held, self.stopped = {}, 0, 0, "", true
  return text
end

Detokenizer.init = signature("Detokenizer", "tokenizer:t stops:l?", Detokenizer.init)
signature.methods(Detokenizer, "detokenizer", { add = "id:i", flush = "" })

return { Detokenizer = Detokenizer }
