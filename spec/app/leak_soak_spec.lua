-- A host opened and closed 10 000 times under valgrind, which takes an hour or so.
local tool = require "mphost.tool"

it("leaves no memory behind when hosts are closed 10 000 times", function()
  require("support.helper").deadline(7000)
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "not under sanitizers" end
  local r = tool.shell(("MPHOST_CYCLES=%d valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect "
    .. "--error-exitcode=9 -q %s/spec/app_cycle_soak_spec_c"):format(tonumber(os.getenv "MPHOST_CYCLES") or 9091,
    os.getenv "MPHOST_BUILD" or "build"))
  assert.equal(0, r.code, r.out .. r.err)
end)
