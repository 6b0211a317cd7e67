--- What tokenizers need of Unicode: categories, normal forms, lower case. The tables are unpacked when they are first
--- used.

local tables = require "pt.data.tokenizer.unicode_tables"

local unicode = {}

-- ---- tables ----

local function entries(name)
  local at = 0
  local next_entry = tables[name]:gsub("\n", ""):gmatch "(%w+):([%w,]+)"
  return function()
    local distance, list = next_entry()
    if not distance then return nil end
    at = at + tonumber(distance, 36)
    local points = {}
    for n in list:gmatch "%w+" do points[#points + 1] = tonumber(n, 36) end
    return at, points
  end
end

-- A table that is filled when it is first asked.
local function lazy(fill)
  return setmetatable({}, {
    __index = function(self, key)
      setmetatable(self, nil)
      fill(self)
      return self[key]
    end,
  })
end

local starts, names -- the runs of one category

local function read_categories()
  starts, names = {}, {}
  local at = 0
  for distance, name in tables.category:gsub("\n", ""):gmatch "([%l%d]+)(%u%l)" do
    at = at + tonumber(distance, 36)
    starts[#starts + 1], names[#names + 1] = at, name
  end
end

local category_of = {} -- of the code points that were asked for

--- The category of a code point: "Lu", "Nd", ...
---@param code integer
---@return string
function unicode.category(code)
  local known = category_of[code]
  if known then return known end
  if not starts then read_categories() end
  local low, high = 1, #starts
  while low < high do
    local middle = (low + high + 1) // 2
    if starts[middle] <= code then low = middle else high = middle - 1 end
  end
  category_of[code] = names[low]
  return names[low]
end

local spaces = {}
for code = 9, 13 do spaces[code] = true end
for code = 0x2000, 0x200a do spaces[code] = true end
for _, code in ipairs { 32, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 } do spaces[code] = true end

function unicode.is_space(code) return spaces[code] == true end
function unicode.is_letter(code) return unicode.category(code):byte() == 76 end
function unicode.is_number(code) return unicode.category(code):byte() == 78 end
function unicode.is_punctuation(code)
  if code < 128 then return code >= 33 and code <= 47 or code >= 58 and code <= 64 or code >= 91 and code <= 96
    or code >= 123 and code <= 126 end
  return unicode.category(code):byte() == 80
end

-- What \w is: letters (those in circles and squares, too), marks, digits, and what joins words or their parts.
local word_categories = { Nd = true, Nl = true, Pc = true }
function unicode.is_word(code)
  local name = unicode.category(code)
  return name:byte() == 76 or name:byte() == 77 or word_categories[name] == true or code == 0x200c or code == 0x200d
    or code >= 0x24b6 and code <= 0x24e9 or code >= 0x1f130 and code <= 0x1f189
end

-- ---- case ----

local lower = lazy(function(self)
  for code, points in entries "lower" do self[code] = utf8.char(table.unpack(points)) end
end)

--- Each character in lower case.
---@param text string UTF-8
---@return string
function unicode.lower(text)
  if not text:find "[\x80-\xff]" then return (text:gsub("%u", function(c) return string.char(c:byte() + 32) end)) end
  return (text:gsub(utf8.charpattern, function(c) return lower[utf8.codepoint(c)] end))
end

-- ---- normal forms ----

local class = lazy(function(self) for code, points in entries "class" do self[code] = points[1] end end)
local nfd = lazy(function(self) for code, points in entries "nfd" do self[code] = points end end)
local nfkd = lazy(function(self)
  for code, points in entries "nfd" do self[code] = points end
  for code, points in entries "nfkd" do self[code] = points end
end)
local composed = lazy(function(self)
  for code, points in entries "pairs" do self[points[1] << 21 | points[2]] = code end
end)

local S, L, V, T = 0xac00, 0x1100, 0x1161, 0x11a7 -- Hangul: where syllables and their parts begin
local VT, T_COUNT = 588, 28

local function put_parts(out, code, map)
  if code >= S and code < S + 19 * VT then
    local at = code - S
    out[#out + 1], out[#out + 2] = L + at // VT, V + at % VT // T_COUNT
    if at % T_COUNT > 0 then out[#out + 1] = T + at % T_COUNT end
    return
  end
  local parts = map[code]
  if not parts then out[#out + 1] = code return end
  for _, part in ipairs(parts) do out[#out + 1] = part end
end

-- Marks in the order of their classes, those of one class as they stand.
local function order(points)
  local i = 1
  while i <= #points do
    local stop = i
    while points[stop] and class[points[stop]] do stop = stop + 1 end
    for k = i + 1, stop - 1 do
      local point = points[k]
      local j = k
      while j > i and class[points[j - 1]] > class[point] do points[j], j = points[j - 1], j - 1 end
      points[j] = point
    end
    i = math.max(stop, i) + 1
  end
  return points
end

local function pair(a, b)
  if a >= L and a < L + 19 and b >= V and b < V + 21 then return S + (a - L) * VT + (b - V) * T_COUNT end
  if a >= S and a < S + 19 * VT and (a - S) % T_COUNT == 0 and b > T and b < T + T_COUNT then return a + b - T end
  return composed[a << 21 | b]
end

local function compose(points)
  local out, starter, last = {}, nil, 0 -- the place of the last starter, the class of what stands before
  for _, point in ipairs(points) do
    local own = class[point] or 0
    local open = starter and (last < own or last == 0 and #out == starter)
    local joined = open and pair(out[starter], point)
    if joined then
      out[starter] = joined
    else
      out[#out + 1], last = point, own
      if own == 0 then starter = #out end
    end
  end
  return out
end

local function normal_form(text, map, composes)
  if not text:find "[\x80-\xff]" then return text end
  local points = {}
  for _, code in utf8.codes(text) do put_parts(points, code, map) end
  order(points)
  if composes then points = compose(points) end
  local out = {}
  for i, point in ipairs(points) do out[i] = utf8.char(point) end
  return table.concat(out)
end

function unicode.nfd(text) return normal_form(text, nfd, false) end
function unicode.nfc(text) return normal_form(text, nfd, true) end
function unicode.nfkd(text) return normal_form(text, nfkd, false) end
function unicode.nfkc(text) return normal_form(text, nfkd, true) end

return unicode
