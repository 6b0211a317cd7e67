-- The layers of the tree: a file includes headers of its own layer and of those below, nothing else; a few
-- powers belong to one file each.

local engine_layers = {
  { "ptlua", "base" },
  { "mem", "cpu", "pool", "philox", "rng", "plugin", "transport" },
  { "dtype", "iter", "backend", "slots", "device", "devmem", "stream", "pinned", "comm" },
  { "tensor", "view" },
  { "op", "node", "hook", "function", "checkpoint", "autocast", "anomaly", "formula", "elementwise" },
  { "ops" },
  { "backward", "optim", "io", "jobs" },
}
-- An include that points upwards, and why.
local upwards = {
  ["engine/tensor.c node.h"] = "the last reference to a tensor drops the call that made it",
}
-- The generated headers, and the headers whose layer they belong to.
local generated = {
  ["ptlua_ops.h"] = "ptlua.h", ["ptlua_ew.h"] = "backend.h", ["ptlua_ids.h"] = "op.h", ["ptlua_run.h"] = "op.h",
  ["ptlua_hash.h"] = "backend.h",
}
-- What the other rooms may see of the engine.
local kernels_see = {
  "backend.h", "transport.h", "dtype.h", "iter.h", "philox.h", "rng.h", "ptlua_ew.h", "ptlua_rows.h",
  "slots.h", "slots.def", "ptlua_hash.h",
  "cpu.h", -- which loops this machine runs
}
local bindings_see = {
  "ptlua.h", "op.h", "base.h", "tensor.h", "optim.h",
  "mem.h", -- booking a state's tensors, idle memory
  "rng.h", "jobs/jobs.h", "jobs/channel.h", -- workers: a random stream for each task, queues
  "comm/comm.h", -- ranks: jobs, groups, works
}

local layer_of = {}
for layer, names in ipairs(engine_layers) do
  for _, name in ipairs(names) do layer_of[name] = layer end
end

local function set(list)
  local out = {}
  for _, v in ipairs(list) do out[v] = true end
  return out
end

local function sources(room)
  local pipe = assert(io.popen("find " .. room .. " -name '*.[ch]' -o -name '*.def' | sort"))
  local out = {}
  for path in pipe:lines() do out[#out + 1] = path end
  pipe:close()
  return out
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

--- The code of a C file without comments and strings.
local function code(path)
  return (read(path):gsub("/%*.-%*/", " "):gsub('"[^"\n]*"', '""'))
end

local function includes(path)
  return read(path):gmatch '\n%s*#%s*include%s+"([^"]+)"'
end

local function layer(path)
  local folder, name = path:match "^engine/(%a+)/", path:match "([%w_]+)%.%w+$"
  return layer_of[folder or name]
end

--- Whether `header`, as the file at `path` includes it, is a file of the same room.
local function own_header(path, header)
  local folder = path:match "^(.*)/"
  while header:sub(1, 3) == "../" do folder, header = folder:match "^(.*)/" or "", header:sub(4) end
  local file = folder:match "^%a+" == path:match "^%a+" and io.open(folder .. "/" .. header)
  if file then file:close() end
  return file and true or false
end

describe("layers", function()
  it("of engine/ point downwards only", function()
    local used = {}
    for _, path in ipairs(sources "engine") do
      local own = layer(path)
      assert(own, path .. " has no layer: give it one in spec/layers_spec.lua")
      for header in includes(path) do
        local target = layer("engine/" .. (generated[header] or header))
        local key = path .. " " .. header
        assert(target, path .. " includes " .. header .. ", which has no layer")
        if target > own then
          assert(upwards[key], ("%s (layer %d) includes %s (layer %d)"):format(path, own, header, target))
          used[key] = true
        end
      end
    end
    for key in pairs(upwards) do assert(used[key], "no longer needed: " .. key) end
  end)

  it("let kernels/ see only what a device needs", function()
    local allowed = set(kernels_see)
    for _, path in ipairs(sources "kernels") do
      for header in includes(path) do
        assert(allowed[header] or own_header(path, header), path .. " includes " .. header)
      end
    end
  end)

  it("let bindings/ see the op table and read-only helpers", function()
    local allowed = set(bindings_see)
    for _, path in ipairs(sources "bindings") do
      for header in includes(path) do
        local fine = allowed[header] or own_header(path, header) or header:find "^l[ua]"
        assert(fine, path .. " includes " .. header)
      end
    end
  end)

  it("let the executable use the public header alone", function()
    for _, path in ipairs(sources "bindings/program") do
      for header in includes(path) do
        local fine = header == "ptlua.h" or header == "program.h" or header == "options.def"
        assert(fine, path .. " includes " .. header)
      end
    end
  end)
end)

-- Words that only some files may use; the rest of engine/ and kernels/ may not.
local powers = {
  { "dlopen", { "engine/plugin.c", "engine/io/image.c", "kernels/cpu/blas.c" } },
  { "pthread_create", { "engine/pool.c", "engine/jobs/workers.c", "engine/comm/comm.c" } },
  { "cblas_%w+", { "kernels/cpu/product/gemm.c" } },
  { "openblas_%w+", { "kernels/cpu/blas.c" } },
  { "LAPACK", { "kernels/cpu/lapack.c" } },
  { "[sdcz][gpsto][eroy]%l+_", {} },
  { "luaL?_%w+", {} },
  { "f?printf", {} },
  { "puts", {} },
  { "exit", {} },
  { "abort", {} },
  { "assert", {} },
}

describe("powers", function()
  for _, power in ipairs(powers) do
    local word, owners = power[1], set(power[2])
    it("of " .. word .. " stay where they belong", function()
      for _, room in ipairs { "engine", "kernels" } do
        for _, path in ipairs(sources(room)) do
          local found = code(path):match("%f[%w_](" .. word .. ")%s*%(")
          assert(not found or owners[path], path .. " uses " .. tostring(found))
        end
      end
    end)
  end

  it("of fast-math belong to nobody", function()
    local makefile = read "Makefile":gsub("#[^\n]*", "")
    assert(not makefile:find "fast%-math" and not makefile:find "%-Ofast")
  end)
end)

describe("files", function()
  it("are at most 800 lines long and say what they own", function()
    for _, room in ipairs { "engine", "kernels", "bindings" } do
      for _, path in ipairs(sources(room)) do
        local text = read(path)
        local _, count = text:gsub("\n", "")
        assert(count <= 800, path .. " has " .. count .. " lines")
        assert(text:find "^/%*", path .. " does not open with what it owns")
      end
    end
  end)
end)
