-- mphost.core itself: its entry, and the few functions that mp does not show.
local core = require "mphost.core"
local tool = require "mphost.tool"

describe("mphost.core", function()
  it("packs and unpacks values", function()
    local t = { 1, "two", { 3.5, true } }
    t.self = t
    local unpack = core.unpacker(function(_, code) return code end)
    local u = unpack(core.pack(t))
    assert.same({ 1, "two", 3.5, true }, { u[1], u[2], u[3][1], u[3][2] })
    assert.is_true(u.self == u)
    assert.equal(3, unpack(core.pack(function(x) return x + 1 end), true)(2))
    assert.is_false(pcall(unpack, core.pack(function() end), false)) -- no code for who wants none
  end)

  it("refuses bytes that are none of its own", function()
    for _, bytes in ipairs { "", "x", core.pack({ 1, 2 }):sub(1, -2), core.pack(1) .. "y", ("\255"):rep(100) } do
      local ok, why = pcall(core.unpacker(), bytes)
      assert.is_false(ok)
      assert.equal("string", type(why))
    end
  end)

  it("packs no handles, and nothing that cannot be sent", function()
    tool.raises("cannot send", function() core.pack(core.queue()) end)
    tool.raises("cannot send", function() core.pack { io.stdout } end)
  end)

  it("counts shared bytes", function()
    local before = core.shm_used()
    do
      local q <close> = core.queue()
      assert.is_true(core.shm_used() > before)
      q:put(("x"):rep(1 << 20))
      assert.is_true(core.shm_used() > before + (1 << 20))
    end
    assert.equal(before, core.shm_used())
  end)
end)
