-- The protocols of robust.c, queue.c, hand.c and journal.c, searched by spin in all their states: small families here,
-- larger ones in model_soak_spec.lua. The models say what they take for granted.
local helper = require "support.helper"
local checker = require "shm.model.checker"

if not checker.usable then
  pending "models: no spin here, or it ran in another build"
  return
end

local DIES = " DEATHS=1 SLICES=1"

-- What cases say of a model: that it holds with these definitions, that it breaks with them.
local function claims_of(model)
  local function within_deadline(claim)
    return function(definitions)
      helper.deadline(100)
      claim(model, definitions)
    end
  end
  return within_deadline(checker.holds), within_deadline(checker.breaks)
end

describe("The lock's model", function()
  local holds, breaks = claims_of "lock"

  it("excludes, and wakes all, without slices", function() holds "ROUNDS=1 TIMEOUTS=1" end)
  it("excludes, and wakes all with slices, though one dies", function() holds("PROCESSES=2 TIMEOUTS=1" .. DIES) end)
  it("fails if who was woken does not mark the lock for others", function() breaks "ROUNDS=1 MUTANT=NO_KEEP" end)
  it("fails if who gives up after a sleep does not either", function() breaks "TIMEOUTS=1 MUTANT=LEAVE_UNMARKED" end)
  it("fails if unlock takes two steps", function() breaks "ROUNDS=1 MUTANT=NO_EXCHANGE" end)
  it("fails if the kernel does not know of the unlock", function()
    breaks("PROCESSES=2 ROUNDS=1 MUTANT=NO_PENDING" .. DIES)
  end)
end)

describe("The queue's model", function()
  local holds, breaks = claims_of "queue"
  local PAIR = "PRODUCERS=1 CONSUMERS=1 "

  it("loses no wake without slices", function() holds "EACH=1 CONSUMERS=1" end)
  it("holds while the queue is closed", function() holds(PAIR .. "CLOSER=1") end)
  it("holds while the ring grows, with blocks", function() holds(PAIR .. "EACH=3 CAPACITY=0 RING=1 BLOCKS=1") end)
  it("holds though one dies in a transaction", function() holds(PAIR .. "BLOCKS=1" .. DIES) end)
  it("holds though one dies and others go on", function() holds("PRODUCERS=1 EACH=1 BLOCKS=1" .. DIES) end)
  it("fails if the flag is set after the last look", function() breaks(PAIR .. "MUTANT=FLAG_AFTER_LOOK") end)
  it("fails if the commit comes before the record", function() breaks(PAIR .. "MUTANT=COMMIT_FIRST") end)
  it("fails if the flag is looked at before the commit", function() breaks(PAIR .. "MUTANT=WAKE_EARLY") end)
  it("fails if head is stored before the record is read", function() breaks(PAIR .. "RING=1 MUTANT=TAKE_FIRST") end)
  it("fails if the flag is cleared after the wake", function() breaks(PAIR .. "MUTANT=CLEAR_LATE") end)
  it("fails if an heir does not pass the journal", function() breaks("PRODUCERS=1 BLOCKS=1 MUTANT=NO_PASS" .. DIES) end)
  it("fails without the log", function() breaks(PAIR .. "BLOCKS=1 MUTANT=NO_REDO" .. DIES) end)
  it("fails if the log is committed before it is whole", function()
    breaks(PAIR .. "BLOCKS=1 MUTANT=COUNT_FIRST" .. DIES)
  end)
  it("fails if the ring grows under a consumer", function()
    breaks(PAIR .. "CAPACITY=0 RING=1 EACH=3 MUTANT=GROW_ALONE")
  end)
end)

describe("The model of redelivery", function()
  local holds, breaks = claims_of "redelivery"

  it("ends, all dealt with, without slices", function() holds "EACH=2" end)
  it("ends for who waits until all is dealt with, too", function() holds "EACH=2 CONSUMERS=1 WAITER=1" end)
  it("holds though one dies", function() holds("EACH=1" .. DIES) end)
  it("fails if a closed queue looks for what came back before it looks into hands", function()
    breaks("EACH=1 ASKER=1 MUTANT=BACK_FIRST" .. DIES)
  end)
  it("fails if it does not look into hands", function() breaks "EACH=1 MUTANT=HANDS_FORGOT" end)
  it("fails if a message goes back in two transactions", function()
    breaks("EACH=1 ASKER=1 MUTANT=TWO_STEPS" .. DIES)
  end)
  it("fails if who sleeps does not look for the dead", function() breaks("EACH=1 MUTANT=NO_LOOK" .. DIES) end)
  it("fails if living ones' messages go back", function() breaks "EACH=1 MUTANT=LOOK_AT_ALL" end)
  it("fails if head moves before the message", function() breaks("EACH=1 MUTANT=TAKE_ALONE" .. DIES) end)
  it("fails if task_done wakes nobody", function() breaks "EACH=1 MUTANT=NO_DONE_WAKE" end)
  it("fails if wait_done sleeps on what was dealt with", function()
    breaks "EACH=2 CONSUMERS=1 WAITER=1 MUTANT=FLAG_ALONE"
  end)
  it("fails if acked moves before the message", function() breaks("EACH=1 MUTANT=DONE_ALONE" .. DIES) end)
end)
