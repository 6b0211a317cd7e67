-- Every writer of files, with every call to the system that it makes failing in turn: no space, a broken disk, a
-- folder that may not be written, a signal in between, half of what is to be written. It raises and leaves the old
-- file, or the new one is whole; a signal and a short write are no failures; no other file stays.
local common = require "spec.torture.common"

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local preload = folder .. "/faults.so"
assert(os.execute(("cc -shared -fPIC -o %s spec/torture/faults.c -ldl"):format(preload)))
local place = folder .. "/x"

-- Code that writes `path`, the ending of its name, whether it adds to what is there.
local writers = {
  { "pt.save", "pt.save({ x = pt.arange(1000) }, path)", "safetensors" },
  { "pt.save npz", "pt.save({ x = pt.arange(1000) }, path)", "npz" },
  { "pt.save pt", "pt.save({ x = pt.arange(1000) }, path)", "pt" },
  { "pt.save_run", "local m = pt.nn.Linear(3, 4) pt.save_run(path, { model = m, note = { best = 1 } })", "safetensors",
    size = true }, -- which lists its parts in any order
  { "data.write_file", "pt.data.write_file(path, pt.zeros(9000, { dtype = pt.uint8 }))", "bin" },
  { "data.write_png", "pt.data.write_png(pt.zeros(3, 64, 64, { dtype = pt.uint8 }), path)", "png" },
  { "BPETokenizer.save", "pt.data.BPETokenizer.train(('one two three '):rep(50), 270):save(path)", "bpe" },
  { "history.csv", "local log = pt.history(path, { append = true }) log { x = 1 } log { x = 2 }", "csv", true },
  { "history.jsonl", "local log = pt.history(path, { append = true }) log { x = 1 } log { x = 2 }", "jsonl", true },
  { "history.svg", "local log = pt.history() for i = 1, 9 do log { loss = i } end log:svg(path, { 'loss' })", "svg" },
}
local errors = { ENOSPC = 28, EIO = 5, EROFS = 30, EINTR = 4, ["a short write"] = 0 }

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end
local write = require("spec.support.text_file").write

--- Runs the writer with the n-th call failing: what it said, its status, the file, what else lies there.
local function run(writer, n, errno)
  assert(os.execute(("rm -rf %s && mkdir %s"):format(place, place)))
  local path = place .. "/file." .. writer[3]
  if not writer[4] then write(path, "old") end
  write(folder .. "/script.lua", ("local path = %q pt.manual_seed(1) %s"):format(path, writer[2]))
  local settings = ("FAULT_UNDER=%s FAULT_AT=%d FAULT_ERRNO=%d LD_PRELOAD=%s"):format(place, n, errno, preload)
  local pipe = assert(io.popen(("%s timeout 60 %s %s/script.lua 2>&1"):format(settings, ptlua, folder)))
  local out = pipe:read "a"
  local _, _, code = pipe:close()
  local names = io.popen("ls " .. place):read "a"
  return out, code, read(path), names
end

--- What is wrong with a run that failed, or nil.
local function fault_of(writer, kind, whole, out, code, text, names)
  local passes = kind == "EINTR" or kind == "a short write"
  local file = "file." .. writer[3] .. "\n"
  if names ~= file and not (names == "" and writer[4] and code ~= 0) then return "leaves " .. names end
  local same = text == whole or writer.size and text and #text == #whole
  if code == 0 then return not same and "says nothing and leaves another file" or nil end
  if passes then return "fails: " .. out end
  if not out:find "file%." then return "does not name the file: " .. out end
  if not writer[4] then return text ~= "old" and "raises and the old file is gone" or nil end
  if whole:sub(1, #(text or "")) ~= (text or "") then return "leaves half an entry" end
end

local function sweep(writer)
  local struck, plain, code, whole = 0, run(writer, 0, 0)
  if plain:find "Debian: lib" then return 0 end
  assert(code == 0, plain)
  for kind, errno in pairs(errors) do
    for n = 1, 100 do
      local out, status, text, names = run(writer, n, errno)
      local call = out:match "FAULT in (%w+)"
      if not call then break end
      struck = struck + 1
      local wrong = fault_of(writer, kind, whole, out, status, text, names)
      if wrong then common.fault(writer[1], ("%s in %s, call %d: %s"):format(kind, call, n, wrong)) end
      if not common.goes_on() then return struck end
    end
  end
  return struck
end

local failures, seen = 0, 0
for _, writer in ipairs(common.shuffled(writers)) do
  if not common.goes_on() then break end
  failures, seen = failures + sweep(writer), seen + 1
end
os.execute("rm -rf " .. folder)
common.done("%d of %d writers, %d calls failed", seen, #writers, failures)
