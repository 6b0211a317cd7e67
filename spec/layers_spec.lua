-- The layers of the tree: a file includes headers of its own layer and of those below, nothing else; a few
-- powers belong to one file each.

local read = require("spec.support.text_file").read

-- The picture in engine/README.md: place_of[name] = { layer, its place in the layer }, folders as "io".
local place_of, drawn = {}, {}
do
  local layer, column
  for line in (read "engine/README.md":match "## Layers.-```(.-)```"):gmatch "[^\n]+" do
    local number, names = line:match "^([%d ]) | (%S.-) *|$"
    if number == " " and not layer then names = nil end
    if number and number ~= " " then layer, column = tonumber(number), 0 end
    for name in (names or ""):gmatch "%S+" do
      column = column + 1
      place_of[name == "ops.def" and name or name:match "^[%w_]+"] = { layer, column }
      drawn[#drawn + 1] = name
    end
  end
end
-- Includes and calls that point upwards, and why.
local upwards = {
  ["engine/tensor.c node.h"] = "the last reference to a tensor drops the call that made it",
}
local upward_calls = {
  ["tensor pti_node_release"] = "the last reference to a tensor drops the call that made it",
  ["tensor pti_forget_retained"] = "the same for a tensor that keeps its gradient",
  ["ops pt_grad_of"] = "the second gradient of a recurrent network is a walk through its steps",
}
-- The generated headers, and the headers whose layer they belong to.
local generated = {
  ["ptlua_ops.h"] = "ptlua.h", ["ptlua_calls.h"] = "ptlua.h",
  ["ptlua_ew.h"] = "backend.h", ["ptlua_ids.h"] = "op.h", ["ptlua_run.h"] = "op.h",
  ["ptlua_hash.h"] = "backend.h",
}
-- What the other rooms may see of the engine.
local kernels_see = {
  "backend.h", "transport.h", "dtype.h", "iter.h", "blocks.h", "philox.h", "twister.h", "rng.h",
  "ptlua_ew.h", "ptlua_rows.h", "slots.h", "slots.def", "ptlua_hash.h",
  "cpu.h", -- which loops this machine runs
}
local bindings_see = {
  "ptlua_ids.h",
  "ptlua.h", "op.h", "base.h", "tensor.h", "optim.h",
  "mem.h", "account.h", -- booking a state's tensors, idle memory
  "io/file.h", -- whose files a state sees
  "io/blob.h", "io/safetensors.h", "io/json.h", -- what the formats in Lua are made of
  "pool.h", -- tests cut loops into pieces
  "rng.h", "jobs/jobs.h", "jobs/channel.h", -- workers: a random stream for each task, queues
  "http/http.h", -- servers
  "comm/comm.h", -- ranks: jobs, groups, works
}

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

--- The code of a C file without comments and strings.
local function code(path)
  return (read(path):gsub("/%*.-%*/", " "):gsub('"[^"\n]*"', '""'))
end

local function includes(path)
  return read(path):gmatch '\n%s*#%s*include%s+"([^"]+)"'
end

local function layer(path)
  local folder, name = path:match "^engine/(%a+)/", path:match "([%w_]+)%.%w+$"
  local place = place_of[folder or name]
  return place and place[1]
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
      assert(own, path .. " has no layer: give it one in engine/README.md")
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

  it("of engine/ hold what the picture shows", function()
    for _, name in ipairs(drawn) do
      local path = "engine/" .. name .. (name:find "[./]" and "" or ".c")
      assert(os.rename(path, path), "engine/README.md draws " .. name .. ", which is not there")
    end
  end)

  -- Calls, by the symbols of the objects. A folder is one place; the functions of ops.def are those of the built table,
  -- whose own references are its rows.
  it("of engine/ call downwards and to the left #plain", function()
    local defined, wanted, place_by_path = {}, {}, { ptlua_table = "ops.def" }
    local pipe = assert(io.popen "cd build && nm -A engine/*.o engine/*/*.o ptlua_table.o")
    for line in pipe:lines() do
      local path, kind, symbol = line:match "^([^:]+)%.o:%x* +(%a) (%S+)$"
      local name = place_by_path[path]
      if path and name == nil then
        local source = io.open(path .. ".c") -- an object may be of a source that is gone
        name = source and path:match "^engine/([%w_]+)" or false
        if source then source:close() end
        place_by_path[path] = name
      end
      if name and kind == "T" then defined[symbol] = name end
      if name and kind == "U" and name ~= "ops.def" then wanted[#wanted + 1] = { name, symbol } end
    end
    pipe:close()
    local used, n = {}, 0
    for _, want in ipairs(wanted) do
      local from, to = want[1], defined[want[2]]
      if to and to ~= from then
        n = n + 1
        local a, b, key = place_of[from], place_of[to], from .. " " .. want[2]
        local fine = b[1] < a[1] or (b[1] == a[1] and b[2] < a[2])
        assert(fine or upward_calls[key], ("%s calls %s of %s, which stands above it or to its right"):format(from,
          want[2], to))
        if not fine then used[key] = true end
      end
    end
    assert(n > 500, "the objects were not found")
    for key in pairs(upward_calls) do assert(used[key], "no longer needed: " .. key) end
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
  { "dlopen", { "engine/plugin.c", "engine/io/library.c", "kernels/cpu/blas.c" } },
  { "pthread_create", { "engine/pool.c", "engine/aside.c", "engine/jobs/workers.c", "engine/comm/comm.c" } },
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
