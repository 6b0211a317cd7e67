-- sbom.lua: the software bill of materials as CycloneDX JSON: the library, what it is built from and what it opens,
-- with the versions that this machine has. Made from the Makefile's lists of needs; `make sbom` runs it.
-- usage: build/ptlua scripts/tools/sbom.lua VERSION NEED ... -- TEST_NEED ...        a need is probe:package
local pt = require "pt"

local function output(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local text = pipe:read "l"
  pipe:close()
  return text ~= "" and text or nil
end

-- A library is probed by NAME.pc, a tool by the name of its command.
local function component(need, scope)
  local probe, package = need:match "^(.-):(.+)$"
  local version = output(("dpkg-query -W -f '${Version}' %s"):format(package))
  return {
    type = probe:find "%.pc$" and "library" or "application", name = package, ["bom-ref"] = package,
    scope = probe:find "%.pc$" and scope or "excluded", -- of what is delivered: only needed to build or to test
    version = version or probe:find "%.pc$" and output("pkg-config --modversion " .. probe:sub(1, -4)) or "unknown",
    purl = version and ("pkg:deb/debian/%s@%s"):format(package, version) or nil,
  }
end

local version, scope = assert(arg[1], "sbom.lua: a version is wanted"), "required"
local components, refs = {}, {}
for i = 2, #arg do
  if arg[i] == "--" then
    scope = "optional" -- libraries that are opened where they are, and otherwise missed
  else
    local made = component(arg[i], scope)
    components[#components + 1] = made
    if made.scope ~= "excluded" then refs[#refs + 1] = made.name end
  end
end

local epoch = os.getenv "SOURCE_DATE_EPOCH" or output "git log -1 --format=%ct" or "0"
print(pt.data.to_json {
  bomFormat = "CycloneDX", specVersion = "1.5", version = 1,
  metadata = {
    timestamp = os.date("!%Y-%m-%dT%H:%M:%SZ", math.tointeger(tonumber(epoch))),
    component = {
      type = "library", name = "ptlua", version = version, ["bom-ref"] = "ptlua",
      licenses = { { license = { id = "MIT" } } },
    },
  },
  components = components,
  dependencies = { { ref = "ptlua", dependsOn = refs } },
})
