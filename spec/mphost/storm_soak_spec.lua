-- The storm of kills, twenty seconds of it, and the end of nested pools.
local helper = require "support.helper"
local storm = require "support.storm"

describe("A pool in a long storm of kills", function()
  it("gives each result exactly once", function()
    helper.deadline(120)
    assert.is_true(storm(20) > 200)
  end)
end)
