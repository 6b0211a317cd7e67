-- amalgamate.lua: the library as two files, ptlua.c and ptlua.h, for hosts that add it to their own build.
-- usage: lua5.4 scripts/tools/amalgamate.lua OUT CC FILE... [-- LEVEL "FLAGS" FILE...]...
-- The FILEs behind a level are compiled for it, with its compiler flags. FILE is a path or "path:flags of its own", and
-- $AMALGAMATE_FLAGS are those of all. What flags say of instructions and optimizations becomes pragmas.
--
-- All files become one translation unit, in which names of file scope would clash. What a file defines for itself
-- (static functions and variables, types, enum constants, macros) is found in what the preprocessor makes of it, and
-- gets a suffix for the file: by a macro around the file, as that also reaches names that macros put together; or in
-- the text, where the name is also that of a field. Headers with a guard stand once, but for those of `repeated`,
-- which are compiled anew for each file, as their functions are to be inlined on each CPU level.

local out, cc = arg[1], arg[2]
local folders = { "engine/", "build/gen/", "kernels/", "kernels/cpu/", "bindings/" }
local repeated = { ["scalar.h"] = true, ["scalar_special.h"] = true, ["draw.h"] = true, ["level.h"] = true }

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local cache = {}
local function source(path)
  if not cache[path] then cache[path] = read(path):gsub("\\\n", " ") end
  return cache[path]
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function normal(path)
  local n
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

--- The file that #include "name" of the file at `path` means.
local function resolve(path, name)
  local own = normal(path:match "^(.*/)" .. name)
  if exists(own) then return own end
  for _, folder in ipairs(folders) do
    if exists(normal(folder .. name)) then return normal(folder .. name) end
  end
  error(("%s includes %s, which was not found"):format(path, name))
end

-- The generated headers have no guard; all but the rows are read once.
local function is_shared(path)
  if path:find "^build/gen/" then return not path:find "rows%.h$" end
  return not repeated[path:match "[^/]+$"] and source(path):find "\n#ifndef [%w_]+_H\n" ~= nil
end

-- ---- tokens ----

--- Calls fn(kind, text, from) for each token; kinds: "word", "text" (strings, characters, comments, blanks), "sign".
local function tokens(code, fn)
  local at, n = 1, #code
  while at <= n do
    local c = code:sub(at, at)
    local stop
    if c:find "[%a_]" then
      stop = select(2, code:find("^[%w_]+", at))
      fn("word", code:sub(at, stop))
    elseif c:find "%d" then
      stop = select(2, code:find("^[%w_.]+", at))
      fn("text", code:sub(at, stop))
    elseif code:find("^/%*", at) then
      stop = select(2, code:find("*/", at + 2, true))
      fn("text", code:sub(at, stop))
    elseif code:find("^//", at) then
      stop = (code:find("\n", at, true) or n + 1) - 1
      fn("text", code:sub(at, stop))
    elseif c == '"' or c == "'" then
      stop = at + 1
      while code:sub(stop, stop) ~= c do stop = stop + (code:sub(stop, stop) == "\\" and 2 or 1) end
      fn("text", code:sub(at, stop))
    elseif c:find "%s" then
      stop = select(2, code:find("^%s+", at))
      fn("text", code:sub(at, stop))
    elseif code:find("^%->", at) then
      stop = at + 1
      fn("sign", "->")
    else
      stop = at
      fn("sign", c)
    end
    at = stop + 1
  end
end

-- ---- what a file defines ----

--- The files whose text becomes part of a unit, and the shared headers that it needs, in order.
local function walk(path, unit)
  if unit.own[path] then return end
  unit.own[path] = true
  unit.files[#unit.files + 1] = path
  for name in source(path):gmatch '%f[^\n\0]%s*#%s*include%s+"([^"]+)"' do
    local header = resolve(path, name)
    if is_shared(header) then unit.shared[#unit.shared + 1] = header else walk(header, unit) end
  end
end

local skipped = { __attribute__ = true, _Atomic = true, _Alignas = true, __typeof__ = true, __asm__ = true }

-- A declaration of file scope is a list of { word or sign, depth of braces, depth of parentheses }.

--- The constants of an enum whose brace stands at list[at].
local function add_constants(list, at, add)
  local depth = list[at][2] + 1
  for k = at + 1, #list do
    if list[k][1] == "}" and list[k][2] == depth then return end
    local before = list[k - 1][1]
    local first = before == "{" or before == ","
    if list[k][2] == depth and first and list[k][1]:find "^[%a_]" then add(list[k][1], true) end
  end
end

local function add_tags(list, add)
  for i, token in ipairs(list) do
    local word = token[1]
    if token[2] == 0 and token[3] == 0 and (word == "struct" or word == "union" or word == "enum") then
      local brace = list[i + 1][1] == "{" and i + 1 or list[i + 2] and list[i + 2][1] == "{" and i + 2
      if brace == i + 2 then add(list[i + 1][1], true) end
      if brace and word == "enum" then add_constants(list, brace, add) end
    end
  end
end

local ends_name = { ["("] = true, ["="] = true, ["["] = true, [";"] = true, [","] = true }

--- What a static or a typedef declares: the words before one of `ends_name`, and `name` of (*name)(...).
local function add_names(list, is_type, add)
  local is_function = false
  for i, token in ipairs(list) do
    local word, after = token[1], list[i + 1] and list[i + 1][1]
    local pointer = after == "(" and list[i + 2][1] == "*"
    if token[2] == 0 and word:find "^[%a_]" and not is_function then
      if token[3] == 0 and ends_name[after] and not (pointer and is_type) then
        add(word, is_type)
        is_function = after == "("
      elseif token[3] == 1 and list[i - 1][1] == "*" and after == ")" then
        add(word, is_type)
        is_function = true
      end
    end
  end
end

local function has(list, word)
  for _, token in ipairs(list) do
    if token[1] == word and token[2] == 0 then return true end
  end
  return false
end

local function add_declared(list, add)
  local static, typedef = has(list, "static"), has(list, "typedef")
  add_tags(list, add)
  if static or typedef then add_names(list, typedef, add) end
end

--- What the preprocessor makes of a file: each line behind a mark, \1 where it is of the unit's own files, else \2.
local function preprocessed(path, flags, own)
  local pipe = assert(io.popen(("%s -E %s %s 2>&1"):format(cc, flags, path)))
  local lines, file = {}, path
  for line in pipe:lines() do
    local name = line:match '^# %d+ "([^"]*)"'
    if name then file = normal(name)
    elseif line:sub(1, 1) ~= "#" then -- a pragma
      lines[#lines + 1] = (own[file] and "\1" or "\2") .. line .. "\n"
    end
  end
  assert(pipe:close(), path .. " does not compile")
  return table.concat(lines)
end

--- Calls fn(word) for the tokens of C that matter here: no blanks, comments, numbers, nor attributes.
local function sense(code, fn)
  local skip, waiting = 0, false
  tokens(code, function(kind, word)
    if kind == "text" and not word:find "^[\"']" then return end
    if word == "\1" or word == "\2" then return fn(word) end
    if waiting or skip > 0 then -- the parentheses of an attribute
      skip = skip + (word == "(" and 1 or word == ")" and -1 or 0)
      waiting = false
    elseif kind == "word" and skipped[word] then
      waiting = true
    else
      fn(word)
    end
  end)
end

--- What the files of a unit define at file scope: name -> { type = whether it is a type or a constant }.
local function definitions(path, flags, own)
  local found, list, depth, inside, ours, line_is_ours = {}, {}, 0, 0, false, false
  local function add(name, is_type) found[name] = found[name] or { type = is_type } end
  sense(preprocessed(path, flags, own), function(word)
    if word == "\1" or word == "\2" then
      line_is_ours = word == "\1"
      return
    end
    if #list == 0 then
      if word == ";" then return end
      ours = line_is_ours
    end
    if word == "}" then depth = depth - 1 end
    if word == ")" then inside = inside - 1 end
    list[#list + 1] = { word, word == "}" and depth + 1 or depth, word == ")" and inside + 1 or inside }
    if word == "{" then depth = depth + 1 end
    if word == "(" then inside = inside + 1 end
    if depth > 0 or inside > 0 then return end
    local body = word == "}" and has(list, "(") and not has(list, "=") and not has(list, "typedef")
    if body or word == ";" then
      if ours then add_declared(list, add) end
      list = {}
    end
  end)
  return found
end

-- ---- text ----

local emitted, result = {}, {}
local function put(text) result[#result + 1] = text end

local systems, is_system = {}, {}
local function note_system(name)
  if not is_system[name] then
    is_system[name] = true
    systems[#systems + 1] = name
  end
end

--- A file's text with its own includes in place, and those of the system and of shared headers gone.
local function expand(path)
  return (source(path):gsub("(%f[^\n\0][ \t]*#[ \t]*include[ \t]+)([\"<])([^\">]+)[\">][^\n]*", function(_, quote, name)
    if quote == "<" then
      note_system(name)
      return ""
    end
    local header = resolve(path, name)
    return is_shared(header) and "" or expand(header)
  end))
end

--- Adds the structs that shared headers name, which a unit may complete.
local function structs_of(headers, found, seen)
  for _, path in ipairs(headers) do
    if not seen[path] then
      seen[path] = true
      for name in source(path):gmatch "%f[%w_]struct%s+([%w_]+)" do found[name] = true end
      local more = {}
      for name in source(path):gmatch '%f[^\n\0]%s*#%s*include%s+"([^"]+)"' do more[#more + 1] = resolve(path, name) end
      structs_of(more, found, seen)
    end
  end
  return found
end

local function put_header(path)
  if emitted[path] then return end
  emitted[path] = true
  for name in source(path):gmatch '%f[^\n\0]%s*#%s*include%s+"([^"]+)"' do
    local header = resolve(path, name)
    if is_shared(header) then put_header(header) end
  end
  if path ~= "engine/ptlua.h" then put(("/* ---- %s ---- */\n%s"):format(path, expand(path))) end
end

-- What may follow a name where a struct declares a field.
local ends_field = { [";"] = true, [","] = true, ["["] = true, [":"] = true, [")"] = true }

--- Renames in the text: not fields after . and ->, and not where a struct declares them.
local function rename(code, names)
  local list, places = {}, {} -- tokens, and the places of those that are no blanks or comments
  tokens(code, function(kind, word)
    list[#list + 1] = { kind, word }
    if kind ~= "text" or word:find "^[\"'%d]" then places[#places + 1] = #list end
  end)
  local struct, depth = {}, 0
  for k, place in ipairs(places) do
    local word = list[place][2]
    local function near(by) return places[k + by] and list[places[k + by]][2] or "" end
    local found = list[place][1] == "word" and names[word]
    if found then
      local field = near(-1) == "." or near(-1) == "->"
        or (struct[depth] and (not found.type or ends_field[near(1)]) and near(-1) ~= "struct")
      if not field then list[place][2] = found.new end
    elseif word == "{" then
      depth = depth + 1
      local function opens(by) return near(by) == "struct" or near(by) == "union" end
      struct[depth] = opens(-1) or opens(-2) or struct[depth - 1] or false
    elseif word == "}" then
      struct[depth] = nil
      depth = depth - 1
    end
  end
  for k, token in ipairs(list) do list[k] = token[2] end
  return table.concat(list)
end

-- ---- flags as pragmas ----

--- The words of flags that begin with -m, as a target attribute takes them.
local function target_of(flags)
  local list = {}
  for word in flags:gmatch "%S+" do list[#list + 1] = word:match "^%-m(.+)" end
  return table.concat(list, ",")
end

local function clang_push(target)
  local known = target:gsub(",prefer%-vector%-width=%d+", "")
  return ('#pragma clang attribute push(__attribute__((target("%s"))), apply_to = function)'):format(known)
end

--- Of two targets around a function clang takes the outer one: what a file pushes takes its place for a while.
local function nest_pushes(code, outer)
  return (code:gsub("#pragma clang attribute (%a+)([^\n]*)", function(what, rest)
    local inner = what == "push" and outer .. "," .. rest:match 'target%("([^"]+)"%)' or outer
    return "#pragma clang attribute pop\n" .. clang_push(inner)
  end))
end

--- Pragmas before and after a text that is compiled with more flags than the others.
local function pragmas(flags)
  local options, target = {}, target_of(flags)
  for word in flags:gsub("%-%-param%s+%S+", ""):gmatch "%-(%S+)" do
    if word:sub(1, 1) == "f" then options[#options + 1] = word:sub(2)
    elseif word:sub(1, 1) == "O" then table.insert(options, 1, word) end
  end
  local gcc, clang, clang_end = { "#pragma GCC push_options" }, {}, {}
  if target ~= "" then
    gcc[#gcc + 1] = ('#pragma GCC target("%s")'):format(target)
    clang[1] = clang_push(target)
    clang_end[1] = "#pragma clang attribute pop"
  end
  if #options > 0 then gcc[#gcc + 1] = ('#pragma GCC optimize("%s")'):format(table.concat(options, ",")) end
  if flags:find("contract=fast", 1, true) then
    clang[#clang + 1] = "#pragma clang fp contract(fast)"
    clang_end[#clang_end + 1] = "#pragma clang fp contract(off)"
  end
  local function either(one, other)
    local text = "#if defined(__clang__)\n%s\n#else\n%s\n#endif"
    return text:format(table.concat(one, "\n"), table.concat(other, "\n"))
  end
  return either(clang, gcc), either(clang_end, { "#pragma GCC pop_options" })
end

local count = 0
local function put_unit(path, level, own_flags)
  local unit = { own = {}, files = {}, shared = {} }
  walk(path, unit)
  for _, header in ipairs(unit.shared) do put_header(header) end
  count = count + 1
  local flags = "-std=c11 -DPT_BUILD -D_GNU_SOURCE -Iengine -Ibuild/gen " .. os.getenv "AMALGAMATE_FLAGS"
  if level then flags = flags .. (" -DPT_LEVEL=%s %s"):format(level.name, level.flags) end
  local names = definitions(path, flags, unit.own)
  local code = expand(path)
  local macros, declared = {}, structs_of(unit.shared, {}, {})
  for name in code:gmatch "%f[^\n\0][ \t]*#[ \t]*define[ \t]+([%w_]+)" do macros[name] = true end
  local textual, sorted = {}, {}
  for name, about in pairs(names) do
    if not macros[name] and not (about.type and (declared[name] or name:find "^pl_" or name:find "^pti_")) then
      about.new = ("%s__%d"):format(name, count)
      local word = "%f[%w_]" .. name .. "%f[^%w_]"
      if code:find("%.%s*" .. word) or code:find("%->%s*" .. word) then textual[name] = about
      else
        sorted[#sorted + 1] = name
      end
    end
  end
  table.sort(sorted)
  put(("/* ---- %s%s ---- */"):format(path, level and ", " .. level.name or ""))
  local open, close = pragmas((level and level.flags .. " " or "") .. own_flags)
  if level then put(level.open) end
  if level or own_flags ~= "" then put(open) end
  for _, name in ipairs(sorted) do put(("#define %s %s"):format(name, names[name].new)) end
  if level and target_of(level.flags) ~= "" then code = nest_pushes(code, target_of(level.flags)) end
  if level then code = code:gsub("__(AVX%d+F?)__", "PT_%1"):gsub("__(F[M1][A6]C?)__", "PT_%1") end
  put(next(textual) and rename(code, textual) or code)
  for _, name in ipairs(sorted) do put("#undef " .. name) end
  local gone = {}
  for name in pairs(macros) do gone[#gone + 1] = "#undef " .. name end
  table.sort(gone)
  put(table.concat(gone, "\n"))
  if level or own_flags ~= "" then put(close) end
  if level then put(level.close) end
end

-- ---- levels ----

-- A level's flags define macros of the compiler, but a pragma of clang does not: the text asks for ours.
local function level_of(name, flags)
  local open, close = { "#define PT_LEVEL " .. name }, { "#undef PT_LEVEL" }
  local macros = { avx2 = "AVX2", fma = "FMA", f16c = "F16C", avx512f = "AVX512F" }
  for word in target_of(flags):gmatch "[^,]+" do
    if macros[word] then
      open[#open + 1] = "#define PT_" .. macros[word] .. " 1"
      close[#close + 1] = "#undef PT_" .. macros[word]
    end
  end
  if #open > 1 then
    table.insert(open, 1, "#if defined(__x86_64__)")
    close[#close + 1] = "#endif"
  end
  return { name = name, flags = flags, open = table.concat(open, "\n"), close = table.concat(close, "\n") }
end

local i, level = 3, nil
while arg[i] do
  if arg[i] == "--" then
    level = level_of(arg[i + 1], arg[i + 2])
    i = i + 3
  else
    local path, flags = arg[i]:match "^([^:]+):?(.*)$"
    put_unit(path, level, flags)
    i = i + 1
  end
end

-- ---- the two files ----

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local header = source "engine/ptlua.h"
header = header:gsub("#ifdef PT_BUILD\n#include[^\n]*\n#else\n#include \"([^\"]+)\"\n#endif\n", function(name)
  return source(resolve("engine/ptlua.h", name))
end)
write(out .. "/ptlua.h", header)

local optional = { ["zlib.h"] = "ZLIB", ["png.h"] = "PNG", ["jpeglib.h"] = "JPEG", ["jerror.h"] = "",
  ["microhttpd.h"] = "HTTP" }
local lines = {
  "/* ptlua.c: the whole library, made by `make amalgamation`. Compile with -O2 (clang: also -fno-math-errno -fwrapv)",
  "   and link it with Lua 5.4, -lpthread -ldl -lm, and -lz where zlib.h is there (-DPT_NO_ZLIB: without). */",
  "#define PT_BUILD", "#ifndef _GNU_SOURCE", "#define _GNU_SOURCE", "#endif",
  "#if defined(__has_include)",
  "#if __has_include(<zlib.h>) && !defined(PT_NO_ZLIB)", "#define PT_HAVE_ZLIB", "#include <zlib.h>", "#endif",
  "#if __has_include(<png.h>)", "#define PT_HAVE_PNG", "#endif",
  "#if __has_include(<jpeglib.h>)", "#define PT_HAVE_JPEG", "#endif",
  "#if __has_include(<microhttpd.h>)", "#define PT_HAVE_HTTP", "#endif", "#endif",
  "#if defined(__x86_64__)", "#include <cpuid.h>", "#include <immintrin.h>",
  "#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11", "#define PT_HAVE_AMX", "#endif", "#endif",
}
for _, name in ipairs(systems) do
  if not optional[name] and name ~= "cpuid.h" and name ~= "immintrin.h" then
    lines[#lines + 1] = ("#include <%s>"):format(name)
  end
end
for _, line in ipairs {
  "#ifdef PT_HAVE_PNG", "#include <png.h>", "#endif",
  "#ifdef PT_HAVE_JPEG", "#include <jpeglib.h>", "#include <jerror.h>", "#endif",
  "#ifdef PT_HAVE_HTTP", "#include <microhttpd.h>", "#endif",
  "#undef complex", "#undef I", -- of complex.h, by way of cblas.h
  '#include "ptlua.h"', "#pragma GCC visibility push(hidden)",
  "#if defined(__clang__)", "#pragma clang fp contract(off)",
  "#pragma clang diagnostic ignored \"-Wunknown-pragmas\"",
  "#pragma clang diagnostic ignored \"-Wpragma-clang-attribute\"", -- a level may have nothing to say in a file
  "#pragma clang diagnostic ignored \"-Wbitwise-conditional-parentheses\"", "#else",
  "#pragma GCC optimize(\"no-math-errno,fp-contract=off\")", "#endif", "",
} do lines[#lines + 1] = line end
result[#result + 1] = "#pragma GCC visibility pop\n"
write(out .. "/ptlua.c", table.concat(lines, "\n") .. "\n" .. table.concat(result, "\n"))
