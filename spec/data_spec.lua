-- pt.data: datasets, loaders, IDX files.
local pt = require "pt"
local data = pt.data

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function rows(n) return data.TensorDataset(pt.range(1, n):reshape(n, 1), pt.range(1, n) * 10) end
-- All x of an epoch, flat, and the sizes of the batches.
local function epoch(loader)
  local values, sizes = {}, {}
  for x, y in loader do
    sizes[#sizes + 1] = x:size(1)
    for i, v in ipairs(x:flatten():tolist()) do
      values[#values + 1] = math.tointeger(v)
      assert.equal(v * 10, y:tolist()[i])
    end
  end
  return values, sizes
end
local function sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

describe("datasets", function()
  it("of tensors count rows and give them", function()
    local set = rows(3)
    assert.equal(3, #set)
    local x, y = set:get(2)
    assert.same({ { 2 }, 20 }, { x:tolist(), y:item() })
    raises("argument 2 is [2]; all must have the 3 rows", data.TensorDataset, pt.ones(3), pt.ones(2))
    raises("argument 1 must be a tensor, got a nil", data.TensorDataset)
    raises("argument 1 is []", data.TensorDataset, pt.ones(3):sum())
  end)

  it("can be made by hand", function()
    local Squares = data.class("Squares")
    function Squares:len() return 5 end
    function Squares:get(i) return pt.tensor { i }, i * i end
    local list = {}
    for x, y in data.DataLoader(Squares(), { batch_size = 2 }) do
      list[#list + 1] = { x:flatten():tolist(), y:tolist() }
    end
    assert.same({ { { 1, 2 }, { 1, 4 } }, { { 3, 4 }, { 9, 16 } }, { { 5 }, { 25 } } }, list)
    raises("Empty has no len method", function() return #data.class("Empty")() end)
  end)
end)

describe("a loader", function()
  it("gives batches in order, the last one smaller or dropped", function()
    local loader = data.DataLoader(rows(5), { batch_size = 2 })
    assert.equal(3, #loader)
    assert.same({ { 1, 2, 3, 4, 5 }, { 2, 2, 1 } }, { epoch(loader) })
    loader = data.DataLoader(rows(5), { batch_size = 2, drop_last = true })
    assert.equal(2, #loader)
    assert.same({ { 1, 2, 3, 4 }, { 2, 2 } }, { epoch(loader) })
    assert.same({ {}, {} }, { epoch(data.DataLoader({}, 2)) })
  end)

  it("shuffles reproducibly by seed and epoch", function()
    local function made(seed) return data.DataLoader(rows(50), { batch_size = 8, shuffle = true, seed = seed }) end
    local a, b = made(1), made(1)
    local first, second = epoch(a), epoch(a)
    assert.same(first, epoch(b))
    assert.same(second, epoch(b))
    assert.not_same(first, second)
    assert.not_same(first, epoch(made(2)))
    assert.same(sorted(second), sorted(first))
    a:set_epoch(0)
    assert.same(first, epoch(a))
  end)

  it("without a seed shuffles by the default generator", function()
    local function order()
      pt.manual_seed(5)
      local loader = data.DataLoader(rows(30), { batch_size = 30, shuffle = true })
      return { epoch(loader), epoch(loader) }
    end
    local got = order()
    assert.same(got, order())
    assert.not_same(got[1], got[2])
  end)

  it("puts every order within reach", function()
    local seen, loader = {}, data.DataLoader(rows(3), { batch_size = 3, shuffle = true, seed = 1 })
    for _ = 1, 200 do seen[table.concat((epoch(loader)))] = true end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.equal(6, count)
  end)

  it("starts anew after a loop that broke off, and can run twice at once", function()
    local loader = data.DataLoader(rows(4), { batch_size = 1 })
    loader()
    assert.equal(4, #epoch(loader))
    local pairs_seen = 0
    for _ in loader:iter() do
      for _ in loader:iter() do pairs_seen = pairs_seen + 1 end
    end
    assert.equal(16, pairs_seen)
  end)

  it("collates tensors, numbers, booleans and lists of the rest", function()
    local list = {}
    for i = 1, 2 do list[i] = i end
    local batch = data.DataLoader(list, 2):iter()()
    assert.same({ 1, 2 }, batch:tolist())
    assert.same({ "a", "b" }, data.default_collate { "a", "b" })
    assert.same({ 2, 3 }, data.default_collate({ pt.ones(3), pt.ones(3) }):size())
    assert.equal(pt.bool, data.default_collate({ true, false }).dtype)
    local loader = data.DataLoader({ "x", "yy" }, { batch_size = 2, collate_fn = function(s) return #s, s[2][1] end })
    assert.same({ 2, "yy" }, { loader:iter()() })
  end)

  it("names the sample that failed", function()
    local Bad = data.class("Bad")
    function Bad:len() return 3 end
    function Bad:get(i) return i < 3 and i or error "torn" end
    raises("DataLoader: sample 3: ", function() for _ in data.DataLoader(Bad(), 2) do end end)
  end)

  it("checks its options", function()
    raises("batch_size must be 1 or more, got 0", data.DataLoader, rows(2), 0)
    raises("expected a dataset, got 3", data.DataLoader, 3)
    raises("did you mean 'shuffle'?", data.DataLoader, rows(2), { shufle = true })
  end)
end)

describe("read_idx", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end
  local function idx(code, sizes, body)
    local text = string.pack(">I2BB", 0, code, #sizes)
    for _, n in ipairs(sizes) do text = text .. string.pack(">I4", n) end
    return text .. body
  end

  for _, case in ipairs {
    { 0x08, "B", "uint8", { 0, 7, 255 } }, { 0x09, "b", "int8", { -128, 0, 127 } },
    { 0x0b, "i2", "int16", { -300, 2, 300 } }, { 0x0c, "i4", "int32", { -70000, 1, 70000 } },
    { 0x0d, "f", "float32", { -1.5, 0, 2.25 } }, { 0x0e, "d", "float64", { -1e100, 0, 0.1 } },
  } do
    it("reads " .. case[3], function()
      local v = case[4]
      write(idx(case[1], { 3, 1 }, string.pack((">" .. case[2]):rep(3), v[1], v[2], v[3])))
      local x = data.read_idx(path)
      assert.equal(pt[case[3]], x.dtype)
      assert.same({ { v[1] }, { v[2] }, { v[3] } }, x:tolist())
    end)
  end

  it("reads gzipped files, and sees what is damaged in them", function()
    local body = ("\1\2"):rep(5000)
    write(idx(8, { 100, 100 }, body))
    if not os.execute("gzip -f " .. path) then return pending "gzip is not here" end
    os.rename(path .. ".gz", path)
    assert.equal(15000, data.read_idx(path):to(pt.int64):sum():item())
    local file = assert(io.open(path, "rb"))
    local whole = file:read "a"
    file:close()
    for n = 0, #whole - 1 do
      write(whole:sub(1, n))
      raises(path .. ": byte ", data.read_idx, path)
    end
    write(whole:sub(1, -6) .. string.char(whole:byte(-5) ~ 1) .. whole:sub(-4)) -- the size of the contents
    raises(path .. ": byte " .. #whole - 4 .. ": the compressed data is damaged", data.read_idx, path)
  end)

  it("reads an empty tensor and labels", function()
    write(idx(8, { 0, 28, 28 }, ""))
    assert.same({ 0, 28, 28 }, data.read_idx(path):size())
    write(idx(8, { 3 }, "\0\9\4"))
    assert.same({ 1, 10, 5 }, data.read_labels(path):tolist())
    assert.equal(pt.int64, data.read_labels(path).dtype)
    write(idx(8, { 1, 1 }, "\0"))
    raises("not a row of labels", data.read_labels, path)
  end)

  for what, text in pairs {
    ["the file ends early"] = "\0\0\8",
    ["not an IDX file"] = "PNG\1\0\0\0\1x",
    ["unknown element type"] = idx(0x0a, { 1 }, "x"),
    ["more than 8 dims"] = string.pack(">I2BB", 0, 8, 200) .. ("\0"):rep(800),
    ["the file is too short for its header"] = idx(8, { 4 }, "abc"),
    ["more data than the header says"] = idx(8, { 2 }, "abc"),
    ["read_idx: "] = idx(14, { 0xffffffff, 0xffffffff, 0xffffffff }, "x"),
  } do
    it("refuses: " .. what, function()
      write(text)
      raises(what, data.read_idx, path)
      raises("read_idx", data.read_idx, path)
    end)
  end

  it("names the path and the reason", function()
    raises("/no/such.idx: cannot open: No such file", data.read_idx, "/no/such.idx")
    raises("read_idx: the path must be a string, got nil", data.read_idx)
  end)
end)
