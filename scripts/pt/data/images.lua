--- Images as files: PNG and JPEG, to and from tensors (channels, height, width) of bytes, and image folders.

local class = require "pt.class"
local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local Dataset = require("pt.data.dataset").Dataset

local images = {}

local read_file = signature("read_file", "max_bytes:i?", function(path, max_bytes)
  return (core.read_file("read_file", path, max_bytes))
end)

--- The bytes of a file as a vector of uint8, unpacked where it is gzipped: to at most max_bytes, by default 64 MB plus
--- 16 times its size.
---@param path string
---@param options? {max_bytes: integer}
---@return pt.Tensor
function images.read_file(path, options) return read_file(path, options) end

--- Writes a vector of uint8 as a file: in full, or on failure not at all.
---@param path string
---@param bytes pt.Tensor
function images.write_file(path, bytes) core.write_file(path, bytes) end

--- A PNG or JPEG in memory as uint8 (channels, height, width). `mode` is "UNCHANGED", "GRAY", "GRAY_ALPHA", "RGB" or
--- "RGB_ALPHA"; palettes become colours and 16 bits become 8.
---@type fun(bytes: pt.Tensor, options?: {mode: string}): pt.Tensor
images.decode_image = signature("decode_image", "mode:s=UNCHANGED",
  function(bytes, mode) return (core.decode_image("decode_image", bytes, mode)) end)

--- An image uint8 (channels, height, width) of 1 to 4 channels as a PNG in memory.
---@type fun(image: pt.Tensor, options?: {compression_level: integer}): pt.Tensor
images.encode_png = signature("encode_png", "compression_level:i=6",
  function(image, level) return (core.encode_png(image, level)) end)

--- An image of 1 or 3 channels as a JPEG in memory.
---@type fun(image: pt.Tensor, options?: {quality: integer}): pt.Tensor
images.encode_jpeg = signature("encode_jpeg", "quality:i=75",
  function(image, quality) return (core.encode_jpeg(image, quality)) end)

--- decode_image of a file.
---@type fun(path: string, options?: {mode: string}): pt.Tensor
images.read_image = signature("read_image", "mode:s=UNCHANGED",
  function(path, mode) return (core.decode_image("read_image", core.read_file("read_image", path), mode, path)) end)

--- encode_png, encode_jpeg into a file.
---@type fun(image: pt.Tensor, path: string, options?: {compression_level: integer})
images.write_png = signature("write_png", "path:s compression_level:i=6",
  function(image, path, level) core.write_file(path, (core.encode_png(image, level))) end)
---@type fun(image: pt.Tensor, path: string, options?: {quality: integer})
images.write_jpeg = signature("write_jpeg", "path:s quality:i=75",
  function(image, path, quality) core.write_file(path, (core.encode_jpeg(image, quality))) end)

-- ---- folders ----

local EXTENSIONS = { png = true, jpg = true, jpeg = true }

-- The paths of all images in a folder and its subfolders, sorted.
local function find(folder, to)
  local files, folders = core.list_folder("ImageFolder", folder)
  table.sort(files)
  table.sort(folders)
  for _, name in ipairs(files) do
    if EXTENSIONS[(name:match "%.(%a+)$" or ""):lower()] then to[#to + 1] = folder .. "/" .. name end
  end
  for _, name in ipairs(folders) do find(folder .. "/" .. name, to) end
  return to
end

--- Images in one folder per class: sample i is the image (RGB unless `mode` says otherwise), through
--- `transform` where there is one, and its class. Classes are numbered in the order of their names.
---@class pt.data.ImageFolder: pt.data.Dataset
---@field classes string[]
---@field class_to_idx table<string, integer>
---@field samples {[1]: string, [2]: integer}[] paths and classes
---@overload fun(root: string, options?: {transform: function, mode: string}): pt.data.ImageFolder
local ImageFolder = class("ImageFolder", Dataset)
images.ImageFolder = ImageFolder

ImageFolder.init = signature("ImageFolder", "root:s transform:a? mode:s=RGB", function(self, root, transform, mode)
  local _, folders = core.list_folder("ImageFolder", root)
  table.sort(folders)
  if #folders == 0 then fail("ImageFolder: %s has no folders; each class of images has one", root) end
  self.classes, self.class_to_idx, self.samples = folders, {}, {}
  for id, name in ipairs(folders) do
    local paths = find(root .. "/" .. name, {})
    if #paths == 0 then fail("ImageFolder: %s/%s holds no .png, .jpg or .jpeg", root, name) end
    self.class_to_idx[name] = id
    for _, path in ipairs(paths) do self.samples[#self.samples + 1] = { path, id } end
  end
  self.transform, self.mode = transform, mode
end)

function ImageFolder:len() return #self.samples end

---@param i integer
---@return pt.Tensor image, integer class
function ImageFolder:get(i)
  local sample = self.samples[i] or fail("ImageFolder: there is no sample %s; it has %d", i, #self.samples)
  local image = images.read_image(sample[1], { mode = self.mode })
  if self.transform then image = self.transform(image) end
  return image, sample[2]
end

return images
