-- manual_page.lua: the man page of `ptlua` and its completion for bash and zsh, from the list of its options.
-- usage: lua5.4 scripts/tools/manual_page.lua bindings/program/options.def build/docs
-- Writes ptlua.1, ptlua.bash and _ptlua.

local source, folder = arg[1], arg[2]

local file = assert(io.open(source))
local options = {}
for words in file:read "a":gmatch "\nOPTION(%b())" do
  local o = {}
  o.name, o.letter, o.word, o.argument, o.help = words:match '^%(%s*([%w_]+),%s*"(.-)",%s*"(.-)",%s*"(.-)",%s*"(.-)"%)$'
  assert(o.name, "not understood: " .. words)
  options[#options + 1] = o
end
file:close()
assert(#options > 0, source .. " has no options")

local function write(name, lines)
  local out = assert(io.open(folder .. "/" .. name, "w"))
  assert(out:write(table.concat(lines, "\n"), "\n"))
  assert(out:close())
end

-- ---- man ----

local function roff(text) return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("`(.-)`", "\\fB%1\\fR")) end

local man = {
  '.TH PTLUA 1 "" "ptlua" "User Commands"',
  ".SH NAME", "ptlua \\- deep learning embedded in Lua",
  ".SH SYNOPSIS", ".B ptlua", "[options] [script [arguments]]", ".br",
  ".B ptlua build", "SCRIPT \\-o PROGRAM [\\-l MODULE]...", ".br", ".B ptlua info", "FILE...",
  ".br", ".B ptlua convert", "FROM TO [\\-\\-dtype DTYPE] [\\-\\-quantize TYPE]",
  ".SH DESCRIPTION",
  "Runs a Lua script with the module", ".B pt",
  "in it: tensors, gradients, networks, threads. Without a script it is a prompt where the input is a terminal; else",
  "the input is the script. The script finds its arguments in", ".B arg", "and in the dots.",
  ".PP", ".B build", "writes one executable of ptlua, the script and the Lua modules that it requires by name.",
  ".B info", "lists what is in files of tensors, without reading them.",
  ".B convert", "writes the tensors of a file in another format, told by the end of the name: .safetensors, .pt, .npz,",
  ".npy, .gguf.",
  ".SH OPTIONS",
}
for _, o in ipairs(options) do
  local argument = o.argument ~= "" and " \\fI" .. o.argument .. "\\fR" or ""
  man[#man + 1] = ".TP"
  man[#man + 1] = (o.letter ~= "" and "\\fB\\-" .. o.letter .. "\\fR" .. argument .. ", " or "") .. "\\fB\\-\\-"
    .. roff(o.word) .. "\\fR" .. argument
  man[#man + 1] = roff(o.help)
end
for _, line in ipairs {
  ".TP", "\\fB\\-\\fR", "the script comes from the standard input", ".TP", "\\fB\\-\\-\\fR",
  "the next word is the script, whatever it looks like",
  ".SH EXIT STATUS",
  "0 success; 1 the script failed, or wrong usage; 124 the time limit was reached; 130 interrupted.",
  ".SH ENVIRONMENT",
  ".TP", "PT_NUM_THREADS", "threads that tensor loops may use",
  ".TP", "PT_CPU", "highest CPU level to use: base, avx2, avx512, avx512_bf16, amx",
  ".TP", "PT_BACKEND_PATH", "where the backends of other devices are looked for",
  ".TP", "PT_LUA_PATH", "a folder whose pt/ replaces the Lua half of the library",
  ".TP", "PTLUA_HISTORY", "the file of the prompt's history; empty: none",
  ".TP", "NO_COLOR", "no colours",
  ".TP", "LUA_INIT, LUA_PATH, LUA_CPATH", "as for lua, also with _5_4",
  ".SH FILES", "~/.ptlua_history: the inputs of earlier sessions, readable by their user alone",
  ".SH SEE ALSO", "lua(1)",
} do
  man[#man + 1] = line
end
write("ptlua.1", man)

-- ---- shells ----

local words = {}
for _, o in ipairs(options) do
  if o.letter ~= "" then words[#words + 1] = "-" .. o.letter end
  words[#words + 1] = "--" .. o.word
end

write("ptlua.bash", {
  "# bash completion of ptlua",
  "_ptlua() {",
  '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
  '  case "$before" in',
  "    -e|--execute|--threads|--seed|--memory-limit|--time-limit) return ;;",
  "    --device) COMPREPLY=($(compgen -W 'cpu cuda cuda:0 cuda:1' -- \"$word\")); return ;;",
  "    --attach) COMPREPLY=($(compgen -W \"$(pgrep -x ptlua)\" -f -- \"$word\")); return ;;",
  "  esac",
  '  case "$word" in',
  ("    -*) COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;"):format(table.concat(words, " ")),
  "    *)",
  "      COMPREPLY=($(compgen -f -- \"$word\"))",
  "      [ \"$COMP_CWORD\" -gt 1 ] || COMPREPLY+=($(compgen -W 'build convert info' -- \"$word\")) ;;",
  "  esac",
  "}",
  "complete -o filenames -F _ptlua ptlua",
})

local zsh = { "#compdef ptlua", "_arguments -s \\" }
for _, o in ipairs(options) do
  local help = o.help:gsub("[%[%]:]", "\\%0"):gsub("'", "'\\''"):gsub("`", "")
  local value = o.argument == "" and "" or ":" .. o.argument:lower() .. ":"
  local forms = "--" .. o.word
  if o.letter ~= "" then forms = ("(-%s --%s)'{-%s,--%s}'"):format(o.letter, o.word, o.letter, o.word) end
  zsh[#zsh + 1] = ("  '%s[%s]%s' \\"):format(forms, help, value)
end
zsh[#zsh + 1] = "  '1:script:_files' '*:argument:_files'"
write("_ptlua", zsh)
