-- mutate.lua: damages one token of the engine or of the CPU's kernels at random, again and again, and counts how often
-- the specs notice (`make mutants`). TREE is a copy of the sources with build/ptlua built: no others are touched.
-- usage: lua5.4 scripts/tools/mutate.lua TREE COUNT SEED [PATTERN of paths]
--        lua5.4 scripts/tools/mutate.lua TREE again [SPECS] [PATTERN of paths]
-- A mutant is compiled, linked into a program of its own, and shown to the specs that its file is mapped to below, in
-- their order, then to the others. It is noticed where one of them fails, crashes or does not end. Loops that are built
-- for each CPU level are damaged in the one that this machine uses. What was found is appended to
-- TREE/build/mutants.txt: a run with another seed adds to it, and the last lines count what stands there. `again` tries
-- those that survived once more, as after new specs, first with SPECS; what is found now stands in place of what was.

local tree, wanted, pattern = arg[1], math.tointeger(arg[2]), arg[4] or ""
local seed, first = wanted and math.tointeger(arg[3]), not wanted and arg[3] or ""
local limits = "ulimit -t 40; ulimit -v 12000000; " -- seconds of the processor, KB
local wall_seconds = 120
local dir, notes = "build/mutant", tree .. "/build/mutants.txt"

-- ---- which specs look at a file ----

-- The first row that matches counts. `ops:mm,conv` are the rows of ops_spec whose names begin so; `ops` those of the
-- ops that the file defines.
local specs_of = {
  { "^kernels/cpu/product", "products ops:mm,bmm,matmul,linear,mv functional" },
  { "^kernels/cpu/blocks", "blocks ops:linear_blocks,dequantize,quantize" },
  { "^kernels/cpu/conv", "conv ops:conv functional" },
  { "^kernels/cpu/attention", "ops:attention,scaled_dot functional_sequence" },
  { "^kernels/cpu/pooling", "ops:max_pool,avg_pool functional_rules functional" },
  { "^kernels/cpu/fft", "fft" },
  { "^kernels/cpu/norm", "ops:row_norm,batch_norm functional functional_rules" },
  { "^kernels/cpu/optim", "optim_rules optim" },
  { "^kernels/cpu/random", "random twin ops:random,randperm" },
  { "^kernels/cpu/reduce", "corners scalar ops:sum,prod,mean,am,arg,any,all,cum,max_dim,min_dim functions promises" },
  { "^kernels/cpu/rnn", "ops:rnn functional_sequence" },
  { "^kernels/cpu/softmax", "corners ops:softmax,log_softmax,cross_entropy functional_losses" },
  { "^kernels/cpu/sort", "functions ops:sort,topk,kthvalue,median,searchsorted,cum meaning promises" },
  { "^kernels/cpu/copy", "functions promotion scalar ops:contiguous,clone,to_dtype,copy,cat formats" },
  { "^kernels/cpu/elementwise", "promotion scalar corners complex ops:add,mul,where,clamp,exp,eq functions" },
  { "^kernels/cpu/ctc", "ops:ctc functional_losses" },
  { "^kernels/cpu/.*blas", "products linalg complex_linalg" },
  { "^kernels/cpu/lapack", "linalg complex_linalg ops:linalg" },
  { "^kernels/cpu/nll", "ops:nll,cross functional_losses corners" },
  { "^kernels/cpu/scatter", "scatter ops:scatter,index,gather" },
  { "^kernels/cpu/index", "functions ops:index,gather,scatter,masked,nonzero scatter" },
  { "^kernels/cpu", "functions scalar promotion corners ops:sum,add,mm,softmax,sort,cum,conv" },
  { "^engine/ops/random", "random ops create" },
  { "^engine/ops/linalg", "linalg ops complex_linalg functions" },
  { "^engine/ops/complex", "complex complex_functions ops complex_linalg fft" },
  { "^engine/ops/conv", "conv ops functional golden" },
  { "^engine/ops/blocks", "blocks ops formats" },
  { "^engine/ops/shape", "views functions ops:select,slice,narrow,as_strided,permute,expand,squeeze,reshape" },
  { "^engine/ops/support", "views functions ops:add,sum,mm,cat,index,sort,expand,reshape corners" },
  { "^engine/ops/[arn].*", "ops functions functional functional_sequence golden meaning" },
  { "^engine/ops", "ops functions golden corners meaning functional" },
  { "^engine/comm", "distributed ddp" },
  { "^engine/jobs", "pool pool_stress parallel" },
  { "^engine/io/json", "serialize tokenizers formats" },
  { "^engine/io/safetensors", "serialize formats" },
  { "^engine/io/[ijp]", "images data data_more" },
  { "^engine/io/file", "serialize files" },
  { "^engine/io", "serialize formats data images" },
  { "^engine/rng", "random twin create" },
  { "^engine/optim", "optim optim_rules" },
  { "^engine/backward", "autograd function hosts memory promises ops:mul,sum" },
  { "^engine/dlpack", "dlpack" },
  { "^engine/function", "function autograd" },
  { "^engine/checkpoint", "autograd exhaustion" },
  { "^engine/autocast", "amp" },
  { "^engine/dtype", "promotion scalar complex functions" },
  { "^engine/[de].*", "device device_runtime functions autograd" },
  { "^engine/elementwise", "promotion scalar complex functions golden ops:add" },
  { "^engine/[cehn].*", "autograd golden functions function exhaustion memory device complex" },
  { "^engine/[fips].*", "functions autograd promises exhaustion memory random device_runtime pool ops:add,sum" },
  { "", "functions autograd memory meaning golden exhaustion create device_runtime pool ops:view,narrow,add" },
}

-- What is shown a mutant that none of those noticed: specs of what tensors compute, and for the engine those of all
-- else, as far as they take a second. `c:` are programs of spec/c.
local others = {
  { "^engine", [[function dlpack memory c:training c:tensors c:autograd c:stream serialize nn nn_utils func print
    state_dict layers_use images data exhaustion c:vm networks formats amp hosts http pool
    c:host_api]] },
  { "", [[views functional functional_losses functional_sequence functional_rules meaning scatter einsum
    blocks promotion complex complex_functions complex_linalg golden optim optim_rules corners
    scalar linalg create special random golden_bits twin autograd functions conv]] },
}

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

--- What make would do for build/ptlua: the command of each object, and that which links.
local function commands_of_make()
  local compile, link = {}, nil
  for line in output "make -B -n V=1 build/ptlua":gmatch "[^\n]+" do
    local object = line:match " %-c .* %-o (%S+)$"
    if object then compile[object] = line end
    if line:find(" -o build/ptlua ", 1, true) then link = line end
  end
  return compile, assert(link, "make tells no command for build/ptlua")
end

--- source -> the objects that are built from it, for the best CPU level where there are several.
local function objects_by_source(level)
  local out = {}
  for path in output "find build/engine build/kernels -name '*.d'":gmatch "[^\n]+" do
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

-- ---- damage ----

local swaps = {
  ["+"] = "-", ["-"] = "+", ["*"] = "+", ["/"] = "*", ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">",
  ["=="] = "!=", ["!="] = "==", ["&&"] = "||", ["||"] = "&&", ["+="] = "-=", ["-="] = "+=",
  ["++"] = "--", ["--"] = "++",
}
local longest_first = { "<<=", ">>=", "...", "->", "++", "--", "+=", "-=", "*=", "/=", "<=", ">=", "==", "!=", "&&",
  "||", "<<", ">>" }

local function next_token(text, at)
  for _, skip in ipairs { "^%s+()", "^/%*.-%*/()", "^//[^\n]*()", '^"[^"\n]*"()', "^'[^'\n]*'()" } do
    local after = text:match(skip, at)
    if after then return nil, after end
  end
  local word = text:match("^[%w_.]+", at)
  if word then return word, at + #word end
  for _, operator in ipairs(longest_first) do
    if text:sub(at, at + #operator - 1) == operator then return operator, at + #operator end
  end
  return text:sub(at, at), at + 1
end

--- Where a token may be replaced: { at, length, by }. Directives stay, but for later lines of macros.
local function places(text)
  local out, at, before = {}, 1, ""
  local code = text:gsub("\n#%s*%l[^\n]*", function(line) return "\n" .. (" "):rep(#line - 1) end)
  while at <= #code do
    local token, after = next_token(code, at)
    if token then
      local operand = before:find "^[%w_)%]]" and before ~= "return"
      local by = swaps[token]
      if by and (operand or #token > 1) and not (token == "*" and code:find("^%s*[%w_]+%s*[,;)=]", after) and
          not code:find("^ ", after)) then
        out[#out + 1] = { at, #token, by }
      elseif token:find "^%d+$" and not before:find "^[%[%w]" then
        out[#out + 1] = { at, #token, tostring(math.tointeger(token) + 1) }
        if token ~= "0" then out[#out + 1] = { at, #token, tostring(math.tointeger(token) - 1) } end
      end
      before = token
    end
    at = after
  end
  -- a statement of one line: a call or an assignment
  for from, statement in code:gmatch "[;{}]\n +()([%w_][%w_%->%.%[%]%*]*[^\n]*;)\n" do
    if statement:find "^[%w_%->%.%[%]]+%s*[%+%-%*]?[=%(]" and not statement:find "^return" and
        not statement:find "^for" then
      out[#out + 1] = { from, #statement, ";" }
    end
  end
  return out
end

-- ---- one mutant ----

local compile, link = commands_of_make()
local level = output "build/ptlua -e 'print(require(\"pt.core\").cpu_level())'":match "%w+" or "base"
local objects = objects_by_source(level == "amx" and "avx512" or level)

--- Compiles and links; the objects, or nothing where it is no C any more.
local function build(source)
  local line, made = link:gsub(" %-o build/ptlua ", " -o " .. dir .. "/ptlua "), {}
  for i, object in ipairs(objects[source]) do
    local new = ("%s/%d.o"):format(dir, i)
    local command = compile[object]:gsub("%-MMD %-MP ", ""):gsub("%-o %S+$", "-o " .. new):gsub("%-Werror", "-w")
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

local function filters_of(spec, text)
  local out = {}
  if spec == "ops" then
    for _, end_of in ipairs { "run", "vjp", "complex" } do
      for op in text:gmatch("([%w_]+)_" .. end_of .. "%(") do out[#out + 1] = "op table: " .. op .. " " end
    end
    if #out == 0 then return filters_of("ops:add,sum,mm,view,cat,index,sort", text) end
  else
    for op in spec:match ":(.*)":gmatch "[^,]+" do out[#out + 1] = "op table: " .. op end
  end
  return "--filter='" .. table.concat(out, "' --filter='") .. "'"
end

--- How the spec ended with these objects, if any, in place of the undamaged ones: nil where it passed.
local function shown_to(spec, text, made)
  local file, filters, run = spec, ""
  if spec:find "^ops" then file, filters = "ops", filters_of(spec, text) end
  if spec:find "^c:" then
    run = program_command(spec:sub(3), made)
  else
    run = ("timeout -k 5 %d %s/ptlua spec/busted.lua --no-keep-going -o TAP %s spec/%s_spec.lua"):format(
      wall_seconds, made[1] and dir or "build", filters, file)
  end
  local command = ("cd %s && (%s%s) >%s/said 2>&1"):format(tree, limits, run, dir)
  local ok, _, code = os.execute(command)
  return not ok and (spec .. (code > 1 and " (status " .. code .. ")" or "")) or nil
end

local sound = {} -- spec -> whether it passes with the undamaged program
local function is_sound(spec, text)
  local key = spec == "ops" and filters_of(spec, text) or spec
  if sound[key] == nil then sound[key] = not shown_to(spec, text, {}) end
  if not sound[key] then print("not used, as it fails without damage: " .. key) end
  return sound[key]
end

local function specs_for(source)
  local list
  for _, row in ipairs(specs_of) do
    list = list or source:find(row[1]) and row[2]
  end
  for _, row in ipairs(others) do
    if source:find(row[1]) then list = list .. " " .. row[2] end
  end
  return list
end

local function noticed_by(source, text, made)
  local shown = {}
  for spec in (first .. " " .. specs_for(source)):gmatch "%S+" do
    local how = not shown[spec] and shown_to(spec, text, made)
    shown[spec] = true
    if how and is_sound(spec, text) then return how end
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
os.execute(("mkdir -p %s/%s"):format(tree, dir))
local pool, texts = {}, {}
for source in output "find engine kernels/cpu -name '*.c' -o -name '*.inc.h' | sort":gmatch "[^\n]+" do
  if objects[source] then
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
  local made = build(source)
  local how = made and noticed_by(source, text, made)
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
