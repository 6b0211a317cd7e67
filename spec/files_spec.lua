-- What every writer and reader of files promises: a write that fails raises, leaves the old file as it was and no other
-- one behind; a small file cannot ask for much memory.

local pt = require "pt"
local data = pt.data

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"

local folder
local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local out = pipe:read "a"
  return out, (select(3, pipe:close()))
end
local text_file = require "spec.support.text_file"
local read, write = text_file.read, text_file.write

before_each(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
end)
after_each(function() os.execute(("rm -rf %s %s.gcov"):format(folder, folder)) end)

-- Each writes some kilobytes to `path`, in a process that may write 1 KB.
local writers = {
  ["pt.save"] = "pt.save({ x = pt.randn(1000) }, path)",
  ["data.write_file"] = "pt.data.write_file(path, pt.zeros(9000, { dtype = pt.uint8 }))",
  ["data.write_png"] = "pt.data.write_png((pt.rand(3, 64, 64) * 255):to(pt.uint8), path)",
  ["data.write_jpeg"] = "pt.data.write_jpeg((pt.rand(3, 128, 128) * 255):to(pt.uint8), path)",
  ["BPETokenizer.save"] = [[
    local text = {}
    for i = 1, 3000 do text[i] = tostring(i * 7919) end
    pt.data.BPETokenizer.train(table.concat(text, " "), 700):save(path)]],
  ["history.svg"] = [[
    local log = pt.history()
    for i = 1, 2000 do log { loss = i } end
    log:svg(path, { "loss" })]],
}
-- Each adds to what is there.
local logs = { "csv", "jsonl", "tfevents" }

-- What the script says, or how it failed, with files of this process limited to 1 KB. A build with counters must not
-- cut its own short: they go elsewhere.
local function limited(script, path)
  local text = ("local path = %q; %s"):format(path, script)
  local settings = ("trap '' XFSZ; ulimit -f 1; export GCOV_PREFIX=%s.gcov"):format(folder)
  return run(("(%s; exec %s -e %s)"):format(settings, ptlua, quote(text)))
end

describe("a write that fails", function()
  for name, script in pairs(writers) do
    it("raises and leaves the old file: " .. name .. " #plain", function()
      local path = folder .. "/x.safetensors"
      write(path, "old")
      local out, code = limited(script, path)
      if out:find "Debian: lib" then return pending "this build has no image library" end
      assert.not_equal(0, code)
      assert.is_truthy(out:find("File too large", 1, true), out)
      assert.equal("old", read(path))
      assert.equal("x.safetensors\n", (run("ls " .. folder)))
    end)
  end

  for _, kind in ipairs(logs) do
    it("raises and leaves no half entry in a log: " .. kind .. " #plain", function()
      local path = folder .. "/log." .. kind
      local out, code = limited([[
        local log = pt.history(path, { append = true })
        for i = 1, 1000 do
          print(i)
          log { step = i, loss = 1 / i }
        end]], path)
      assert.not_equal(0, code)
      assert.is_truthy(out:find("File too large", 1, true), out)
      local entries = 0
      for _ in out:gmatch "%f[^\0\n]%d+\n" do entries = entries + 1 end
      local whole = folder .. "/whole." .. kind -- the same entries without the limit
      local log = pt.history(whole)
      for i = 1, entries - 1 do log { step = i, loss = 1 / i } end
      if kind == "tfevents" then assert.equal(#read(whole), #read(path)) -- times differ
      else assert.equal(read(whole), read(path)) end
    end)
  end

  it("says so in a folder that is not there", function()
    for name, script in pairs(writers) do
      local text = ("local path = %q; %s"):format(folder .. "/no/x", script)
      local out, code = run(("%s -e %s"):format(ptlua, quote(text)))
      assert(code ~= 0 and out:find "No such file" or out:find "Debian: lib", name .. ": " .. out)
    end
  end)
end)

describe("a signal during a call", function()
  -- spec/torture/files.lua does this to every writer, with every error.
  it("does not end it, and what cannot be opened leaves nothing behind #plain", function()
    local preload, place = folder .. "/faults.so", folder .. "/x"
    assert(os.execute(("cc -shared -fPIC -o %s spec/torture/faults.c -ldl && mkdir %s"):format(preload, place)))
    local path = place .. "/x.safetensors"
    local function saves(n, errno)
      write(path, "old")
      local settings = ("FAULT_UNDER=%s FAULT_AT=%d FAULT_ERRNO=%d LD_PRELOAD=%s"):format(place, n, errno, preload)
      local text = ("pt.save({ x = pt.ones(10) }, %q)"):format(path)
      local out, code = run(("%s %s -e %s"):format(settings, ptlua, quote(text)))
      return out:match "FAULT in (%w+)", code
    end
    local EINTR, EIO, n, seen = 4, 5, 0, {}
    repeat
      n = n + 1
      local call, code = saves(n, EINTR)
      assert.equal(0, code, call)
      seen[call or ""] = true
    until not call
    assert(seen.open and seen.flock and seen.ftruncate and seen.write and seen.fsync and seen.rename)
    for i = 1, n - 1 do
      local call, code = saves(i, EIO)
      assert.equal("x.safetensors\n", (run("ls " .. place)), call)
      if code ~= 0 then assert.equal("old", read(path), call) end
    end
  end)
end)

describe("standard output", function()
  it("that takes nothing fails the process, also through os.exit #plain", function()
    for _, script in ipairs { "print(1)", "io.write(1)", "print(1) os.exit(true)", "print(1) os.exit(true, true)" } do
      for _, target in ipairs { ">/dev/full", ">&-" } do
        local out, code = run(("(%s -e %s %s)"):format(ptlua, quote(script), "2>&1 " .. target))
        assert.equal(1, code, script .. target)
        assert.is_truthy(out:find("ptlua: standard output: ", 1, true), out)
      end
    end
    local _, code = run(("(%s -e 'local x = 1' >&-)"):format(ptlua))
    assert.equal(0, code)
  end)
end)

describe("a small file", function()
  -- 80 MB of zeros in 80 KB, behind the header of an IDX file that announces them.
  local bomb = os.tmpname()
  setup(function()
    local head = "\\0\\0\\10\\1\\4\\304\\264\\0"
    assert(os.execute(("(printf '%s'; head -c 80000000 /dev/zero) | gzip > %s"):format(head, bomb)))
  end)
  teardown(function() os.remove(bomb) end)

  local readers = { "read_text", "read_lines", "read_csv", "read_cifar", "read_file", "read_image", "read_idx" }
  for _, name in ipairs(readers) do
    it("does not unpack without bound: " .. name .. " #plain", function()
      local ok, err = pcall(data[name], bomb)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find "unpack", tostring(err))
    end)
  end

  it("is read where max_bytes says so #plain", function()
    local path = folder .. "/some.gz"
    assert(os.execute(("head -c 3000 /dev/zero | gzip > %s"):format(path)))
    assert.equal(3000, #data.read_text(path, { max_bytes = 3000 }))
    local ok, err = pcall(data.read_text, path, { max_bytes = 2999 })
    assert(not ok and err:find("unpack to more than 2999", 1, true), err)
    write(folder .. "/plain", ("x"):rep(50))
    ok, err = pcall(data.read_file, folder .. "/plain", { max_bytes = 49 })
    assert(not ok and err:find("it has 50 bytes; max_bytes allows 49", 1, true), err)
    ok, err = pcall(data.read_lines, path, { max_bytes = 0 })
    assert(not ok and err:find "max_bytes must be a positive integer", err)
  end)

  it("of byte pairs that double is refused", function()
    local lines = { "ptlua-bpe 1", "1 1" }
    for i = 1, 40 do lines[#lines + 1] = ("%d %d"):format(256 + i, 256 + i) end
    write(folder .. "/pairs", table.concat(lines, "\n"))
    local ok, err = pcall(data.BPETokenizer.load, folder .. "/pairs")
    assert(not ok and err:find "the pieces have %d+ bytes", err)
  end)
end)

describe("a large CSV file", function()
  it("becomes a tensor in pieces", function()
    local rows = {}
    for i = 1, 9000 do rows[i] = i .. "," .. i * 2 end
    write(folder .. "/x.csv", "a,b\n" .. table.concat(rows, "\n"))
    local x, names = data.read_csv(folder .. "/x.csv", { header = true })
    assert.same({ "a", "b" }, names)
    assert.same({ 9000, 2 }, x.shape)
    assert.same({ { 4097, 8194 }, { 9000, 18000 } }, x:index_select(1, pt.tensor { 4097, 9000 }):tolist())
  end)
end)
