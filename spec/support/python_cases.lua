-- What CPython's own tests try of processes (P), pools (O), executors and futures (F) and connections (X), and what its
-- users suffer from (PROBE: a hang, a loss or a leak that was seen there). spec/layout_spec.lua holds that each of them
-- is named by a spec, `it("P07: ...")`, `it("P08-P11, O02: ...")`, `it("PROBE 2.19: ...")`, or has its reason here.
local cases = {}

cases.count = { P = 35, O = 32, F = 21, X = 15 }

-- Rows of the tables of Python's interface (1.x), and its users' complaints (2.x).
cases.probes = {
  "1.2 daemon", "1.4 put", "1.4 get", "1.4 empty", "1.5 Lock", "1.5 Condition", "1.5 Event", "1.5 Barrier", "1.6 Value",
  "1.6 shared_memory", "1.8 Pool", "1.8 apply_async", "1.8 map", "1.8 terminate", "1.8 with", "1.8 AsyncResult",
  "1.8 worker death", "1.8 idle", "1.8 result", "1.9 submit", "1.9 shutdown", "1.9 worker death", "1.9 initializer",
  "2.1", "2.2", "2.3", "2.4", "2.6", "2.8", "2.9", "2.10", "2.11", "2.15", "2.18", "2.19", "2.20", "2.21", "2.22",
  "2.23", "2.24", "2.26", "2.27", "2.28", "2.29", "2.30", "2.33", "2.34", "2.37", "2.40",
}

-- What has no spec in Lua, and why.
cases.excused = {
  P20 = "Lua has no threads to wait for",
  P28 = "there is no socket to be refused at: the zygote is reached by a pair of its own",
  X04 = "a message is a Lua value: no buffers, no offsets",
  X07 = "handles are passed, not descriptors",
  X10 = "there are no listeners: a family shares its memory",
  X13 = "there are no sockets",
  ["2.33"] = "spec/app/thread_spec.c forks beside threads that hold locks",
}

return cases
