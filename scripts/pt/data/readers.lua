--- Readers of data files: IDX (MNIST), CIFAR's binaries, CSV, text; gzipped or not. Files are not trusted: an error
--- names the path and the place: in the packed file where unpacking fails, else in the data.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local readers = {}

--- An IDX file (MNIST's format), gzipped or not, as a tensor of the file's shape and dtype, with unchanged numbers.
---@param path string
---@return pt.Tensor
function readers.read_idx(path) return (core.read_idx(path)) end

--- An IDX file of labels as class ids, which count from 1: the file's label 0 is class 1.   -> int64 (n)
---@param path string
---@return pt.Tensor
function readers.read_labels(path)
  local labels = core.read_idx(path)
  if labels.ndim ~= 1 then fail("read_labels: %s holds %s, not a row of labels", path, labels.shape) end
  return labels:to(pt.int64) + 1
end

-- A reader whose first argument is a path, and the others options of `sig`. All take max_bytes, the limit of the
-- unpacked size of a gzipped file and of the size of other files; the default is 64 MB plus 16 times a gzipped file's
-- size.
local function reader(name, sig, read)
  local call = signature(name, sig .. " max_bytes:i?", read)
  readers[name] = function(path, ...) return call(path, ...) end
end

--- A text file as a string.
---@type fun(path: string, options?: {max_bytes: integer}): string
reader("read_text", "", function(path, max_bytes) return core.read_text("read_text", path, max_bytes) end)

--- The lines of a text file.
---@type fun(path: string, options?: {max_bytes: integer}): string[]
reader("read_lines", "", function(path, max_bytes)
  local lines = {}
  for line in core.read_text("read_lines", path, max_bytes):gmatch "([^\n]*)\n?" do
    lines[#lines + 1] = (line:gsub("\r$", ""))
  end
  if lines[#lines] == "" then lines[#lines] = nil end -- what gmatch finds at the end
  return lines
end)

--- Bytes of a string as a vector of uint8.
---@param text string
---@return pt.Tensor
function readers.bytes(text) return (core.bytes(text)) end

-- ---- CIFAR ----

local PIXELS = 3 * 32 * 32

--- CIFAR-10's binary files (CIFAR-100's with labels = 2): images (n, 3, 32, 32) of uint8 and class ids from 1.
---@type fun(path: string|string[], options?: {labels: integer, max_bytes: integer}): pt.Tensor, pt.Tensor
reader("read_cifar", "labels:i=1", function(paths, labels, max_bytes)
  local images, classes, record = {}, {}, labels + PIXELS
  for i, path in ipairs(type(paths) == "table" and paths or { paths }) do
    local text = core.read_text("read_cifar", path, max_bytes)
    if #text == 0 or #text % record ~= 0 then
      fail("read_cifar: %s: %d bytes are no whole number of records of %d; the last one ends at byte %d", path, #text,
        record, #text - #text % record)
    end
    local rows = core.bytes(text):reshape(-1, record)
    classes[i] = rows:select(2, labels):to(pt.int64) + 1 -- the fine label stands last
    images[i] = rows:narrow(2, labels + 1, PIXELS):reshape(-1, 3, 32, 32)
  end
  if #images == 0 then fail("read_cifar: no paths") end
  return pt.cat(images), pt.cat(classes)
end)

-- ---- CSV ----

-- The fields of a line; a field may be quoted, with a doubled quote for one inside. nil where a quote is not closed.
local function split(line, sep)
  local fields, at = {}, 1
  while true do
    if line:sub(at, at) == '"' then
      local text, from = {}, at + 1
      while true do
        local quote = line:find('"', from, true)
        if not quote then return nil, at end
        text[#text + 1] = line:sub(from, quote - 1)
        at = quote + 1
        if line:sub(at, at) ~= '"' then break end
        text[#text + 1], from = '"', at + 1
      end
      fields[#fields + 1] = table.concat(text)
      if at <= #line and line:sub(at, at) ~= sep then return nil, at end
    else
      local stop = line:find(sep, at, true) or #line + 1
      fields[#fields + 1] = line:sub(at, stop - 1)
      at = stop
    end
    if at > #line then return fields end
    at = at + 1
  end
end

-- The records of a table that are neither empty nor a comment: fields, line, byte.
local function records(op, text, path, sep)
  local at, number = 1, 0
  return function()
    while at <= #text do
      local from, stop = at, text:find("\n", at, true) or #text + 1
      local line = text:sub(from, stop - 1):gsub("\r$", "")
      at, number = stop + 1, number + 1
      if line ~= "" and line:sub(1, 1) ~= "#" then
        local fields, bad = split(line, sep)
        if not fields then
          fail("%s: %s: line %d, byte %d: a quote is not closed", op, path, number, from + bad - 1)
        end
        return fields, number, from
      end
    end
  end
end

-- Fields as numbers.
local function numbers(fields, path, number, at)
  for k, field in ipairs(fields) do
    fields[k] = field:find "^%s*$" and 0 / 0 or tonumber(field)
    if not fields[k] then
      fail("read_csv: %s: line %d, byte %d: '%s' in column %d is no number", path, number, at, field:sub(1, 40), k)
    end
  end
  return fields
end

local ROWS = 4096 -- that are tables at a time

--- A table of numbers as a tensor (rows, columns), and the names of the columns if there is a header. With
--- `text = true`, rows of strings instead. An empty field is NaN. Lines that begin with # are left out.
---@type fun(path: string, options?: {header: boolean, sep: string, dtype: pt.Dtype, text: boolean}): any, string[]?
local csv_options = "header:b=false sep:s=, dtype:y? text:b=false"
reader("read_csv", csv_options, function(path, header, sep, dtype, as_text, max_bytes)
  local parts, rows, names, width = {}, {}, nil, nil
  local make = function() return pt.tensor(rows, { dtype = dtype or pt.float32 }) end
  for fields, number, at in records("read_csv", core.read_text("read_csv", path, max_bytes), path, sep) do
    width = width or #fields
    if #fields ~= width then
      fail("read_csv: %s: line %d, byte %d: %d fields, those before have %d", path, number, at, #fields, width)
    end
    if header and not names then
      names = fields
    else
      rows[#rows + 1] = as_text and fields or numbers(fields, path, number, at)
    end
    if #rows == ROWS and not as_text then -- a tensor holds numbers in a tenth of what tables need
      parts[#parts + 1] = make()
      rows = {}
    end
  end
  if as_text then return rows, names end
  if #rows > 0 then parts[#parts + 1] = make() end
  if #parts == 0 then return pt.zeros(0, names and #names or 0, { dtype = dtype or pt.float32 }), names end
  return #parts == 1 and parts[1] or pt.cat(parts), names
end)

-- ---- tables with types ----

local function is_blank(text) return not text:find "%S" end

-- Fields as a type has them, by its name; nil where one is none.
local parse = {}
function parse.int64(text)
  local digits = text:match "^%s*([+-]?%d+)%s*$"
  return digits and math.tointeger(tonumber(digits))
end
parse.int32, parse.int16, parse.int8, parse.uint8 = parse.int64, parse.int64, parse.int64, parse.int64
function parse.float64(text)
  if is_blank(text) then return 0 / 0 end
  return not text:find "[xX]" and tonumber(text) or nil
end
parse.float32 = parse.float64
local words = { ["true"] = true, ["false"] = false, yes = true, no = false }
function parse.bool(text) return words[text:lower():match "^%s*(%a+)%s*$"] end
function parse.string(text) return text end

-- The first of the types that all fields of a column have.
local function guess(column)
  for _, name in ipairs { "int64", "float32", "bool" } do
    local read, all = parse[name], #column > 0
    for _, text in ipairs(column) do
      if read(text) == nil then all = false break end
    end
    if all then return name end
  end
  return "string"
end

local function convert(column, name, k, title, path, places)
  local read = parse[name]
  if name == "string" then return column end
  for i, text in ipairs(column) do
    local value = read(text)
    if value == nil then
      fail("read_table: %s: line %d, column %d%s: '%s' is no %s", path, places[i], k,
        title and " (" .. title .. ")" or "", text:sub(1, 40), name)
    end
    column[i] = value
  end
  local dtype = core.dtypes[name]
  return #column > 0 and pt.tensor(column, { dtype = dtype }) or pt.zeros(0, { dtype = dtype })
end

-- The columns of a table as lists of strings, the titles, and the line of each row.
local function read_columns(text, path, header, sep)
  local columns, titles, places, width = {}, nil, {}, nil
  for fields, number in records("read_table", text, path, sep) do
    width = width or #fields
    if #fields ~= width then
      fail("read_table: %s: line %d has %d columns, those before have %d", path, number, #fields, width)
    end
    if header and not titles then
      titles = fields
    else
      places[#places + 1] = number
      for k, field in ipairs(fields) do
        columns[k] = columns[k] or {}
        columns[k][#places] = field
      end
    end
  end
  for k = 1, width or 0 do columns[k] = columns[k] or {} end
  return columns, titles, places
end

local function check_types(types, titles, columns)
  local known = {}
  for k = 1, #columns do known[k], known[titles and titles[k] or k] = true, true end
  for key, name in pairs(types) do
    if not known[key] then fail("read_table: types: there is no column %s", tostring(key)) end
    if not parse[tostring(name)] then
      fail("read_table: types: %s of column %s is none of %s", tostring(name), tostring(key),
        "int64, int32, int16, int8, uint8, float64, float32, bool, string")
    end
  end
end

--- A table of any columns, by their titles (or numbers, without a header): tensors, and lists of strings; second, the
--- titles in order. Types that are not given are found: int64, float32, bool, else string. An empty field is NaN where
--- the column has floats. A name that ends in .tsv is separated by tabs.
---@type fun(path: string, options?: table): table<string, pt.Tensor|string[]>, string[]
reader("read_table", "header:b=true sep:s? types:t?", function(path, header, sep, types, max_bytes)
  sep = sep or tostring(path):find "%.tsv$" and "\t" or ","
  local text = core.read_text("read_table", path, max_bytes)
  local columns, titles, places = read_columns(text, path, header, sep)
  types = types or {}
  check_types(types, titles, columns)
  local out, names = {}, {}
  for k, column in ipairs(columns) do
    local title = titles and titles[k]
    local name = types[title or k] or types[k] or guess(column)
    names[k] = title or k
    if out[names[k]] ~= nil then fail("read_table: %s: two columns are called '%s'", path, names[k]) end
    out[names[k]] = convert(column, tostring(name), k, title, path, places)
  end
  return out, names
end)

return readers
