-- The works in the table's order. Each is scripts/bench/NAME.lua, with its twins NAME.py, NAME.c and NAME.PEER.lua, and
-- prints the figures listed with it. A new work is these files and an entry here.
--
-- A figure: its name in the output, what the table calls it, its unit, "more" or "less" for what is better, targets.
-- A target: `least` or `most`, of its own unit or as a factor `of` another figure: "python", "limit" (the C twin's), or
-- another figure's name of the same work.
-- `borrow`: whose twin is another work's, and which one's.

local function figure(name, label, unit, better, ...)
  return { name = name, label = label, unit = unit, better = better, targets = { ... } }
end

-- The same figure at several scales: a row each.
local function scale(prefix, list, label, unit, better)
  local figures = {}
  for k, at in ipairs(list) do
    figures[k] = figure(prefix .. at[1], label:format(at[2] or at[1]), unit, better)
  end
  return figures
end

local half = { least = 0.5, of = "one_to_one" }

return {
  { name = "queue_int", figures = {
    figure("rate", "queue, integers, 1 to 1", "M/s", "more", { least = 4 }),
  } },
  { name = "queue_table", figures = {
    figure("rate", "queue, {x=1,y=2,s=\"abc\"}, 1 to 1", "M/s", "more", { least = 0.8 }),
  } },
  { name = "queue_roundtrip", figures = {
    figure("time", "queue, round trip of an integer", "us", "less", { most = 1.5 }),
  } },
  { name = "queue_string", figures = {
    figure("rate", "queue, a string of 100 MB", "GB/s", "more", { least = 1.5 }),
  } },
  { name = "value_add", figures = {
    figure("alone", "v:add(1), alone", "M/s", "more", { least = 15 }),
    figure("two", "v:add(1), two processes in total", "M/s", "more", { least = 10 }),
  } },
  { name = "lock", figures = {
    figure("pair", "lock and unlock, alone", "ns", "less", { most = 120 }),
    figure("two", "lock and unlock, two processes", "ns", "less"),
  } },
  { name = "dict_add", figures = {
    figure("rate", "dict:add(key, 1), alone", "M/s", "more", { least = 1.5 }),
  } },
  { name = "queue_crowd", figures = {
    figure("one_to_one", "queue, integers, 1 to 1", "M/s", "more"),
    figure("one_to_seven", "queue, integers, 1 to 7", "M/s", "more", half),
    figure("seven_to_one", "queue, integers, 7 to 1", "M/s", "more", half),
    figure("four_to_four", "queue, integers, 4 to 4", "M/s", "more", half),
  } },
  { name = "process", figures = {
    figure("time", "process, start and join", "us", "less",
      { most = 1.4, of = "limit" }, { most = 1 / 7, of = "python" }),
  } },
  { name = "pool_cycle", figures = {
    figure("time", "Pool(2): create, one task, close", "ms", "less", { most = 1.5 }),
  } },
  { name = "pool_map", figures = {
    figure("default", "map of x*x+1, 100 000 items", "M/s", "more", { least = 6 }),
    figure("chunk_one", "the same, chunk = 1", "M/s", "more", { least = 2 }),
    figure("loop", "the same, one plain loop", "M/s", "more"),
  } },
  { name = "fork_map", figures = {
    figure("speed_up", "mp.map of the same, over the loop", "x", "more", { least = 0.8 }),
  } },
  { name = "pool_apply", borrow = { luv = "queue_roundtrip", limit = "queue_roundtrip" }, figures = {
    figure("time", "apply, round trip", "us", "less", { most = 8 }),
  } },
  { name = "pool_primes", figures = {
    figure("speed_up", "primes to 2 million, over the loop", "x", "more", { least = 1.93 }),
  } },
  { name = "pool_memory", figures = {
    figure("pss", "memory of an idle worker (PSS)", "MB", "less", { most = 0.35 }),
  } },
  { name = "pool_stream", figures = {
    figure("rate", "imap, 10 million items", "M/s", "more"),
    figure("growth", "the same: growth of the parent", "MB", "less", { most = 1 }),
  } },

  -- how cost grows
  { name = "queue_size", figures = scale("b", {
    { 8, "8 B" }, { 64, "64 B" }, { 512, "512 B" }, { 4096, "4 KB" }, { 32768, "32 KB" }, { 262144, "256 KB" },
    { 2097152, "2 MB" }, { 16777216, "16 MB" },
  }, "queue, strings of %s", "MB/s", "more") },
  { name = "queue_thousand", figures = {
    figure("rate", "queue, 1000 processes to 1 (Python 200)", "M/s", "more"),
  } },
  { name = "process_heap", figures = scale("mb", { { 1 }, { 10 }, { 100 }, { 1000 } },
    "process, start and join, heap of %d MB", "us", "less") },
  { name = "process_memory", figures = scale("n", { { 1 }, { 10 }, { 100 }, { 1000 } },
    "memory of a process (PSS), one of %d", "MB", "less") },
  { name = "pool_size", figures = scale("w", { { 1 }, { 4 }, { 16 }, { 64 } },
    "Pool(%d): create, a task each, close", "ms", "less") },
  { name = "map_length", figures = scale("turns", {
    { 1 }, { 10 }, { 100 }, { 1000 }, { 10000 }, { 100000 }, { 1000000 },
  }, "map, tasks of %d turns, over the loop", "x", "more") },
}
