-- What a death is put down to.
local crash = require "mphost.crash"
local tool = require "mphost.tool"

describe("A death by SIGKILL", function()
  it("is the kernel's when memory.events counts one more", function()
    local path = tool.file("low 0\nhigh 3\nmax 7\noom 2\noom_kill 5\noom_group_kill 0\n")
    assert.equal(5, crash.oom_kills(path))
    os.remove(path)
    assert.is_nil(crash.oom_kills(path))
    local now = crash.oom_kills()
    if not now then return pending("no memory.events here") end
    assert.same({ nil, now }, { crash.blame(-9, now) })
    assert.same({ "the kernel, out of memory", now }, { crash.blame(-9, now - 1) })
    assert.same({ nil, 1 }, { crash.blame(-11, 1) })
  end)
end)
