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
local function records(text, path, sep)
  local at, number = 1, 0
  return function()
    while at <= #text do
      local from, stop = at, text:find("\n", at, true) or #text + 1
      local line = text:sub(from, stop - 1):gsub("\r$", "")
      at, number = stop + 1, number + 1
      if line ~= "" and line:sub(1, 1) ~= "#" then
        local fields, bad = split(line, sep)
        if not fields then
          fail("read_csv: %s: line %d, byte %d: a quote is not closed", path, number, from + bad - 1)
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
  for fields, number, at in records(core.read_text("read_csv", path, max_bytes), path, sep) do
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

return readers
