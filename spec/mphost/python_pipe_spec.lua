-- Connections and waiting: the cases of CPython's tests that pipe_spec.lua does not have.
local mp = require "mphost"
local probe = require "probe"
local tool = require "mphost.tool"

describe("A connection", function()
  it("X05: polls true for an empty message as often as it is asked", function()
    local a, b = mp.Pipe()
    for _ = 1, 3 do
      b:send ""
      for _ = 1, 3 do assert.is_true(a:poll()) end
      assert.is_true(a:poll(-1))
      assert.equal("", a:recv())
      assert.is_false(a:poll())
    end
  end)

  it("X06: keeps messages apart though another process polled and received", function()
    local a, b = mp.Pipe()
    for _, text in ipairs { "one", "", "three" } do b:send(text) end
    assert.is_true(a:poll())
    assert.same({ true, "one" }, { tool.in_child(function() return a:poll(), a:recv() end) })
    assert.same({ true, "" }, { a:poll(), a:recv() })
    assert.same({ true, true }, { tool.in_child(function() return a:poll(), a:poll() end) })
    assert.same({ "three", false }, { a:recv(), a:poll() })
  end)

  it("X11: with nobody at the other end counts as ready, beside processes that ended", function()
    local ends, others = {}, {}
    for i = 1, 3 do ends[i], others[i] = mp.Pipe(false) end
    others[1]:close()
    others[2]:send "full"
    assert.same({ ends[1], ends[2] }, mp.wait(ends, 0))
    assert.same({ ends[1], ends[2] }, mp.wait(ends))
    for _, t in ipairs { 0, -1, 0.1 } do
      local took, ready, _, name = tool.timed(mp.wait, { ends[3] }, t)
      assert.same({ nil, "timeout" }, { ready, name })
      assert.is_true(took >= t and took < 5)
    end
    local p <close> = mp.spawn(function() end)
    p:join()
    assert.same({ p, ends[1] }, mp.wait({ ends[3], p, ends[1] }, 0))
  end)

  it("X12: goes on receiving, polling and waiting after signals", function()
    local a, b = mp.Pipe()
    local calls = {
      function() return a:recv() end,
      function() return a:recv(60) end,
      function() return a:poll(60) and a:recv() end,
      function() return mp.wait({ a }, 60)[1] == a and a:recv() end,
    }
    for i, call in ipairs(calls) do
      local p <close> = mp.spawn(call)
      for _ = 1, 3 do
        tool.await_state(p.pid, "S")
        probe.kill(p.pid, 19)
        tool.await_state(p.pid, "T")
        probe.kill(p.pid, 18)
      end
      b:send(i)
      assert.equal(i, p:result())
    end
  end)
end)

describe("mp.log", function()
  it("X15: has the parent's level in children and workers", function()
    local r = tool.shell("$M --log info $S", [[
      local mp = require "mphost"
      local function say(who)
        mp.log.debug("%s", who)
        mp.log.info("%s", who)
      end
      mp.spawn(say, "child"):join()
      local pool <close> = mp.Pool(1)
      pool:apply(say, "worker")]])
    assert.equal(0, r.code)
    local line = "mphost: info: %%[%s %%d+%%] %s\n"
    local expected = "^" .. line:format("Process%-1", "child") .. line:format("Pool%-1%-1", "worker") .. "$"
    assert.truthy(r.err:find(expected), r.err)
  end)
end)
