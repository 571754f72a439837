-- What a death is put down to.
local crash = require "mphost.crash"
local tool = require "mphost.tool"

describe("A death by SIGKILL", function()
  it("is the kernel's when the cgroup counts one more, each time once", function()
    for text, kills in pairs {
      ["low 0\nhigh 3\nmax 7\noom 2\noom_kill 5\noom_group_kill 0\n"] = 5,
      ["oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"] = 3,
      ["oom_kill_disable 0\nunder_oom 0\n"] = false,
    } do
      local path = tool.file(text)
      assert.equal(kills, crash.oom_kills(path) or false)
      os.remove(path)
      assert.is_nil(crash.oom_kills(path))
    end
    local now = crash.oom_kills()
    if not now then return pending("neither memory.events nor memory.oom_control here") end
    assert.equal(now, crash.before())
    assert.same({ nil, now }, { crash.blame(-9, now) })
    assert.same({ "the kernel, out of memory", now }, { crash.blame(-9, now - 1) })
    assert.same({ nil, now }, { crash.blame(-9, now - 1) })
    assert.same({ nil, 1 }, { crash.blame(-11, 1) })
  end)

  it("is told as want of memory, of a process and of a worker", function()
    if os.getenv "MPHOST_SANITIZE" ~= "" and os.getenv "MPHOST_SANITIZE" then return pending("under a sanitizer") end
    local r = tool.shell([[
      if [ -d /sys/fs/cgroup/memory ]; then G=/sys/fs/cgroup/memory/mphost-spec-$$ L=memory.limit_in_bytes
        W=memory.memsw.limit_in_bytes V=100M
      else G=/sys/fs/cgroup/mphost-spec-$$ L=memory.max W=memory.swap.max V=0
      fi
      mkdir $G && echo 100M >$G/$L && { test ! -e $G/$W || echo $V >$G/$W; } || { echo "no cgroup" >&2; exit; }
      (echo 0 >$G/cgroup.procs && exec $M $S)
      rmdir $G]], [[
      local mp = require "mphost"
      local function eat()
        local list = {}
        for i = 1, 300 do list[i] = ("x"):rep(1 << 20) end
      end
      local function die() mp.current_process():kill() end
      local pool <close> = mp.Pool(1)
      for _, f in ipairs { eat, die, eat } do
        local p = mp.spawn(f)
        local ok, err = pcall(p.result, p)
        print(ok, err.kind, (err.message:gsub("%d+", "N")))
        ok, err = pcall(pool.apply, pool, f)
        print(ok, err.kind, (err.message:gsub("%d+", "N")))
      end
      local p = mp.spawn(mp.sleep, 100) -- our own doing, whatever the kernel has done
      mp.spawn(eat):join()
      p:kill()
      print(select(2, pcall(p.result, p)).kind)]])
    if r.err:find("cgroup", 1, true) then return pending("no way to make a cgroup with a limit") end
    local process, worker = "process 'Process-N' (pid N) killed by SIGKILL before it had a result",
      "worker N (pid N) was killed by SIGKILL"
    local lines = {}
    for _, why in ipairs { ": the kernel, out of memory", "", ": the kernel, out of memory" } do
      local kind = why == "" and "crash" or "memory"
      lines[#lines + 1] = ("false\t%s\t%s%s"):format(kind, process, why)
      lines[#lines + 1] = ("false\t%s\t%s%s"):format(kind, worker, why)
    end
    lines[#lines + 1] = "crash"
    assert.same({ 0, table.concat(lines, "\n") .. "\n", "" }, { r.code, r.out, r.err })
  end)
end)
