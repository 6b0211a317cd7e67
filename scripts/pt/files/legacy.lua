--- PyTorch's files from before version 1.6: a row of pickles, then the storages. Those of before 0.2, tar archives, are
--- refused, as are pickles of something else.

local core = require "pt.core"
local pytorch = require "pt.files.pytorch"

local legacy = {}

local MAGIC = "\x80\2\x8a\10\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
local PICKLES = 64 << 20 -- where they end at the latest

-- Where each storage lies, by key: a count, then the elements.
local function find_storages(blob, at, keys, storages)
  for _, key in ipairs(keys) do
    local storage = storages[key] or blob:fail(at, "a storage that no tensor has")
    local _, bytes = core.element(storage.element or "U8")
    if at > blob:size() - 8 then blob:fail(at, "the file ends early") end
    local numel = ("<i8"):unpack(blob:bytes(at, 8))
    if numel < storage.numel or numel > (blob:size() - at - 8) // bytes then
      blob:fail(at, "a storage of %d elements is announced", numel)
    end
    storage.at = at + 8
    at = at + 8 + numel * bytes
  end
end

function legacy.open(blob)
  if blob:bytes(0, 1) ~= "\x80" then
    blob:fail(0, "this is a tar archive, perhaps of PyTorch before 0.2; in Python load it and save it again: "
      .. "torch.save(torch.load(path), path)")
  end
  if blob:size() < #MAGIC or blob:bytes(0, #MAGIC) ~= MAGIC then
    blob:fail(0, "this is a pickle, but not one of PyTorch; in Python write its arrays to numpy.savez or torch.save")
  end
  local text, storages = blob:part(0, math.min(blob:size(), PICKLES)), {}
  local function none() return nil, "a reference where there can be none" end
  local function persistent(id)
    local storage, problem = pytorch.storage(id)
    if not storage then return nil, problem end
    local view = id[6]
    if view and view.kind ~= "none" then return nil, "a view of a storage, as PyTorch 0.3 wrote them" end
    storages[storage.key] = storages[storage.key] or storage
    return storages[storage.key]
  end
  local _, version_end = pytorch.unpickle(text, none, #MAGIC)
  local _, machine_end = pytorch.unpickle(text, none, version_end)
  local value, value_end = pytorch.unpickle(text, persistent, machine_end)
  local keys, at = pytorch.unpickle(text, none, value_end)
  if type(keys) ~= "table" or keys.kind ~= "list" then blob:fail(at, "the list of storages is missing") end
  find_storages(blob, at, keys, storages)
  for key, storage in pairs(storages) do
    if not storage.at then blob:fail(at, "storage '%s' is not in the file", key) end
  end
  return pytorch.content(value, function(storage) return blob, storage.at end, blob)
end

return legacy
