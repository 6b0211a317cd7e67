--- SummaryWriter: curves, images, histograms, texts and figures of a run, in the event files that TensorBoard shows.
--
--   local writer <close> = pt.utils.tensorboard.SummaryWriter "runs/first"
--   writer:add_scalar("loss/train", loss:item(), step)
--   writer:add_image("digits", images[1], step)
--
-- Each record is in the file when the call that made it returns. Names and meaning are torch.utils.tensorboard's.

local class = require "pt.class"
local core = require "pt.core"
local events = require "pt.events"
local fail = require "pt.fail"
local pt = require "pt"
local signature = require "pt.signature"

---@class pt.SummaryWriter
---@field log_dir string
local SummaryWriter = class "SummaryWriter"

-- A name that no other file of the folder has: TensorBoard reads them in the order of their names.
local function file_name(suffix)
  return ("events.out.tfevents.%010d.%s.%016x%s"):format(os.time(), os.getenv "HOSTNAME" or "localhost",
    core.fresh_seed(), suffix)
end

local function open(folder, suffix)
  core.make_folder("SummaryWriter", folder)
  local path = folder .. "/" .. file_name(suffix)
  core.write_text("SummaryWriter", path, events.header())
  return path
end

--- log_dir is made where it is missing; by default a folder of runs/ that is named by the time, and comment.
--- filename_suffix ends the file's name. purge_step, max_queue and flush_secs are taken as PyTorch takes them, and have
--- no effect: nothing waits in memory, and nothing is taken back.
SummaryWriter.init = signature("SummaryWriter",
  "log_dir:s? comment:s? purge_step:i? max_queue:i=10 flush_secs:i=120 filename_suffix:s?",
  function(self, log_dir, comment, _, _, _, suffix)
    self.suffix = suffix or ""
    self.log_dir = log_dir or "runs/" .. os.date "%b%d_%H-%M-%S_" .. (os.getenv "HOSTNAME" or "localhost")
      .. (comment or "")
    self.path, self.others = open(self.log_dir, self.suffix), {}
  end)

-- Adds a record to the file, or to that of a folder within log_dir.
local function add(self, record, folder)
  if not self.path then fail "SummaryWriter: it is closed" end
  local path = self.path
  if folder then
    self.others[folder] = self.others[folder] or open(self.log_dir .. "/" .. folder, self.suffix)
    path = self.others[folder]
  end
  core.append_text("SummaryWriter", path, record)
end

local function number(name, what, v)
  if core.is_tensor(v) then v = v:item() end
  if type(v) == "boolean" then return v and 1 or 0 end
  if type(v) ~= "number" then fail("%s: %s must be a number, got %s", name, what, signature.describe(v)) end
  return v
end

--- A point of the curve of that name; a / in the name groups curves.
function SummaryWriter:add_scalar(tag, value, step, time)
  add(self, events.scalars(step or 0, { [tag] = number("add_scalar", "scalar_value", value) }, time))
end

--- Points of several curves in one diagram, by name. Each is a run of its own in a folder of log_dir.
function SummaryWriter:add_scalars(main_tag, values, step, time)
  for name, value in pairs(values) do
    local folder = (main_tag .. "_" .. tostring(name)):gsub("/", "_")
    value = number("add_scalars", "value " .. tostring(name), value)
    add(self, events.scalars(step or 0, { [main_tag] = value }, time), folder)
  end
end

-- ---- histograms ----

-- TensorFlow's edges: 0, and powers of 1.1 from 1e-12 to 1e20 on both sides.
local function exponential_edges()
  local up, list = {}, {}
  local v = 1e-12
  while v < 1e20 do
    up[#up + 1] = v
    v = v * 1.1
  end
  for i = #up, 1, -1 do list[#list + 1] = -up[i] end
  list[#list + 1] = 0.0
  return table.move(up, 1, #up, #list + 1, list)
end

local function edges_of(bins)
  if bins == "tensorflow" then bins = exponential_edges() end
  if core.is_tensor(bins) then return bins:double():cpu() end
  if type(bins) == "table" then return pt.tensor(bins, { dtype = pt.float64 }) end
  if math.type(bins) == "integer" then return bins end
  fail("add_histogram: bins must be tensorflow, a number of bins, or a list of edges, got %s", signature.describe(bins))
end

--- How the values of a tensor are spread. bins: "tensorflow" (bins that grow by a tenth), a number of equal ones, or a
--- list of edges.
function SummaryWriter:add_histogram(tag, values, step, bins, time)
  local x = core.is_tensor(values) and values:detach() or pt.tensor(values)
  if x.dtype.is_complex then fail("add_histogram: values is %s, but must be real", tostring(x.dtype)) end
  x = x:to(pt.float64):cpu():reshape(-1)
  if x:numel() == 0 then fail "add_histogram: there are no values" end
  if not x:isfinite():all():item() then fail "add_histogram: values holds NaN or an infinity" end
  local counts, edges = pt.histogram(x, edges_of(bins))
  local limits, list = edges:tolist(), counts:tolist()
  local first, last = 1, #list -- empty bins at both ends are left out, but for one in front
  while first < last and list[first] == 0 do first = first + 1 end
  while last > first and list[last] == 0 do last = last - 1 end
  local h = {
    min = x:amin():item(), max = x:amax():item(), count = x:numel(), sum = x:sum():item(),
    squares = x:square():sum():item(), limits = { limits[first] }, counts = { 0.0 },
  }
  for i = first, last do
    h.limits[#h.limits + 1], h.counts[#h.counts + 1] = limits[i + 1], list[i]
  end
  add(self, events.histogram(step or 0, tag, h, time))
end

-- ---- images ----

-- x with dims in the order `from`, as bytes (channels, height, width); several images become one picture.
local function picture(name, x, from)
  if not core.is_tensor(x) then fail("%s: expected a tensor, got %s", name, signature.describe(x)) end
  from = from:upper()
  if #from ~= x.ndim or not from:find "H" or not from:find "W" or from:find "[^NCHW]" then
    fail("%s: dataformats '%s' does not name the dims of %s", name, from, tostring(x.shape))
  end
  if not from:find "C" then x, from = x:unsqueeze(1), "C" .. from end
  if not from:find "N" then x, from = x:unsqueeze(1), "N" .. from end
  local order = {}
  for d, letter in ipairs { "N", "C", "H", "W" } do order[d] = from:find(letter) end
  x = x:detach():cpu():permute(order)
  if x:size(2) ~= 1 and x:size(2) ~= 3 and x:size(2) ~= 4 then
    fail("%s: %d channels; an image has 1, 3 or 4", name, x:size(2))
  end
  if x.dtype ~= pt.uint8 then x = (x:float() * 255):clamp(0, 255):to(pt.uint8) end
  local n = x:size(1)
  local columns = math.min(n, 8)
  local rows = (n + columns - 1) // columns
  if n < rows * columns then
    x = pt.cat { x, x:new_zeros(rows * columns - n, x:size(2), x:size(3), x:size(4)) }
  end
  x = x:reshape(rows, columns, x:size(2), x:size(3), x:size(4)):permute(3, 1, 4, 2, 5)
  return x:reshape(x:size(1), x:size(2) * x:size(3), x:size(4) * x:size(5)):contiguous()
end

-- A vector of bytes as a string.
local function string_of(bytes)
  local list, parts = bytes:tolist(), {}
  for from = 1, #list, 4096 do
    parts[#parts + 1] = string.char(table.unpack(list, from, math.min(from + 4095, #list)))
  end
  return table.concat(parts)
end

local function add_picture(self, tag, x, step, time)
  local image = { channels = x:size(1), height = x:size(2), width = x:size(3) }
  image.png = string_of(pt.data.encode_png(x))
  add(self, events.image(step or 0, tag, image, time))
end

--- An image: numbers from 0 to 1, or bytes. dataformats names its dims: CHW, HWC or HW.
function SummaryWriter:add_image(tag, image, step, time, dataformats)
  add_picture(self, tag, picture("add_image", image, dataformats), step, time)
end

--- Images, NCHW or NHWC, in rows of 8.
function SummaryWriter:add_images(tag, images, step, time, dataformats)
  add_picture(self, tag, picture("add_images", images, dataformats), step, time)
end

--- A figure of pt.plot (or a list of them, one beside the other) as an image; close has no meaning here.
function SummaryWriter:add_figure(tag, figure, step, _, time)
  local list = getmetatable(figure) == pt.plot and { figure } or figure
  if type(list) ~= "table" or #list == 0 then
    fail("add_figure: expected a figure of pt.plot, got %s", signature.describe(figure))
  end
  local images = {}
  for i, f in ipairs(list) do
    if getmetatable(f) ~= pt.plot then fail("add_figure: entry %d is no figure of pt.plot", i) end
    images[i] = f:image()
  end
  add_picture(self, tag, pt.cat(images, 3), step, time)
end

-- ---- text ----

--- A text, which TensorBoard shows as Markdown.
function SummaryWriter:add_text(tag, text, step, time)
  add(self, events.text(step or 0, tag .. "/text_summary", text, time))
end

-- ---- the end ----

--- Nothing waits in memory: every record is in the file when the call that made it returns.
function SummaryWriter:flush() return self end

---@return string
function SummaryWriter:get_logdir() return self.log_dir end

function SummaryWriter:close() self.path = nil end
SummaryWriter.__close = SummaryWriter.close

signature.methods(SummaryWriter, "writer", {
  add_scalar = "tag:s scalar_value:a global_step:i? walltime:n?",
  add_scalars = "main_tag:s tag_scalar_dict:t global_step:i? walltime:n?",
  add_histogram = "tag:s values:a global_step:i? bins:a=tensorflow walltime:n?",
  add_image = "tag:s img_tensor:a global_step:i? walltime:n? dataformats:s=CHW",
  add_images = "tag:s img_tensor:a global_step:i? walltime:n? dataformats:s=NCHW",
  add_figure = "tag:s figure:a global_step:i? close:b=true walltime:n?",
  add_text = "tag:s text_string:s global_step:i? walltime:n?",
  flush = "", close = "", get_logdir = "",
})

return setmetatable({ SummaryWriter = SummaryWriter }, { __index = require "pt.unknown"("pt.utils.tensorboard") })
