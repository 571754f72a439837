-- A million of each, made and given up: nothing grows.
local helper = require "support.helper"
local cycles = require "mphost.cycles"

describe("A life after the other, a million times", function()
  for _, kind in ipairs(cycles.KINDS) do
    it("leaves nothing: " .. kind[1], function()
      helper.deadline(600)
      cycles.run(kind, 1000000)
    end)
  end
end)
