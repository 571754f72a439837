-- What a bench says about the machine and about who ran.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local machine = require "machine"
local tool = require "mphost.tool"

describe("machine", function()
  it("names what ran, as far as it is known", function()
    local about = { mphost = "mphost 1", compiler = "cc 3" }
    assert.equal("mphost 1; cc 3\n", machine.ran(about))
    about.commit, about.python = "abc-dirty", "Python 2"
    assert.equal("mphost 1, commit abc-dirty; Python 2; cc 3\n", machine.ran(about))
  end)

  it("asks the programs themselves", function()
    local about = machine.describe { mphost = tool.BIN, python = "/bin/echo", dir = "/" }
    assert.truthy(about.mphost:find "^mphost %d+%.%d", about.mphost)
    assert.equal("--version", (about.python:gsub("^echo %(.*", "--version"))) -- an echo that knows it, or does not
    assert.is_nil(about.commit)
    assert.is_nil(machine.describe({ mphost = tool.BIN, dir = "." }).python)
  end)
end)
