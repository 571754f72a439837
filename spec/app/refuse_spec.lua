-- Every mph_ call with a NULL host, a closed one, and one that is open but given nothing: an error code, never a crash.
-- The calls are generated from the header, so that a new one cannot be forgotten.
local lfs = require "lfs"
local tool = require "mphost.tool"
local helper = require "support.helper"

local BUILD = os.getenv "MPHOST_BUILD" or "build"
local SANITIZE = os.getenv "MPHOST_SANITIZE" or ""

-- What an open host takes although everything is zero: nothing is asked for, and that is fine.
local FINE = { mph_fd = true, mph_dispatch = true, mph_interrupt = true, mph_run_file = true,
  mph_repl = true, mph_stop = true,
  mph_set_args = true, mph_close = true }
local OTHER = { mph_errmsg = true, mph_lua = true } -- give back no code

local function prototypes()
  local file <close> = assert(io.open "host/mphost.h")
  local text = file:read("a"):gsub("/%*.-%*/", "")
  local found = {}
  for result, name, params in text:gmatch("MPH_API%s+([%w_ ]-[%s*]+)(mph_[%w_]+)%(([^;]*)%);") do
    if params:find("^mph_host %*host") then found[#found + 1] = { name = name, result = result, params = params } end
  end
  return found
end

-- A zero for each parameter after the host.
local function zeros(params)
  local list = {}
  for param in params:gsub("^mph_host %*host,?", ""):gmatch("[^,]+") do
    local zero = "0"
    if param:find("mph_value [%w_]+$") then zero = "mph_nil()" end
    list[#list + 1] = zero
  end
  return #list > 0 and ", " .. table.concat(list, ", ") or ""
end

local function program()
  local lines = { "#include <stdio.h>", "#include <string.h>", "#include <mphost.h>",
    "#define WANT(what, call, good) { int rc = (int)(call); "
      .. "if (!(good)) printf(\"%s: %s is %d\\n\", what, #call, rc); }",
    "int main(void) {", "  mph_host *none = NULL, *closed, *open;",
    "  if (mph_open(&open, NULL) < 0 || mph_open(&closed, NULL) < 0 || mph_close(closed) < 0) return 1;" }
  local count = 0
  for _, p in ipairs(prototypes()) do
    if not OTHER[p.name] then
      count = count + 1
      local rest = zeros(p.params)
      lines[#lines + 1] = ('  WANT("NULL", %s(none%s), rc == MPH_EINVAL)'):format(p.name, rest)
      lines[#lines + 1] = ('  WANT("closed", %s(closed%s), rc == MPH_ESTATE)'):format(p.name, rest)
      if not FINE[p.name] then
        lines[#lines + 1] = ('  WANT("nothing", %s(open%s), rc < 0 && *mph_errmsg(open))'):format(p.name, rest)
      end
    end
  end
  lines[#lines + 1] = '  if (*mph_errmsg(none) || *mph_errmsg(closed)) printf("mph_errmsg\\n");'
  lines[#lines + 1] = '  if (mph_lua(none) || mph_lua(closed)) printf("mph_lua\\n");'
  lines[#lines + 1] = '  if (mph_open(NULL, NULL) != MPH_EINVAL) printf("mph_open\\n");'
  lines[#lines + 1] = "  return mph_close(open) < 0;\n}"
  return table.concat(lines, "\n"), count
end

it("refuses what makes no sense in every call of mphost.h", function()
  helper.deadline(60)
  local text, count = program()
  assert.is_true(count >= 35, count)
  local source = tool.file(text)
  local binary = source .. ".bin"
  local flags = SANITIZE ~= "" and "-fsanitize=" .. SANITIZE or ""
  local built = tool.shell(("gcc %s -x c -Ihost -o %s %s -L%s -lmphost"):format(flags, binary, source, BUILD))
  assert.equal("", built.err)
  local r = tool.shell(("LD_LIBRARY_PATH=%s %s"):format(BUILD, binary))
  os.remove(source)
  os.remove(binary)
  assert.same({ code = 0, out = "", err = "" }, r)
  assert.is_nil(lfs.attributes(binary))
end)
