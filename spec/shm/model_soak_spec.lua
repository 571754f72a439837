-- The models of model_spec.lua with more members and more deaths; half an hour and 6 GB.
local helper = require "support.helper"
local checker = require "shm.model.checker"

if not checker.usable then
  pending "models: no spin here, or it ran in another build"
  return
end

local SEARCHES = {
  lock = {
    "ROUNDS=2 TIMEOUTS=1",
    "ROUNDS=1 TIMEOUTS=1 DEATHS=1 SLICES=1",
    "ROUNDS=1 DEATHS=2 SLICES=1 KERNEL_WAKES=0",
    "PROCESSES=2 ROUNDS=4 TIMEOUTS=1 DEATHS=1 SLICES=1",
    "PROCESSES=4 ROUNDS=1",
  },
  queue = {
    "EACH=1 BLOCKS=1",
    "EACH=2",
    "EACH=1 CLOSER=1",
    "PRODUCERS=1 EACH=2 BLOCKS=1 DEATHS=1 SLICES=1",
    "CONSUMERS=1 EACH=1 BLOCKS=1 DEATHS=1 SLICES=1",
    "PRODUCERS=1 CONSUMERS=1 EACH=3 BLOCKS=1 CAPACITY=0 RING=1 DEATHS=1 SLICES=1",
    "PRODUCERS=1 EACH=2 CAPACITY=0 RING=1 BLOCKS=1 DEATHS=1 SLICES=1",
    "PRODUCERS=1 EACH=1 BLOCKS=1 DEATHS=2 SLICES=1",
    "EACH=1 DEATHS=1 SLICES=1",
  },
  redelivery = {
    "EACH=2 DEATHS=2 SLICES=1",
    "EACH=2 DEATHS=1 SLICES=1 ASKER=2",
    "EACH=2 DEATHS=1 SLICES=1 WAITER=1",
    "EACH=1 DEATHS=2 SLICES=1 ASKER=1 WAITER=1",
    "EACH=1 CONSUMERS=3 DEATHS=2 SLICES=1",
    "EACH=3 CONSUMERS=3",
  },
}

for model, searches in pairs(SEARCHES) do
  describe("The " .. model .. "'s model", function()
    for _, definitions in ipairs(searches) do
      it("holds: " .. definitions, function()
        helper.deadline(1200)
        checker.holds(model, definitions, 6000)
      end)
    end
  end)
end
