-- pt.data: parts of datasets, samplers, workers, transforms, readers and tokenizers.
local pt = require "pt"
local data = pt.data
local T = data.transforms

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function collect(iterator)
  local list = {}
  for x in iterator do list[#list + 1] = pt.is_tensor(x) and x:tolist() or x end
  return list
end

local function numbers(n) return data.TensorDataset(pt.range(1, n)) end

describe("parts of datasets", function()
  it("Subset", function()
    local part = data.Subset(numbers(5), { 4, 2 })
    assert.equal(2, #part)
    assert.equal(2, part:get(2):item())
    assert.same({ { 4, 2 } }, collect(data.DataLoader(part, 2):iter()))
    assert.equal("b", data.Subset({ "a", "b" }, pt.tensor { 2 }):get(1))
    raises("Subset: id 1 is 9; the dataset has samples 1 to 5", data.Subset, numbers(5), { 9 })
  end)

  it("ConcatDataset", function()
    local all = data.ConcatDataset { numbers(2), { 7, 8 }, numbers(1) }
    assert.equal(5, #all)
    local list = {}
    for i = 1, 5 do
      local x = all:get(i)
      list[i] = pt.is_tensor(x) and x:item() or x
    end
    assert.same({ 1, 2, 7, 8, 1 }, list)
    raises("there is no sample 6; it has 5", all.get, all, 6)
  end)

  it("MapDataset", function()
    local squares = data.MapDataset(numbers(3), function(x) return x * x, "y" end)
    assert.same({ 9, "y" }, { squares:get(3):item(), select(2, squares:get(3)) })
    assert.same({ { 1, 4, 9 } }, collect(data.DataLoader(squares, 3):iter()))
  end)

  it("random_split gives each sample to one part", function()
    local parts = data.random_split(numbers(10), { 7, 3 }, { seed = 1 })
    assert.same({ 7, 3 }, { #parts[1], #parts[2] })
    local seen = {}
    for _, part in ipairs(parts) do
      for i = 1, #part do seen[part:get(i):item()] = true end
    end
    assert.equal(10, #seen)
    assert.same(parts[1].indices, data.random_split(numbers(10), { 7, 3 }, { seed = 1 })[1].indices)
    local shares = data.random_split(numbers(10), { 0.5, 0.25, 0.25 })
    assert.same({ 6, 2, 2 }, { #shares[1], #shares[2], #shares[3] })
    raises("the lengths add up to 9, the dataset has 10", data.random_split, numbers(10), { 9 })
  end)
end)

describe("samplers", function()
  local source = numbers(6)

  it("give ids", function()
    assert.same({ 1, 2, 3, 4, 5, 6 }, collect(data.SequentialSampler(source):iter()))
    local random = collect(data.RandomSampler(source, { seed = 3 }):iter(0))
    assert.not_same(random, collect(data.RandomSampler(source, { seed = 3 }):iter(1)))
    table.sort(random)
    assert.same({ 1, 2, 3, 4, 5, 6 }, random)
    assert.equal(15, #collect(data.RandomSampler(source, { replacement = true, num_samples = 15 }):iter()))
    assert.equal(8, #collect(data.RandomSampler(source, { num_samples = 8 }):iter()))
  end)

  it("by weight", function()
    local count = { 0, 0, 0 }
    for _, id in ipairs(collect(data.WeightedRandomSampler({ 1, 0, 3 }, 4000, { seed = 1 }):iter())) do
      count[id] = count[id] + 1
    end
    assert.equal(0, count[2])
    assert.is_true(math.abs(count[3] / 4000 - 0.75) < 0.03)
    local once = collect(data.WeightedRandomSampler({ 1, 0, 3 }, 2, { replacement = false }):iter())
    table.sort(once)
    assert.same({ 1, 3 }, once)
    raises("3 samples cannot be drawn from 2 weights", data.WeightedRandomSampler, { 1, 0, 3 }, 3, false)
    raises("weight 1 is -1", data.WeightedRandomSampler, { -1 }, 1)
  end)

  it("in batches", function()
    local batches = data.BatchSampler(data.SequentialSampler(source), 4)
    assert.same({ { 1, 2, 3, 4 }, { 5, 6 } }, collect(batches:iter()))
    assert.equal(1, #data.BatchSampler(data.SequentialSampler(source), 4, true))
    assert.same({ { 1, 2, 3, 4 }, { 5, 6 } }, collect(data.DataLoader(source, { batch_sampler = batches }):iter()))
  end)

  it("decide a loader's order", function()
    local order = data.class("Backwards", data.Sampler)
    function order:len() return 6 end
    function order:iter()
      local i = 7
      return function()
        i = i - 1
        return i > 0 and i or nil
      end
    end
    local loader = data.DataLoader(source, { batch_size = 3, sampler = order() })
    assert.equal(2, #loader)
    assert.same({ { 6, 5, 4 }, { 3, 2, 1 } }, collect(loader:iter()))
    raises("only one of shuffle, sampler and batch_sampler", data.DataLoader, source,
      { shuffle = true, sampler = order() })
  end)
end)

describe("a loader with workers", function()
  local Noisy = data.class("Noisy")
  function Noisy:len() return 20 end
  function Noisy:get(i)
    if i == self.bad then error("torn") end
    return pt.tensor { i * 1. } + pt.rand(1), i
  end

  local function run(options)
    pt.manual_seed(3)
    local loader = data.DataLoader(Noisy(), options)
    local list = {}
    for _ = 1, 2 do
      for x, i in loader do list[#list + 1] = { x:flatten():tolist(), i:tolist() } end
    end
    return list
  end

  it("gives the same batches for any number of them", function()
    for _, seed in ipairs { 5, false } do
      local want = run { batch_size = 3, shuffle = true, seed = seed }
      assert.equal(14, #want)
      assert.not_same(want[1], want[8])
      for workers = 1, 4, 3 do
        assert.same(want, run { batch_size = 3, shuffle = true, seed = seed, num_workers = workers })
      end
    end
  end)

  it("draws new numbers each epoch, and leaves the default generator alone", function()
    local loader = data.DataLoader(Noisy(), { seed = 1 })
    pt.manual_seed(1)
    local want = pt.rand(1):item()
    pt.manual_seed(1)
    local first = loader:iter()():item()
    assert.equal(want, pt.rand(1):item())
    assert.not_equal(first, loader:iter()():item())
  end)

  it("names the sample that failed", function()
    local dataset = Noisy()
    dataset.bad = 8
    for workers = 0, 2, 2 do
      local loader = data.DataLoader(dataset, { batch_size = 4, num_workers = workers })
      local seen = 0
      raises("DataLoader: sample 8: ", function() for _ in loader do seen = seen + 1 end end)
      assert.equal(1, seen)
    end
  end)

  it("can be left before its end and started anew", function()
    local loader = data.DataLoader(numbers(10), { batch_size = 2, num_workers = 2, prefetch_factor = 1 })
    loader()
    assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 }, { 9, 10 } }, collect(loader:iter()))
  end)

  it("calls worker_init_fn and collate_fn there", function()
    local loader = data.DataLoader({ "a", "b", "c" }, {
      batch_size = 2, num_workers = 2,
      worker_init_fn = function() _G.greeting = "hello " end,
      collate_fn = function(samples) return _G.greeting .. #samples end,
    })
    assert.same({ "hello 2", "hello 1" }, collect(loader:iter()))
    assert.is_nil(rawget(_G, "greeting"))
  end)

  it("goes on from its state", function()
    local function make() return data.DataLoader(Noisy(), { batch_size = 4, shuffle = true }) end
    local first = make()
    local rest = first:iter()
    rest()
    rest()
    local state = first:state_dict()
    assert.same({ 0, 2 }, { state.epoch, state.position })
    local second = make()
    second:load_state_dict(state)
    for x in second do assert.same(rest():tolist(), x:tolist()) end
    assert.is_nil((rest()))
    assert.same({ epoch = 1, position = 0 }, second:state_dict())
    raises("expected what DataLoader:state_dict() returned", second.load_state_dict, second, {})
  end)

  it("checks its options", function()
    raises("num_workers must be 0 to 256, got -1", data.DataLoader, { 1 }, { num_workers = -1 })
    assert.equal(1, #data.DataLoader({ 1 }, { pin_memory = true, persistent_workers = true }))
    raises("prefetch_factor must be 1 or more", data.DataLoader, { 1 }, { prefetch_factor = 0 })
  end)
end)

describe("samples that come one after the other", function()
  local Stream = data.class("Stream", data.IterableDataset)
  function Stream:iter()
    local i = 0
    return function()
      i = i + 1
      if i <= 5 then return pt.tensor(i), i * 2 end
    end
  end

  it("are batched in their order", function()
    local loader = data.DataLoader(Stream(), 2)
    assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, collect(loader))
    assert.same({ { 1, 2 }, { 3, 4 } }, collect(data.DataLoader(Stream(), { batch_size = 2, drop_last = true })))
    assert.same({ 2, 4 }, select(2, loader:iter()()):tolist())
    raises("has an order of its own", data.DataLoader, Stream(), { shuffle = true })
    raises("num_workers must be 0", data.DataLoader, Stream(), { num_workers = 1 })
  end)
end)

describe("default_collate", function()
  it("goes into tables", function()
    local batch = data.default_collate { { x = 1, y = { 1., 2 } }, { x = 3, y = { 4., 5 } } }
    assert.same({ 1, 3 }, batch.x:tolist())
    assert.same({ { 1, 4 }, { 2, 5 } }, { batch.y[1]:tolist(), batch.y[2]:tolist() })
  end)
end)

describe("transforms", function()
  local x = pt.range(1, 12):reshape(1, 3, 4):to(pt.uint8)

  it("change values", function()
    local y = T.Compose { T.ToTensor(), T.Normalize(0.5, 2) } (x)
    assert.equal(pt.float32, y.dtype)
    assert.is_true(math.abs(y[{ 1, 1, 1 }]:item() - (1 / 255 - 0.5) / 2) < 1e-6)
    assert.same({ 1, 3, 4 }, T.ToTensor()(x[1]):size())
    local rgb = pt.ones(3, 2, 2) * pt.tensor { 1., 0, 0 }:reshape(3, 1, 1)
    assert.is_true(math.abs(T.Grayscale()(rgb)[{ 1, 1, 1 }]:item() - 0.299) < 1e-6)
    assert.same({ 3, 2, 2 }, T.ColorJitter(0.5, 0.5, 0.5)(rgb):size())
    assert.equal(pt.uint8, T.ColorJitter(0.5)(x).dtype)
    assert.same({ -1, -0.5 }, T.Normalize({ 0.5, 0.5 }, { 0.5, 1 })(pt.zeros(2, 1, 1)):flatten():tolist())
  end)

  it("move places", function()
    assert.same({ 4, 3, 2, 1 }, T.RandomHorizontalFlip(1)(x)[{ 1, 1 }]:tolist())
    assert.same({ 9, 10, 11, 12 }, T.RandomVerticalFlip(1)(x)[{ 1, 1 }]:tolist())
    assert.same({ 1, 2, 3, 4 }, T.RandomVerticalFlip(0)(x)[{ 1, 1 }]:tolist())
    assert.same({ { { 2, 3 }, { 6, 7 } } }, T.CenterCrop(2)(x):tolist())
    assert.same({ 1, 5, 8 }, T.Pad({ 1, 2 })(x):size())
    assert.same({ 1, 3, 4 }, T.RandomCrop({ 3, 4 }, 2)(x):size())
    assert.same({ 6, 8 }, T.Resize { size = { 6, 8 } } (x[1]):size())
    assert.same({ 1, 5, 5 }, T.RandomResizedCrop(5)(x):size())
    assert.equal(pt.uint8, T.Resize(5)(x).dtype)
    local same = T.RandomAffine()(x:float())
    assert.is_true((same - x):abs():max():item() < 1e-4)
    local turned = T.RandomRotation(90)(pt.ones(3, 9, 9))
    assert.is_true(math.abs(turned[{ 2, 5, 5 }]:item() - 1) < 1e-5)
    assert.is_true(T.RandomErasing(1)(pt.ones(1, 9, 9)):sum():item() < 81)
  end)

  it("work in a dataset, with other values passed on", function()
    local images = data.TensorDataset(pt.randn(4, 1, 6, 6), pt.range(1, 4))
    local loader = data.DataLoader(data.MapDataset(images, T.Compose { T.RandomCrop(4) }), { batch_size = 2 })
    local y, label = loader:iter()()
    assert.same({ { 2, 1, 4, 4 }, { 1, 2 } }, { y:size(), label:tolist() })
  end)

  it("say what they need", function()
    raises("RandomCrop: a window of 5 by 5 of an image [1, 3, 4]", T.RandomCrop(5), x)
    raises("Grayscale: x [1, 3, 4] has no three colours", T.Grayscale(), x)
    raises("expected an image (..., height, width), got [3]", T.RandomHorizontalFlip(), pt.ones(3))
    raises("p must be between 0 and 1", T.RandomHorizontalFlip, 2)
  end)
end)

describe("readers", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)
  local function write(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  it("read tables of numbers", function()
    write 'a,"b, c"\r\n1,2.5\n# a remark\n-3e2, \n'
    local x, names = data.read_csv(path, { header = true, dtype = pt.float64 })
    assert.same({ "a", "b, c" }, names)
    assert.same({ 1, 2.5 }, x[1]:tolist())
    assert.equal(-300, x[{ 2, 1 }]:item())
    assert.is_true(x[{ 2, 2 }]:isnan():item())
    write '"say ""x""";2\n'
    assert.same({ { 'say "x"', "2" } }, data.read_csv(path, { sep = ";", text = true }))
    write ""
    assert.same({ 0, 0 }, data.read_csv(path):size())
  end)

  it("refuse tables that are damaged, with line and byte", function()
    write "1,2\n3,x\n"
    raises("line 2, byte 5: 'x' in column 2 is no number", data.read_csv, path)
    write "1,2\n3\n"
    raises("line 2, byte 5: 1 fields, those before have 2", data.read_csv, path)
    write '1,"2\n'
    raises("line 1, byte 3: a quote is not closed", data.read_csv, path)
    raises("No such file", data.read_csv, "/no/such.csv")
  end)

  it("read gzipped files as if they were not, and see what is damaged in them", function()
    local rows = {}
    for i = 1, 50 do rows[i] = ("%d,%.17g\n"):format(i, math.sin(i)) end
    local text = table.concat(rows)
    write(text)
    local plain = data.read_csv(path, { dtype = pt.float64 })
    if not os.execute("gzip -f " .. path) then return pending "gzip is not here" end
    os.rename(path .. ".gz", path)
    assert.is_true(pt.equal(plain, (data.read_csv(path, { dtype = pt.float64 }))))
    assert.equal(text, data.read_text(path))
    assert.equal(50, #data.read_lines(path))
    local file = assert(io.open(path, "rb"))
    local whole = file:read "a"
    file:close()
    for n = 2, #whole - 1, 7 do
      write(whole:sub(1, n))
      raises("read_csv: " .. path .. ": byte ", data.read_csv, path)
    end
    write(whole:sub(1, 99) .. "\255\255\255" .. whole:sub(103))
    raises("read_csv: " .. path .. ": byte ", data.read_csv, path)
  end)

  it("read CIFAR's binaries", function()
    write(("\3" .. ("\7"):rep(1024) .. ("\8"):rep(1024) .. ("\9"):rep(1024)):rep(2))
    local images, labels = data.read_cifar(path)
    assert.same({ { 2, 3, 32, 32 }, { 4, 4 } }, { images:size(), labels:tolist() })
    assert.same({ 7, 8, 9 }, images[{ 2, {}, 5, 5 }]:tolist())
    images, labels = data.read_cifar({ path, path })
    assert.same({ 4, 4 }, { images:size(1), #labels })
    write(("x"):rep(4000))
    raises("4000 bytes are no whole number of records of 3073; the last one ends at byte 3073", data.read_cifar, path)
  end)

  it("read text", function()
    write "one\r\ntwo\n\nfour"
    assert.same({ "one", "two", "", "four" }, data.read_lines(path))
    assert.equal("one\r\ntwo\n\nfour", data.read_text(path))
    assert.same({ 104, 105 }, data.bytes "hi":tolist())
    assert.same({ 0 }, data.bytes "":size())
  end)
end)

describe("tokenizers", function()
  it("of bytes", function()
    local t = data.ByteTokenizer()
    assert.same({ 1, 98, 256 }, t:encode "\0a\255":tolist())
    assert.equal("\0a\255", t:decode(t:encode "\0a\255"))
    assert.equal(256, #t)
    raises("decode: id 1 is 300; ids go from 1 to 256", t.decode, t, { 300 })
  end)

  it("of characters", function()
    local t = data.CharTokenizer "hello"
    assert.equal(4, #t)
    assert.same({ 2, 1, 3, 3, 4 }, t:encode "hello":tolist())
    assert.equal("hole", t:decode { 2, 4, 3, 1 })
    raises("encode: the character 'x' at byte 2 is not known", t.encode, t, "hx")
    local u = data.CharTokenizer "aé€"
    assert.same({ 3, 2, 1 }, u:encode "€éa":tolist())
    assert.equal("€é", u:decode(pt.tensor { 3, 2 }))
    raises("byte 2 of the text is no UTF-8", data.CharTokenizer, "a\255")
    assert.same({ 0 }, t:encode "":size())
  end)

  it("of byte pairs", function()
    local text = ("the cat and the hat, the bat; "):rep(3)
    local t = data.BPETokenizer.train(text, 270)
    assert.is_true(#t > 260 and #t <= 270)
    assert.same({ ("a"):byte() + 1, ("t"):byte() + 1 }, t.merges[1]) -- 9 times, as "he" and "th", with smaller ids
    local ids = t:encode(text)
    assert.equal(text, t:decode(ids))
    assert.is_true(#ids < #text * 0.6)
    for _, other in ipairs { "", "x", "Ünïcode — 12, \t\n\n and\0 more", "\255\254" } do
      assert.equal(other, t:decode(t:encode(other)))
    end
    local path = os.tmpname()
    t:save(path)
    assert.same(ids:tolist(), data.BPETokenizer.load(path):encode(text):tolist())
    local file = assert(io.open(path, "wb"))
    file:write "ptlua-bpe 1\n5 x\n"
    file:close()
    raises("line 2: not a pair of ids", data.BPETokenizer.load, path)
    os.remove(path)
    file = assert(io.open(path, "wb"))
    file:write "#version: 0.2\nt h\nĠ th\nĠth e\nh e\n"
    file:close()
    local g = data.BPETokenizer.from_gpt2(path)
    assert.equal(260, #g)
    -- GPT-2's ids: "!" is 0, "a" is 64, a space 220; joined pairs follow 255
    assert.same({ 259, 1, 65, 221, 258, 66 }, g:encode " the!a  thb":tolist())
    assert.equal(" the!a  thb", g:decode(g:encode " the!a  thb"))
    raises("keep that", g.save, g, path)
    os.remove(path)
    raises("pair 1 joins 300 and 1", data.BPETokenizer, { { 300, 1 } })
    raises("vocab_size must be 256 or more", data.BPETokenizer.train, text, 10)
  end)
end)
