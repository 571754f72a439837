-- A result that did not fit into shared memory ended its worker, and was told as "as os.exit(1) does".
local tool = require "mphost.tool"

describe("A pool whose results do not fit", function()
  it("says so of the item, and keeps its workers", function()
    local path = tool.file [[
      local mp = require "mphost"
      local pool <close> = mp.Pool(1)
      local function f(n) return { require("mphost.core").pid(), ("z"):rep(n) } end
      local first = pool:map(f, { 1 })[1][1]
      local ok, err = pcall(pool.map, pool, f, { 1, 200 << 20 })
      assert(not ok and err.kind == "memory" and err.index == 2, err)
      assert(err.message:find "not enough shared memory", err)
      assert(pool:map(f, { 1 })[1][1] == first)
    ]]
    local r = tool.shell("ulimit -f 131072; exec $M " .. path) -- a region of 64 MB
    os.remove(path)
    assert.same({ code = 0, out = "", err = "" }, r)
  end)
end)
