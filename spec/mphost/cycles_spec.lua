-- A hundred thousand of each, made and given up: nothing grows.
local helper = require "support.helper"
local tool = require "mphost.tool"
local cycles = require "mphost.cycles"

describe("A life after the other", function()
  for _, kind in ipairs(cycles.KINDS) do
    it("leaves nothing: " .. kind[1], function()
      helper.deadline(60)
      cycles.run(kind, tool.slower > 1 and 10000 or 100000)
    end)
  end
end)
