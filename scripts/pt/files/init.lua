--- Files of tensors, recognised by what they hold. `open` reads a file's directory: what is in it, and nothing of the
--- tensors themselves; `pt.load`, `pt.open`, `ptlua info` and `ptlua convert` are made of it.
--
-- A format is a file of this folder with `open(blob)`, which returns its content:
--   entries    a list of { name =, element =, shape =, bytes =, load = fn(finish) -> tensor }, with
--              `blocks = fn() -> bytes` where they are quantised; what is read goes through `finish`, which moves and
--              converts it
--   metadata   what else the file says, by name
--   single     true where the file is one tensor without a name
--   build      fn(load) -> value, where the value is more than named tensors; load(entry) gives a tensor
-- What stands in a file is data: nothing is run, no other path is opened but by an index, whose files stand beside it.

local core = require "pt.core"

local files = {}

-- What has neither tensors to load nor a reader here: how it is recognised, what it is, what to do.
local others = {
  { "^\x1f\x8b", "gzipped data; read_idx, read_csv, read_text and read_json of pt.data unpack it, as does gunzip" },
  { "^\x89HDF\r\n\x1a\n", "an HDF5 file; in Python write its arrays to numpy.savez (h5py reads them)" },
  { "^PAR1", "a Parquet file; in Python write its columns to numpy.savez (pyarrow reads them)" },
  { "^ARROW1", "an Arrow file; in Python write its columns to numpy.savez (pyarrow reads them)" },
  { "^%%PDF", "a PDF document" },
  { "^\x7fELF", "a program" },
  { "^BZh", "data packed by bzip2; unpack it with bunzip2" },
  { "^\xfd7zXZ", "data packed by xz; unpack it with unxz" },
  { "^\x28\xb5\x2f\xfd", "data packed by zstd; unpack it with unzstd" },
  { "^<[!?%a]", "a web page or XML, perhaps the answer to a download that failed" },
  { "^version https://git%-lfs", "a pointer of Git LFS, not the file itself; `git lfs pull` fetches that" },
}

-- How the files begin that are read here, and by what. `head` has up to 512 bytes.
local formats = {
  { "^......\0\0{", "safetensors" }, -- a length, which may look like what is below, and JSON
  { "^PK[\3\5]", "zip" },
  { "^\x93NUMPY", "numpy" },
  { "^GGUF", "gguf" },
  { "^\x89PNG\r\n\x1a\n", "media" },
  { "^\xff\xd8\xff", "media" },
  { "^RIFF....WAVE", "media" },
  { "^RF64....WAVE", "media" },
  { "^\0\0[\x08\x09\x0b-\x0e][\0-\8]", "media" },
  { "^[\3\4]\0\0\0\1\0\0\0", "torch7" },
  { "^%d+\n", "torch7" },
  { "^\x80[\2-\5]", "legacy" },
  { "^" .. ("."):rep(257) .. "ustar", "legacy" },
  { "^%s*{.-\"weight_map\"%s*:", "index" },
}

-- The format of a blob, or what it is instead.
local function recognise(blob)
  local size = blob:size()
  local head = blob:bytes(0, math.min(size, 512))
  for _, format in ipairs(formats) do
    if head:find(format[1]) then return format[2] end
  end
  if head:sub(9, 9) == "{" then return "safetensors" end
  for _, other in ipairs(others) do
    if head:find(other[1]) then return nil, other[2] end
  end
  if size == 0 then return nil, "an empty file" end
  if head:find "^%s*[{[]" then
    return nil, head:find "\"version\".-\"truncation\"" and "a tokenizer; pt.data.tokenizers.load reads it"
      or "JSON; pt.data.read_json reads it"
  end
  if head:find "^\x08[\1-\x20][\x12\x1a\x22\x2a\x32\x3a\x42]" then
    return nil, "an ONNX model; pt.onnx.load reads it"
  end
  if not head:find "[^\t\n\r -~\x80-\xff]" and utf8.len(head, 1, -4, true) then
    return nil, "text; pt.data.read_csv, read_json and read_text read it"
  end
  return "safetensors" -- whose reader says what is wrong with it
end

--- The content of a file.
---@param op string who asks, for messages
---@param path string
---@param map? boolean
function files.open(op, path, map)
  local blob = core.open_file(op, path, map)
  local format, instead = recognise(blob)
  if not format then blob:fail(0, "this is " .. instead) end
  local content = require("pt.files." .. format).open(blob, op, path, map)
  content.path, content.metadata = path, content.metadata or {}
  for _, entry in ipairs(content.entries) do
    if not entry.bytes then entry.bytes = files.bytes(entry.element, entry.shape) end
  end
  return content
end

--- Bytes that a tensor takes in a file; math.huge where they are more than 2^53.
function files.bytes(element, shape)
  local _, bytes, count = core.element(element)
  local numel = 1.
  for _, n in ipairs(shape) do numel = numel * n end
  local total = numel / count * bytes
  return total <= 2 ^ 53 and math.tointeger(total) or math.huge
end

return files
