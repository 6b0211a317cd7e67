std = "lua54"
max_line_length = 120
self = false -- a method may ignore its object
-- ptlua puts the module into a global for the prompt and for -e; files say `local pt = require "pt"`.
files["spec"] = { std = "+busted" }
files["scripts/pt/reference"] = { max_string_line_length = 140 } -- examples
exclude_files = { "build" }
