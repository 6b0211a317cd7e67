-- Damaged files of every format: each truncation, and each byte changed, gives tensors or an error that names the file,
-- in little time and memory. PT_SPEC_LARGE=1 tries all values of each byte. One thread reads: the thread sanitizer
-- (#tsan) would take minutes for nothing.

local pt = require "pt"
local core = require "pt.core"

local path, many = nil, os.getenv "PT_SPEC_LARGE" == "1"

local read = require("spec.support.text_file").read

-- A new file each time: ext4 waits for the disk where a file is emptied and written again.
local function write(text)
  os.remove(path)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function saved(value, ending, ...)
  local name = path .. ending
  pt.save(value, name, ...)
  local text = read(name)
  os.remove(name)
  return text
end

local function t7_string(s) return ("<i4"):pack(#s) .. s end

-- A small file of each format, by what it is.
local files = {
  safetensors = function()
    return saved({ a = pt.ones(2, 2), b = pt.tensor { true, false } }, ".safetensors", { note = "x" })
  end,
  npy = function() return saved(pt.arange(6):reshape(2, 3), ".npy") end,
  npz = function() return saved({ a = pt.arange(3), b = pt.ones(1, { dtype = pt.complex64 }) }, ".npz") end,
  PyTorch = function()
    local x = pt.arange(6):reshape(2, 3)
    return saved({ model = { w = x, t = x:t() }, list = { 1, 2.5, "x", true }, n = 1 << 40, b = "\xff" }, ".pt")
  end,
  GGUF = function()
    return saved({ a = pt.ones(2, 32), b = pt.ones(3) }, ".gguf", { s = "x", list = { "a", "b" } },
      { quantize = "Q8_0" })
  end,
  Torch7 = function()
    return ("<i4i4i4"):pack(3, 1, 2) .. ("<i4"):pack(2) .. t7_string "w" .. ("<i4i4"):pack(4, 2) .. t7_string "V 1"
      .. t7_string "torch.FloatTensor" .. ("<i4i8i8i8i8i8"):pack(2, 2, 2, 2, 1, 1) .. ("<i4i4"):pack(4, 3)
      .. t7_string "V 1" .. t7_string "torch.FloatStorage" .. ("<i8ffff"):pack(4, 1, 2, 3, 4)
      .. ("<i4di4i4"):pack(1, 1, 5, 1)
  end,
  ["ascii of Torch7"] = function()
    return "4\n1\n3\nV 1\n18\ntorch.DoubleTensor\n1\n3\n1\n1\n4\n2\n3\nV 1\n19\ntorch.DoubleStorage\n3\n1 2.5 -3\n"
  end,
  IDX = function() return (">BBBBI4I4"):pack(0, 0, 8, 2, 2, 3) .. "abcdef" end,
  WAV = function()
    local name = path .. ".wav"
    pt.data.write_wav(pt.ones(2, 3), name, { sample_rate = 8000, bits = 24 })
    local text = read(name)
    os.remove(name)
    return text
  end,
  index = function() return '{"metadata":{"n":1},"weight_map":{"a":"x.safetensors"}}' end,
}

-- Loads what is in the file; an error must be a text that names it.
local function try(what)
  local start = os.clock()
  local ok, message = pcall(pt.load, path)
  if not ok then
    local text = tostring(message)
    assert(text:find(path, 1, true) or text:find("%.safetensors: cannot open"), what .. ": " .. text)
    assert(not (text:find "out of memory" or text:find "scripts/pt" or text:find "%[pt%]"), what .. ": " .. text)
  end
  assert(os.clock() - start < 5, what .. " takes long")
end

-- Whether the process still has the file open or in its memory.
local function is_held()
  collectgarbage()
  collectgarbage()
  local pid = io.open("/proc/self/stat"):read "n"
  local pipe = assert(io.popen(("ls -l /proc/%d/fd; cat /proc/%d/maps"):format(pid, pid)))
  local text = pipe:read "a"
  pipe:close()
  return text:find(path, 1, true) ~= nil
end

describe("a damaged file #tsan", function()
  setup(function()
    path = os.tmpname()
    collectgarbage()
    pt.set_memory_limit(pt.memory_stats().live_bytes + (72 << 20)) -- 64 MB, 16 times the file's size, and some
  end)
  teardown(function()
    os.remove(path)
    pt.set_memory_limit(0)
  end)

  for name, make in pairs(files) do
    it("of " .. name .. " cut anywhere is refused or read", function()
      local text = make()
      for n = 0, #text - 1 do
        write(text:sub(1, n))
        try(("%s, cut at %d"):format(name, n))
      end
    end)

    it("of " .. name .. ", or a whole one, is let go when it was read", function()
      local text = make()
      for _, n in ipairs { #text, #text // 2, 1 } do
        write(text:sub(1, n))
        pcall(pt.load, path)
        assert.is_false(is_held())
      end
    end)

    it("of " .. name .. " with any byte changed is refused or read", function()
      local text = make()
      for at = 1, #text do
        local byte = text:byte(at)
        local seen = { [byte] = true }
        local values = { 0, 255, byte + 1, byte - 1 }
        for bit = 0, 7 do values[#values + 1] = byte ~ 1 << bit end
        if many then for v = 0, 255 do values[#values + 1] = v end end
        for _, value in ipairs(values) do
          if not seen[value & 255] then
            seen[value & 255] = true
            write(text:sub(1, at - 1) .. string.char(value & 255) .. text:sub(at + 1))
            try(("%s, byte %d as %d"):format(name, at - 1, value & 255))
          end
        end
      end
    end)
  end

  it("of zip may not unpack to much, or to other than it says", function()
    local zeros = 10 << 20
    -- deflate of zeros, made by hand: a stored block is enough to be unpacked, and small enough to lie
    local stored = "\1" .. ("<I2I2"):pack(4, 0xFFFF - 4) .. "abcd"
    for bytes, message in pairs {
      [zeros] = "cannot unpack to", [5] = "it unpacks to less than its directory says",
      [3] = "it unpacks to more than its directory says",
    } do
      write(stored)
      local blob <close> = core.open_file("load", path)
      local ok, text = pcall(blob.inflate, blob, 0, #stored, bytes)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true) or tostring(text):find("no zlib", 1, true), tostring(text))
    end
  end)

  it("of pickle may not ask for more lists than its bytes can mean", function()
    local zip = require "pt.files.zip"
    zip.write("spec", path, { { name = "m/data.pkl", parts = { "\x80\2(" .. ("]"):rep(200000) .. "l." } } })
    local ok, text = pcall(pt.load, path)
    assert.is_false(ok)
    assert.is_truthy(tostring(text):find("lists and dicts", 1, true), tostring(text))
  end)
end)
