-- mutate.lua: damages one token of the engine or of the CPU's kernels at random, again and again, and counts how often
-- the specs notice (`make mutants`). TREE is a copy of the sources with build/ptlua built: no others are touched.
-- usage: lua5.4 scripts/tools/mutate.lua TREE COUNT SEED [PATTERN of paths]
--        lua5.4 scripts/tools/mutate.lua TREE again [SPECS] [PATTERN of paths]
-- A mutant is compiled, linked into a program of its own, and shown to the specs that its file is mapped to, in their
-- order. It is noticed where one of them fails, crashes or does not end. Loops that are built for each CPU level are
-- damaged in the one that this machine uses. What was found is appended to TREE/build/mutants.txt: a run with another
-- seed adds to it, and the last lines count what stands there. `again` shows those that survived to SPECS, to those of
-- their file and to most others, too, and, where TREE/build/asan/ptlua is built, to those of their file under
-- AddressSanitizer; what is found now stands in place of what was.

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/mutate/?.lua"
local places = require "places"
local specs = require "specs"
local sanitizers = dofile(here .. "/../../spec/support/sanitizers.lua")

local tree, wanted, pattern = arg[1], math.tointeger(arg[2]), arg[4] or ""
local seed, first = wanted and math.tointeger(arg[3]), not wanted and arg[3] or ""
local wall_seconds = 120
local dir, notes = "build/mutant", tree .. "/build/mutants.txt"

-- ---- files and commands ----

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text, mode)
  local file <close> = assert(io.open(path, mode or "wb"))
  assert(file:write(text))
end

local function output(command)
  local pipe = assert(io.popen(("cd %s; %s 2>/dev/null"):format(tree, command)))
  local text = pipe:read "a"
  pipe:close()
  return text
end

-- ---- one mutant ----

local level = output "build/ptlua -e 'print(require(\"pt.core\").cpu_level())'":match "%w+" or "base"
if level == "amx" then level = "avx512" end

--- What make would do for `folder`/ptlua: the command of each object, and that which links.
local function commands_of_make(folder, settings)
  local compile, link = {}, nil
  for line in output(("make -B -n V=1 BUILD=%s %s %s/ptlua"):format(folder, settings, folder)):gmatch "[^\n]+" do
    local object = line:match " %-c .* %-o (%S+)$"
    if object then compile[object] = line end
    if line:find(" -o " .. folder .. "/ptlua ", 1, true) then link = line end
  end
  return compile, assert(link, "make tells no command for ptlua")
end

--- source -> the objects that are built from it, for the best CPU level where there are several.
local function objects_by_source(folder)
  local out = {}
  for path in output(("find %s/engine %s/kernels -name '*.d'"):format(folder, folder)):gmatch "[^\n]+" do
    local object = path:gsub("d$", "o")
    local of_level = object:match "_loops_(%w+)%.o$"
    if not of_level or of_level == level then
      for source in read(tree .. "/" .. path):gmatch "%S+" do
        source = source:gsub("[^/]+/%.%./", "")
        out[source] = out[source] or {}
        table.insert(out[source], object)
      end
    end
  end
  return out
end

local function kind_of_build(folder, settings, limits, sanitizer)
  if not output("ls " .. folder):find "ptlua\n" then return nil end
  local kind = {
    folder = folder, objects = objects_by_source(folder), limits = limits,
    environment = sanitizer and sanitizer.environment or "", options = sanitizer and sanitizer.options or "",
  }
  kind.compile, kind.link = commands_of_make(folder, settings)
  return kind
end

-- seconds of the processor, KB of memory; address space is not bounded, as the simulated device reserves some
local plain = assert(kind_of_build("build", "", "ulimit -t 40; ulimit -d 12000000; "), "build/ptlua is missing")
local asan = not wanted and
  kind_of_build("build/asan", "SANITIZE=address,undefined", "ulimit -t 200; ", sanitizers.asan)

--- Compiles and links; the objects, or nothing where it is no C any more.
local function build(kind, source)
  local line, made = kind.link:gsub(" %-o %S+/ptlua ", " -o " .. dir .. "/ptlua "), {}
  for i, object in ipairs(kind.objects[source]) do
    local new = ("%s/%d.o"):format(dir, i)
    local command = kind.compile[object]:gsub("%-MMD %-MP ", ""):gsub("%-o %S+$", "-o " .. new)
    command = command:gsub("%-Werror", "-w")
    -- soon compiled; at -O1 gcc fuses no products, which would change bits of its own
    if not command:find "contract=fast" then command = command .. " -O1" end
    if not os.execute(("cd %s && timeout 300 %s 2>/dev/null"):format(tree, command)) then return nil end
    line = line:gsub(" " .. object:gsub("%p", "%%%0") .. " ", " " .. new .. " ")
    made[i] = new
  end
  return os.execute(("cd %s && %s 2>/dev/null"):format(tree, line)) and made
end

--- The command that links a program of spec/c with these objects, which come before the library's, and runs it.
local function program_command(name, made)
  local line = output("make -B -n V=1 build/spec/" .. name):match("[^\n]* %-o build/spec/" .. name .. " [^\n]*")
  line = line:gsub(" %-o %S+", " -o " .. dir .. "/" .. name):gsub("%-MMD %-MP %-MF %S+", "")
  line = line:gsub(" build/libptlua%.a", " " .. table.concat(made, " ") .. "%0", 1)
  return ("%s && timeout -k 5 %d %s/%s"):format(line, wall_seconds, dir, name)
end

--- How the spec ended with these objects, if any, in place of the undamaged ones: nil where it passed.
local function shown_to(kind, spec, text, made)
  local file, filters, run = spec, ""
  if spec:find "^ops" then file, filters = "ops", specs.filters(spec, text) end
  if spec:find "^c:" then
    run = program_command(spec:sub(3), made)
  else
    run = ("%stimeout -k 5 %d %s/ptlua spec/busted.lua --no-keep-going -o TAP %s %s spec/%s_spec.lua"):format(
      kind.environment, wall_seconds, made[1] and dir or kind.folder, kind.options, filters, file)
  end
  local command = ("cd %s && (%s%s) >%s/said 2>&1"):format(tree, kind.limits, run, dir)
  local ok, _, code = os.execute(command)
  return not ok and (spec .. (code > 1 and " (status " .. code .. ")" or "")) or nil
end

local sound = {} -- build and spec -> whether it passes with the undamaged program
local function is_sound(kind, spec, text)
  local key = kind.folder .. " " .. (spec == "ops" and specs.filters(spec, text) or spec)
  if sound[key] == nil then sound[key] = not shown_to(kind, spec, text, {}) end
  if not sound[key] then print("not used, as it fails without damage: " .. key) end
  return sound[key]
end

local function noticed_by(kind, list, text, made)
  local shown = {}
  for spec in list:gmatch "%S+" do
    local how = not shown[spec] and shown_to(kind, spec, text, made)
    shown[spec] = true
    if how and is_sound(kind, spec, text) then return how end
  end
end

-- ---- all of them ----

--- The line of a place, and what it is about with what the damage is.
local function described(text, place)
  local at, length, by = table.unpack(place)
  local _, line = text:sub(1, at):gsub("\n", "")
  local shown = ("%s{%s -> %s}%s"):format(text:sub(1, at - 1):match "[^\n]*$", text:sub(at, at + length - 1), by,
    text:sub(at + length):match "^[^\n]*")
  return line + 1, shown:match "^%s*(.*)"
end

io.stdout:setvbuf "line"
-- plug-ins are looked for beside the program
os.execute(("cd %s && mkdir -p %s && ln -sf ../libptlua_*.so %s"):format(tree, dir, dir))
local pool, texts = {}, {}
for source in output "find engine kernels/cpu -name '*.c' -o -name '*.inc.h' | sort":gmatch "[^\n]+" do
  if plain.objects[source] then
    texts[source] = read(tree .. "/" .. source)
    for _, place in ipairs(places(texts[source])) do pool[#pool + 1] = { source, place } end
  end
end
print(("%d places in the sources; level %s"):format(#pool, level))

--- What stands in the notes about a mutant; nothing where it is no C.
local function try(source, place)
  local text = texts[source]
  local at, length, by = table.unpack(place)
  write(tree .. "/" .. source, text:sub(1, at - 1) .. by .. text:sub(at + length))
  local made = build(plain, source)
  local list = wanted and specs.of(source) or table.concat({ first, specs.of(source), specs.others(source) }, " ")
  local how = made and noticed_by(plain, list, text, made)
  if made and asan and not how then
    local sanitized = build(asan, source)
    how = sanitized and noticed_by(asan, specs.of(source), text, sanitized)
    how = how and how .. " under AddressSanitizer"
  end
  write(tree .. "/" .. source, text)
  if not made then return nil end
  local said = ("%s\t%s:%d\t%s"):format(how and "noticed by " .. how or "SURVIVED", source, described(text, place))
  print(said)
  return said .. "\n"
end

local function try_at_random()
  local chosen, done = {}, 0
  for _, entry in ipairs(pool) do
    if entry[1]:find(pattern) then chosen[#chosen + 1] = entry end
  end
  math.randomseed(seed)
  while done < wanted do
    local said = try(table.unpack(chosen[math.random(#chosen)]))
    if said then
      write(notes, said, "a")
      done = done + 1
    end
  end
end

--- The place of a mutant in the sources as they are now, the nearest one where there are several.
local function place_of(source, line, shown)
  local best, distance
  for _, entry in ipairs(pool) do
    if entry[1] == source then
      local at, now = described(texts[source], entry[2])
      if now == shown and (not best or math.abs(at - line) < distance) then
        best, distance = entry[2], math.abs(at - line)
      end
    end
  end
  return best
end

local function try_again()
  local lines = {}
  for line in io.lines(notes) do lines[#lines + 1] = line .. "\n" end
  for i, old in ipairs(lines) do
    local source, line, shown = old:match "^SURVIVED\t(.-):(%d+)\t(.*)\n"
    local place = source and source:find(pattern) and place_of(source, math.tointeger(line), shown)
    lines[i] = place and try(source, place) or old
    write(notes, table.concat(lines))
  end
end

if wanted then try_at_random() else try_again() end

local total, noticed = 0, 0
for line in io.lines(notes) do
  total = total + 1
  if line:find "^noticed" then noticed = noticed + 1 end
end
print(("%d mutants, %d noticed (%.1f %%)"):format(total, noticed, 100 * noticed / total))
