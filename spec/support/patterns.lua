-- Random patterns on random texts: what find, match, gsub and gmatch say, for two interpreters to be compared.
math.randomseed(7)
local items = {
  "a", "b", ".", "%a", "%d", "%s", "[ab]", "[^a]", "[%d_]", "[a-c]", "%p", "()", "(a", "(.", ")", "%1", "%b()", "%c",
  "%g", "%l", "%u", "%w", "%x", "%z", "%Z", "%f[%w]", "%f[%s%z]", "^", "$", "%%", "[]]", "[^]]", "%", "[", "\0", "%S",
  "%A",
}
local marks = { "", "", "", "*", "+", "-", "?" }
local letters = { "a", "b", "c", "1", "_", " ", "A", "\n", "(", ")", ".", "%", "\0", "]" }
local function word(list, n, more)
  local out = {}
  for i = 1, n do out[i] = list[math.random(#list)] .. (more and more[math.random(#more)] or "") end
  return table.concat(out)
end
local function show(...)
  local out = table.pack(...)
  for i = 1, out.n do out[i] = ("%q"):format(out[i] == nil and "nil" or out[i]) end
  print(table.concat(out, " "))
end
for _ = 1, 4000 do
  local s, p = word(letters, math.random(0, 12)), word(items, math.random(0, 5), marks)
  local at = math.random(-5, 14)
  show(pcall(string.find, s, p, at))
  show(pcall(string.match, s, p, at))
  show(pcall(string.gsub, s, p, "<%0%1>", math.random(4)))
  show(pcall(string.find, s, p, at, true))
  show(pcall(function()
    local all = {}
    for x, y in s:gmatch(p, at) do all[#all + 1] = tostring(x) .. "," .. tostring(y) end
    return table.concat(all, ";")
  end))
end
