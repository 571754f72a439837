-- The storm of kills, twenty seconds of it; nested pools whose root is killed; memory over a long stream.
local core = require "mphost.core"
local helper = require "support.helper"
local mp = require "mphost"
local nest = require "support.nest"
local storm = require "support.storm"

describe("A pool in a long storm of kills", function()
  it("gives each result exactly once", function()
    helper.deadline(120)
    assert.is_true(storm(20) > 200)
  end)
end)

describe("Nested pools", function()
  it("go with their root, two hundred of them at once, and two hundred in turns", function()
    helper.deadline(300)
    nest.chain(200)
    for round = 1, 30 do nest.tree(1 + round % 14) end
  end)
end)

describe("A stream", function()
  local function memory()
    collectgarbage()
    collectgarbage()
    local file <close> = assert(io.open "/proc/self/status")
    return { shared = core.shm_used(), private = tonumber(file:read("a"):match "RssAnon:%s*(%d+)") * 1024 }
  end

  for _, method in ipairs { "imap", "imap_unordered" } do
    it("of ten million items leaves the parent's memory as it is: " .. method, function()
      helper.deadline(600)
      local pool <close> = mp.Pool(2)
      local n, sum, most, base = 0, 0, 0, nil
      for _, v in pool[method](pool, function(x) return x + 1 end, mp.range(1, 10000000)) do
        n, sum = n + 1, sum + v
        if n % 500000 == 0 then
          local now = memory()
          base = base or now
          most = math.max(most, now.private - base.private, now.shared - base.shared)
        end
      end
      assert.same({ 10000000, 10000000 * 10000001 // 2 + 10000000 }, { n, sum })
      assert.is_true(most < 6 << 20, most) -- the collector's rhythm; not a byte an item
    end)
  end
end)
