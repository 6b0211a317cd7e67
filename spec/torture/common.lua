-- What the parts of `make torture` share: the budget, chance, figures, and the examples of the reference, which call
-- every op, layer, loss, optimizer, loader and pool that there is.
local pt = require "pt"
local core = require "pt.core"
local reference = require "pt.reference"
local run_example = require "spec.support.example"

local budget, seed = tonumber(arg[1] or 60), math.tointeger(tonumber(arg[2] or 1))
local common = { build = arg[3] or "build", seed = seed, faults = 0 }
math.randomseed(seed)
local start = pt.clock()

--- Whether there is time for more.
function common.goes_on() return pt.clock() < start + budget end

--- Notes what must not be; the part goes on, and fails.
function common.fault(where, what)
  common.faults = common.faults + 1
  if common.faults <= 20 then print(("    %s: %s"):format(where, tostring(what):gsub("\n", "\n      "))) end
end

--- Prints the figures and ends the part.
function common.done(...)
  print(("  %s, %d faults, %.0f s"):format(string.format(...), common.faults, pt.clock() - start))
  os.exit(common.faults == 0)
end

-- What their code cannot do twice in one process, in a process with faults, or without a terminal.
local left_out = {
  set_num_threads = true, get_num_threads = true, -- parts set the number themselves
  memory_stats = true, -- counts what is live
  fork = true,
}

--- The examples in an order by chance: { name =, code =, printed = }.
function common.examples()
  local list = {}
  for name, entry in pairs(reference.entries()) do
    if entry.code and not left_out[name] then
      list[#list + 1] = { name = name, code = entry.code, printed = entry.printed or "" }
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return common.shuffled(list)
end

function common.shuffled(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end

local print, tmpname = print, os.tmpname

--- Runs an example; whether it came through, and what it printed or raised. `call` calls it in pcall's place.
function common.try(example, call)
  local ok, text = pcall(run_example, example.code, call)
  _G.print, os.tmpname = print, tmpname -- luacheck: ignore
  if pt.get_default_dtype() ~= pt.float32 then pt.set_default_dtype(pt.float32) end
  if pt.distributed.is_initialized() then pt.distributed.destroy_process_group() end -- what a failure kept it from
  return ok, tostring(text)
end

--- All that a scope or a mode may leave behind, as text.
function common.modes()
  return table.concat({
    tostring(pt.is_grad_enabled()), tostring(pt.is_inference_mode_enabled()), tostring(core.is_autocast()),
    tostring(core.detect_anomaly()), tostring(pt.get_default_dtype()), tostring(core.watch(nil)),
  }, " ")
end

return common
