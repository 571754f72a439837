-- What a closed host leaves behind, as valgrind sees it.
local tool = require "mphost.tool"

it("leaves no memory behind when hosts are closed", function()
  require("support.helper").deadline(200)
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "not under sanitizers" end
  if tool.shell("command -v valgrind").code ~= 0 then return pending "valgrind is not installed" end
  local r = tool.shell(("MPHOST_CYCLES=10 valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect "
    .. "--error-exitcode=9 -q %s/spec/app_cycle_soak_spec_c"):format(os.getenv "MPHOST_BUILD" or "build"))
  assert.equal(0, r.code, r.out .. r.err)
end)
