-- SummaryWriter: what is written is read back here by a small reader of records and protocol buffers; TensorBoard 2.21
-- reads the same files (the numbers of histograms are those of PyTorch's writer).
local pt = require "pt"
local events = require "pt.events"

local Writer = pt.utils.tensorboard.SummaryWriter

-- ---- reading ----

local function masked(text)
  local c = events.crc32c(text)
  return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
end

-- The fields of a message: lists of values by number.
local function fields(text)
  local at, out = 1, {}
  local function varint()
    local value, shift = 0, 0
    repeat
      local byte = text:byte(at)
      value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
    until byte < 0x80
    return value
  end
  while at <= #text do
    local tag = varint()
    local kind = tag & 7
    local value
    if kind == 0 then value = varint()
    elseif kind == 1 then value, at = string.unpack("<d", text, at)
    elseif kind == 5 then value, at = string.unpack("<f", text, at)
    else
      local n = varint()
      value, at = text:sub(at, at + n - 1), at + n
    end
    out[tag >> 3] = out[tag >> 3] or {}
    table.insert(out[tag >> 3], value)
  end
  return out
end

local function doubles(text)
  local list = {}
  for at = 1, #text, 8 do list[#list + 1] = (string.unpack("<d", text, at)) end
  return list
end

-- The values of a file: {step, tag, fields} each.
local function read(path)
  local text, at, list = pt.data.read_text(path), 1, {}
  while at <= #text do
    local n, check = string.unpack("<I8I4", text, at)
    local body = text:sub(at + 12, at + 11 + n)
    assert.equal(masked(text:sub(at, at + 7)), check)
    assert.equal(masked(body), (string.unpack("<I4", text, at + 12 + n)))
    at = at + n + 16
    local event = fields(body)
    for _, summary in ipairs(event[5] or {}) do
      for _, value in ipairs(fields(summary)[1]) do
        local v = fields(value)
        list[#list + 1] = { step = event[2][1], tag = v[1][1], v = v, time = event[1][1] }
      end
    end
  end
  return list
end

describe("SummaryWriter", function()
  local dir = os.tmpname()
  os.remove(dir)
  local function written(fn)
    local writer = Writer(dir .. "/a/b")
    fn(writer)
    local path = writer.path
    writer:close()
    return read(path), writer
  end

  it("writes numbers", function()
    local list = written(function(w)
      w:add_scalar("loss/train", 0.5, 3)
      w:add_scalar("t", pt.tensor(2.5), 4, 1000.25)
      w:add_scalar("yes", true)
    end)
    assert.same({ 3, "loss/train", 0.5 }, { list[1].step, list[1].tag, list[1].v[2][1] })
    assert.same({ 4, "t", 2.5, 1000.25 }, { list[2].step, list[2].tag, list[2].v[2][1], list[2].time })
    assert.same({ 0, 1 }, { list[3].step, list[3].v[2][1] })
  end)

  it("writes several curves into folders of their own", function()
    local _, writer = written(function(w)
      w:add_scalars("x/y", { a = 1, b = 2 }, 5)
      w:add_scalars("x/y", { a = 3 }, 6)
    end)
    local a, b = read(writer.others["x_y_a"]), read(writer.others["x_y_b"])
    assert.same({ 2, 1 }, { #a, #b })
    assert.same({ "x/y", 3, 6 }, { a[2].tag, a[2].v[2][1], a[2].step })
  end)

  it("writes histograms", function()
    local list = written(function(w)
      w:add_histogram("weights", pt.linspace(-2, 3, 101), 4)
      w:add_histogram("equal", pt.tensor { 1, 2, 3, 4 }, 4, 3)
      w:add_histogram("edges", { 0.5, 1.5, 1.7, 9 }, 4, { 0, 1, 2, 3 })
      w:add_histogram("one", pt.zeros(3), 1)
    end)
    local h = fields(list[1].v[5][1])
    for i, want in ipairs { -2, 3, 101, 50.5, 239.875 } do assert.near(want, h[i][1], 1e-4) end
    local limits, counts = doubles(h[6][1]), doubles(h[7][1])
    assert.same({ 603, 603, 0, 1, 4 }, { #limits, #counts, counts[1], counts[2], counts[3] })
    assert.near(-2.1628190051144287, limits[1], 1e-9)
    local sum = 0
    for _, n in ipairs(counts) do sum = sum + n end
    assert.equal(101, sum)
    h = fields(list[2].v[5][1])
    assert.same({ { 1, 2, 3, 4 }, { 0, 1, 1, 2 } }, { doubles(h[6][1]), doubles(h[7][1]) })
    h = fields(list[3].v[5][1])
    assert.same({ { 0, 1, 2 }, { 0, 1, 2 } }, { doubles(h[6][1]), doubles(h[7][1]) })
    assert.equal(2, #doubles(fields(list[4].v[5][1])[6][1]))
  end)

  local has_png = pcall(pt.data.encode_png, pt.zeros(1, 1, 1):to(pt.uint8))
  local images = has_png and it or function() end -- without libpng encode_png says what to install
  images("writes images, each kind of order, and figures", function()
    local grey = pt.linspace(0, 1, 12):view(1, 3, 4)
    local list = written(function(w)
      w:add_image("grey", grey, 1)
      w:add_image("hwc", pt.ones(3, 4, 3, { dtype = pt.uint8 }) * 100, 1, nil, "HWC")
      w:add_image("hw", pt.ones(3, 4), { dataformats = "HW" })
      w:add_images("many", pt.rand(9, 3, 4, 5), 2)
      w:add_figure("curve", pt.plot { { 1, 2, 4 } }, 3)
      w:add_figure("curves", { pt.plot { { 1, 2, 4 } }, pt.plot { { 3, 2 } } }, 3)
    end)
    local sizes = {}
    for i, entry in ipairs(list) do
      local image = fields(entry.v[4][1])
      sizes[i] = { image[1][1], image[2][1], image[3][1] }
      assert.equal("\137PNG", image[4][1]:sub(1, 4))
    end
    assert.same({ { 3, 4, 1 }, { 3, 4, 3 }, { 3, 4, 1 }, { 8, 40, 3 }, { 400, 640, 3 }, { 400, 1280, 3 } }, sizes)
    local png = pt.data.bytes(fields(list[1].v[4][1])[4][1])
    local back = pt.data.decode_image(png)
    assert.is_true(pt.equal((grey * 255):to(pt.uint8), back))
  end)

  it("writes text", function()
    local list = written(function(w) w:add_text("note", "hello **world**", 6) end)
    local v = list[1].v
    assert.equal("note/text_summary", v[1][1])
    local tensor = fields(v[8][1])
    assert.same({ 7, "hello **world**" }, { tensor[1][1], tensor[8][1] })
    assert.equal("text", fields(fields(v[9][1])[1][1])[1][1])
  end)

  it("has a folder of its own by default, and a file for each writer", function()
    local writer = Writer { log_dir = dir .. "/c", filename_suffix = ".mine" }
    assert.equal(dir .. "/c", writer:get_logdir())
    assert.matches("events%.out%.tfevents%.%d+%..*%.mine$", writer.path)
    assert.not_equal(writer.path, Writer(dir .. "/c").path)
    assert.equal(writer, writer:flush())
  end)

  it("refuses what it cannot write", function()
    local writer = Writer(dir .. "/d")
    local rows = {
      { "add_scalar: scalar_value must be a number, got 'x'", "add_scalar", "a", "x" },
      { "add_scalar: tag must be a string", "add_scalar", 3, 1 },
      { "add_histogram: there are no values", "add_histogram", "a", pt.empty(0) },
      { "add_histogram: values holds NaN", "add_histogram", "a", pt.tensor { 0 / 0 } },
      { "add_histogram: bins must be", "add_histogram", "a", pt.ones(1), 1, "doane" },
      { "add_image: dataformats 'CHW' does not name the dims of %[3, 4%]", "add_image", "a", pt.ones(3, 4) },
      { "add_image: 2 channels", "add_image", "a", pt.ones(2, 3, 4) },
      { "add_figure: expected a figure of pt.plot", "add_figure", "a", 3 },
      { "add_text: text_string must be a string", "add_text", "a", pt.ones(1) },
    }
    for _, row in ipairs(rows) do
      assert.error_matches(function() writer[row[2]](writer, table.unpack(row, 3)) end, row[1])
    end
    writer:close()
    assert.error_matches(function() writer:add_scalar("a", 1) end, "SummaryWriter: it is closed")
    assert.error_matches(function() Writer "/proc/nowhere" end, "SummaryWriter: /proc/nowhere: ")
    os.execute("rm -r " .. dir)
  end)
end)
