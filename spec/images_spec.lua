-- PNG and JPEG: what other programs wrote, what we write, what is refused; folders of images.
local pt = require "pt"
local data = pt.data

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
  return message
end

local function bytes(hex) return data.bytes((hex:gsub("%s", ""):gsub("%x%x", function(b)
  return string.char(tonumber(b, 16))
end))) end
local PNG = "89504e470d0a1a0a0000000d49484452"

-- Whether this build has both formats (`make deps-test` installs their libraries).
local known, why = pcall(data.encode_png, pt.zeros(1, 1, 1):to(pt.uint8))
if known then known, why = pcall(data.encode_jpeg, pt.zeros(1, 1, 1):to(pt.uint8)) end
if not known then
  describe("images", function()
    it("are refused with the package to install", function()
      assert.is_truthy(why:find("Debian: lib", 1, true), why)
    end)
  end)
  return
end

local gradient = pt.stack {
  pt.arange(192):reshape(12, 16), pt.arange(191, -1, -1):reshape(12, 16), pt.arange(192):reshape(12, 16) // 2,
}:to(pt.uint8)

describe("decode_image", function()
  -- what, file, {mode, channels of the first pixels}...
  for _, case in ipairs {
    { "a palette with transparent colours", PNG .. [[00000003000000010203000000668efc2700000009504c5445ff000000ff00
      0a141ed97e4de70000000274524e53ff80080fb36a0000000a4944415478da63900000001a001980008ebb0000000049454e44ae426082]],
      UNCHANGED = { { { 255, 0, 10 } }, { { 0, 255, 20 } }, { { 0, 0, 30 } }, { { 255, 128, 255 } } },
      RGB = { { { 255, 0, 10 } }, { { 0, 255, 20 } }, { { 0, 0, 30 } } },
      GRAY_ALPHA = { { { 76, 149, 18 } }, { { 255, 128, 255 } } } },
    { "one bit for each pixel", PNG .. [[000000050000000101000000003e85595e0000000a4944415478da63d8000000b200b1f88292
      a70000000049454e44ae426082]],
      UNCHANGED = { { { 255, 0, 255, 255, 0 } } },
      RGB_ALPHA = { { { 255, 0, 255, 255, 0 } }, { { 255, 0, 255, 255, 0 } }, { { 255, 0, 255, 255, 0 } },
        { { 255, 255, 255, 255, 255 } } } },
    { "sixteen bits", PNG .. [[0000000200000001100000000081d9fc150000000d4944415478da63f8ff5fc8040007560245be6ac3370000
      000049454e44ae426082]], UNCHANGED = { { { 255, 18 } } } },
    { "interlaced lines", PNG .. [[0000000200000002080000000120da626e0000000f4944415478da636064606260660100001f000b2a19
      78130000000049454e44ae426082]], UNCHANGED = { { { 1, 2 }, { 3, 4 } } } },
    { "colours", PNG .. [[000000020000000108020000007b40e8dd0000000f4944415478da63f8cfc0c075420e0007cd01f02fcd42610000
      000049454e44ae426082]],
      UNCHANGED = { { { 255, 10 } }, { { 0, 200 } }, { { 0, 30 } } }, GRAY = { { { 76, 123 } } },
      RGB_ALPHA = { { { 255, 10 } }, { { 0, 200 } }, { { 0, 30 } }, { { 255, 255 } } } },
  } do
    it("reads " .. case[1], function()
      for _, mode in ipairs { "UNCHANGED", "GRAY", "GRAY_ALPHA", "RGB", "RGB_ALPHA" } do
        local x = data.decode_image(bytes(case[2]), { mode = mode })
        assert.equal(pt.uint8, x.dtype)
        if case[mode] then assert.same(case[mode], x:tolist()) end
      end
    end)
  end

  local PROGRESSIVE = [[ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f1320151312121327
    1c1e17202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc2000b080008000801011100ffc4
    0014000100000000000000000000000000000001ffda00080101000000013fffc400161001010100000000000000000000000000010204ffda
    00080101000105029c607fffc40017100100030000000000000000000000000001001121ffda0008010100063f02b709ffc400171001000300
    00000000000000000000000001001141ffda0008010100013f21542016ae4fffda00080101000000107fffc400171001010101000000000000
    00000000000001210041ffda0008010100013f1062828c02aaf0dfffd9]]
  local CMYK = [[ffd8ffee000e41646f626500640000000000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e29
    31302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc000140800080008044311004d11005911004b1100
    ffc400160001010100000000000000000000000000060507ffc40014100100000000000000000000000000000000ffda000e0443004d005900
    4b00003f0024a25ed21fffd9]]

  it("reads JPEGs as other programs do", function()
    local x = data.decode_image(bytes(PROGRESSIVE))
    assert.same({ 1, 8, 8 }, x:size())
    assert.same({ 8, 0, 25, 11, 10, 47, 44, 54 }, x[1][1]:tolist())
    assert.same({ 214, 216, 217, 230, 229, 255, 231, 23 }, x[1][8]:tolist())
    assert.is_true(pt.equal(x:expand(3, 8, 8), data.decode_image(bytes(PROGRESSIVE), { mode = "RGB" })))
    local four = data.decode_image(bytes(CMYK))
    assert.same({ 255 - 200, 255 - 99, 255 - 51, 255 - 10 }, four[{ {}, 1, 1 }]:tolist()) -- Adobe's are inverted
    raises("the image is CMYK", data.decode_image, bytes(CMYK), { mode = "RGB" })
    raises("a JPEG has no alpha", data.decode_image, bytes(PROGRESSIVE), { mode = "RGB_ALPHA" })
  end)

  it("refuses what promises more than it can hold, without taking memory", function()
    local before = pt.memory_stats().peak_bytes
    raises("byte 16: the file is too short for its width and height", data.decode_image,
      bytes(PNG .. [[7fffffff7fffffff080600000014c90b660000000c49444154789c6360a03d00000064000186643c350000000049454e44
        ae426082]]))
    local large = PROGRESSIVE:gsub("0800080008", "08ffdcffdc")
    raises("the file is too short for its width and height", data.decode_image, bytes(large))
    assert.is_true(pt.memory_stats().peak_bytes - before < 1 << 20)
  end)

  it("refuses every file that was cut, and says where", function()
    for _, file in ipairs { data.encode_png(gradient), data.encode_jpeg(gradient), bytes(PROGRESSIVE), bytes(CMYK) } do
      for n = 0, #file - 1 do
        local message = raises("decode_image: the data: byte ", data.decode_image, file:narrow(1, 1, n))
        assert.is_true(tonumber(message:match "byte (%d+)") <= n)
      end
    end
  end)

  it("takes or refuses every changed byte, and leaks nothing", function()
    collectgarbage()
    local live
    for round = 1, 2 do
      for _, file in ipairs { data.encode_png(gradient), data.encode_jpeg(gradient), bytes(PROGRESSIVE) } do
        for n = 1, #file, round == 1 and 1 or 7 do
          local other = file:clone()
          other[n] = other[n]:item() ~ (1 << n % 8)
          local ok, message = pcall(data.decode_image, other)
          assert(ok or tostring(message):find("byte %d+: "), message)
        end
      end
      collectgarbage()
      collectgarbage()
      live = live or pt.memory_stats().tensors
    end
    assert.equal(live, pt.memory_stats().tensors)
  end)

  it("says what it wants", function()
    raises('decode_image: mode must be "UNCHANGED", "GRAY"', data.decode_image, data.bytes "x", { mode = "BGR" })
    raises("neither PNG nor JPEG", data.decode_image, data.bytes "GIF89a")
    raises("the data must be a vector of uint8, got float32 [2]", data.decode_image, pt.ones(2))
    raises("decode_image: the data must be a tensor", data.decode_image, "x.png")
  end)
end)

describe("encode", function()
  it("gives PNGs that are the image, for 1 to 4 channels and any view", function()
    pt.manual_seed(1)
    for channels = 1, 4 do
      local x = pt.randint(0, 256, { channels, 70, 9 }):to(pt.uint8):transpose(2, 3)
      for _, level in ipairs { 0, 9 } do
        assert.is_true(pt.equal(x, data.decode_image(data.encode_png(x, { compression_level = level }))))
      end
    end
  end)

  it("gives JPEGs that are close to it", function()
    for _, x in ipairs { gradient, gradient:narrow(1, 2, 1), gradient:transpose(2, 3) } do
      local y = data.decode_image(data.encode_jpeg(x, { quality = 100 }))
      assert.is_true((y:float() - x:float()):abs():mean():item() < 3)
    end
    assert.is_true(#data.encode_jpeg(gradient, { quality = 10 }) < #data.encode_jpeg(gradient, { quality = 95 }))
  end)

  it("says what it wants", function()
    raises("encode_png: the image must be (channels, height, width) of uint8, got float32 [3, 2, 2]", data.encode_png,
      pt.ones(3, 2, 2))
    raises("encode_png: the image has 5 channels, wanted 1 to 4", data.encode_png, pt.zeros(5, 2, 2):to(pt.uint8))
    raises("encode_jpeg: the image has 2 channels, wanted 1 or 3", data.encode_jpeg, pt.zeros(2, 2, 2):to(pt.uint8))
    raises("uint8 [1, 0, 2]", data.encode_jpeg, pt.zeros(1, 0, 2):to(pt.uint8))
    raises("the image is too large", data.encode_jpeg, pt.zeros(1, 1, 65501):to(pt.uint8))
    raises("quality must be 1 to 100, got 0", data.encode_jpeg, gradient, { quality = 0 })
    raises("compression_level must be 0 to 9", data.encode_png, gradient, { compression_level = 10 })
  end)
end)

describe("files of images", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir -p %s/cat/more %s/ant"):format(folder, folder)))
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  it("are written and read", function()
    data.write_png(gradient, folder .. "/x.png")
    assert.is_true(pt.equal(gradient, data.read_image(folder .. "/x.png")))
    assert.same({ 1, 12, 16 }, data.read_image(folder .. "/x.png", { mode = "GRAY" }):size())
    data.write_jpeg(gradient, folder .. "/x.jpg", { quality = 90 })
    assert.is_true(pt.equal(data.decode_image(data.read_file(folder .. "/x.jpg")), data.read_image(folder .. "/x.jpg")))
    data.write_file(folder .. "/torn.png", data.read_file(folder .. "/x.png"):narrow(1, 1, 50))
    raises("read_image: " .. folder .. "/torn.png: byte ", data.read_image, folder .. "/torn.png")
    raises("read_image: " .. folder .. "/none.png: cannot open: No such file", data.read_image, folder .. "/none.png")
    raises("cannot write", data.write_png, gradient, folder .. "/none/x.png")
  end)

  it("make a dataset, a folder for each class, for any number of workers", function()
    for i, name in ipairs { "ant/2.png", "ant/10.jpg", "cat/a.PNG", "cat/more/b.png", "cat/notes.txt" } do
      local x = pt.full({ i == 1 and 1 or 3, 4, 5 }, i):to(pt.uint8)
      local write = name:find "jpg" and data.write_jpeg or data.write_png
      write(x, folder .. "/" .. name)
    end
    local set = data.ImageFolder(folder, { transform = data.transforms.ToTensor() })
    assert.same({ { "ant", "cat" }, { ant = 1, cat = 2 }, 4 }, { set.classes, set.class_to_idx, #set })
    local x, y = set:get(4)
    assert.same({ { 3, 4, 5 }, 2 }, { x:size(), y })
    for workers = 0, 2 do
      local loader = data.DataLoader(set, { batch_size = 4, num_workers = workers })
      local images, classes = loader:iter()()
      assert.same({ 1, 1, 2, 2 }, classes:tolist())
      assert.same({ 2, 1, 3, 4 }, (images * 255):round()[{ {}, 1, 1, 1 }]:long():tolist())
    end
    os.execute("rm -r " .. folder .. "/ant/*")
    raises("/ant holds no .png, .jpg or .jpeg", data.ImageFolder, folder)
    raises("has no folders", data.ImageFolder, folder .. "/ant")
    raises("ImageFolder: /no/such: No such file", data.ImageFolder, "/no/such")
  end)
end)
