-- By hand: packed integers through one pipe that eight forked processes share; whole by being short.
local unistd = require "posix.unistd"
local pipe = require "posix_pipe"
local work = require "work"

local function rate(producers, consumers)
  local each = work.count(120000 // producers)
  local out, into = pipe.open()
  local go_out, go_in = pipe.open()
  local back_out, back_in = pipe.open()
  local children = {}
  local function start(body)
    children[#children + 1] = pipe.fork(function()
      unistd.close(go_in)
      unistd.write(back_in, ("<j"):pack(0))
      unistd.read(go_out, 1)
      unistd.write(back_in, ("<j"):pack(body()))
    end)
  end
  for _ = 1, producers do
    start(function()
      unistd.close(out)
      for i = 1, each do unistd.write(into, ("<j"):pack(i)) end
      return 0
    end)
  end
  for _ = 1, consumers do
    start(function()
      unistd.close(into)
      local got = 0
      while #unistd.read(out, 8) == 8 do got = got + 1 end
      return got
    end)
  end
  unistd.close(out)
  unistd.close(into)
  local answer = pipe.reader(back_out, "<j", 8)
  for _ = 1, #children do answer() end
  local begun = pipe.now()
  unistd.close(go_in)
  local got = 0
  for _ = 1, #children do got = got + answer() end
  local seconds = pipe.now() - begun
  for _, child in ipairs(children) do pipe.join(child) end
  for _, fd in ipairs { go_out, back_out, back_in } do unistd.close(fd) end
  assert(got == each * producers, "messages lost")
  return got / seconds / 1e6
end

work.figure("one_to_one", rate(1, 1))
work.figure("one_to_seven", rate(1, 7))
work.figure("seven_to_one", rate(7, 1))
work.figure("four_to_four", rate(4, 4))
