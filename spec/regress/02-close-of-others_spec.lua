-- close of a handle was given anything: it took a file for a handle and emptied it.
local mp = require "mphost"

describe("The close of a handle", function()
  it("refuses what is none, and leaves it alone", function()
    local a, b = mp.Pipe()
    local file <close> = assert(io.tmpfile())
    for _, close in ipairs { a.close, getmetatable(mp.Queue()).__close, getmetatable(mp.Value "i").__gc } do
      for _, other in ipairs { file, mp.null, {}, "x", print } do assert.is_false(pcall(close, other)) end
      assert.is_false(pcall(close))
    end
    assert.equal("file", io.type(file))
    assert(file:write "x")
    b:send(1)
    assert.equal(1, a:recv(0))
    a:close()
    b:close()
  end)
end)
