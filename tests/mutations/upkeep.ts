import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the regular maintenance that a server does by itself. */
export const UPKEEP: readonly Mistake[] = [
  ...of(
    "src/backoff.ts",
    ["tests/backoff.test.ts", "tests/webhooks"],
    [
      ["no wait has a limit", "Math.min(mostMs, firstMs * 2 ** failures)", "firstMs * 2 ** failures"],
      ["the spread goes one way only", "(1 + spread * (2 * random() - 1))", "(1 + spread * random())"],
      ["a date is read by the wrong clock", 'date === "" ? Date.now() : Date.parse(date)', "Date.now()"],
    ],
  ),
  ...of(
    "src/background-work.ts",
    ["tests/background-work.test.ts"],
    [
      [
        "after a pause of the process each round that was missed is made up",
        "due.atMs += ms * Math.max(1, Math.ceil((nowMs - due.atMs) / ms))",
        "due.atMs += ms",
      ],
      [
        "a slice of long work that follows another one is over at once",
        "Immediate)\n    this.#sinceMs = performance.now()",
        "Immediate)",
      ],
    ],
  ),
  ...of(
    "src/degraded-reasons.ts",
    ["tests/degraded-reasons.test.ts"],
    [
      [
        "a reason for being degraded always began just now",
        "since: known?.held.since ?? new Date().toISOString()",
        "since: new Date().toISOString()",
      ],
      ["a reason has held since its latest report", "known?.beganMs ?? nowMs", "nowMs"],
    ],
  ),
  ...of(
    "src/upkeep/backups.ts",
    ["tests/upkeep/backups.test.ts"],
    [
      [
        "what an ended backup left behind stays",
        "    for (const name of await names()) if (UNFINISHED.test(name)) await remove(name)\n",
        "    await names()\n",
      ],
      ["one backup more is kept than is wanted", ".slice(0, -keep))\n", ".slice(0, -keep - 1))\n"],
      [
        "a backup that was ended by the stop counts as made",
        "    if (!signal.aborted) this.#latestMs = nowMs",
        "    this.#latestMs = nowMs",
      ],
      [
        "a backup that failed is not noted",
        "      onResult(true)\n      throw failure.error",
        "      throw failure.error",
      ],
    ],
  ),
  ...of(
    "src/upkeep/ballast-for-full-disk.ts",
    ["tests/upkeep/ballast-for-full-disk.test.ts"],
    [
      [
        "a server that starts on a full disk takes items until its first round",
        "      if (this.#isShort(options.freeBytes())) this.#set(true)\n",
        "",
      ],
      [
        "the file is put back as soon as there is a little room",
        "if (free >= ENOUGH_BYTES)",
        "if (free >= FULL_BYTES)",
      ],
      [
        "the file is let go before new items are refused",
        "      this.#set(true)\n      drop()",
        "      drop()\n      this.#set(true)",
      ],
    ],
  ),
  ...of(
    "src/upkeep/compaction.ts",
    ["tests/upkeep/compaction.test.ts"],
    [
      [
        "a small database waits until nothing is rendered",
        "(await bytes()) > SMALL_BYTES && (await isAnyLeased())",
        "await isAnyLeased()",
      ],
    ],
  ),
  ...of(
    "src/upkeep/descriptors.ts",
    ["tests/upkeep/descriptors.test.ts"],
    [
      [
        "that descriptors are scarce is said at each look",
        "    if (nowMs() - this.#saidMs < SAY_MS) return\n",
        "",
      ],
      ["connections that were closed are told again and again", "    this.#closed = 0\n  }", "  }"],
      [
        "new connections wait although there are many descriptors again",
        'if (left !== "many" && nowMs()',
        "if (nowMs()",
      ],
      [
        "when no descriptor is left new connections get no refusal",
        '    if (left === "none") spare.release()\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/upkeep/event-loop-and-clock.ts",
    ["tests/upkeep/looking.test.ts"],
    [
      ["one jump of the clock is reported each second", "    this.#aheadMs = aheadMs\n", ""],
      [
        "a short lag of the event loop is forgotten a second later",
        "this.#lags.slice(1 - ROUNDS)",
        "this.#lags.slice(-1)",
      ],
      [
        "a clock that jumped once is a reason for ever",
        '    if (this.#latestMs - this.#jumpedMs > TOLD_MS) this.#reasons.set("clock_jumped", false)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/upkeep/remove-finished.ts",
    ["tests/upkeep/retention.test.ts"],
    [
      [
        "an item that finished again meanwhile is deleted",
        "isFinished(stored.item.status) && isWithin(stored.item.completed_at, ended)",
        "isFinished(stored.item.status)",
      ],
    ],
  ),
  ...of(
    "src/upkeep/fleet.ts",
    ["tests/upkeep/fleet.test.ts"],
    [
      ["a server counts itself among the others", "one !== own && Date.parse", "Date.parse"],
      [
        "a server that stopped long ago still counts",
        "onOthers(all.filter((one) => one !== own && Date.parse(one.seen_at) > sinceMs))",
        "onOthers(all.filter((one) => one !== own && sinceMs > 0))",
      ],
    ],
  ),
  ...of(
    "src/upkeep/missed-rings.ts",
    ["tests/upkeep/looking.test.ts"],
    [
      [
        "streams that are behind for a moment count as deaf",
        "heard !== undefined && heard === behindAt",
        "heard !== undefined && behindAt !== undefined",
      ],
      ["streams count as deaf while the database is slow", " && !isSlow ? heard", " ? heard"],
      ["streams count as deaf after the database was away", "    this.#behindAt = undefined\n", ""],
    ],
  ),
  ...of(
    "src/upkeep/retention.ts",
    ["tests/upkeep/retention.test.ts"],
    [["updates of the last day are removed", "before(Math.max(updatesMs, DAY_MS))", "before(updatesMs)"]],
  ),
  ...of(
    "src/upkeep/old-enough.ts",
    ["tests/upkeep/retention.test.ts"],
    [
      ["a clock that is ahead makes old what is young", "Math.min(ms, DAY_MS)", "0"],
      [
        "what ended far ahead is kept for ever",
        "fromMs: nowMs + DAY_MS, toMs: LAST_MS",
        "fromMs: LAST_MS, toMs: LAST_MS",
      ],
      [
        "what ended in 1970 goes after a day",
        "toMs: WRITTEN_MS - 1, upTo: all",
        "toMs: WRITTEN_MS - 1, upTo: day",
      ],
    ],
  ),
  ...of(
    "src/upkeep/size-limit.ts",
    ["tests/upkeep/size-limit.test.ts"],
    [
      [
        "room is made down to the limit alone, and so again and again",
        "isDue && used > NEAR * mostBytes",
        "isDue && used >= mostBytes",
      ],
      [
        "a stop reports a database as full in which room was being made",
        "    if (this.isStopped) return\n    this.#tellOf(",
        "    this.#tellOf(",
      ],
      [
        "claims are refused as soon as the limit is reached",
        "used >= FAR_TOO_LARGE * mostBytes",
        "used >= mostBytes",
      ],
      ["finished items go as long as the room of deleted ones is not free", ")) - deleted", "))"],
      [
        "writers go on after each step that makes room, however little it frees",
        "if (used < this.#mostPages) this.#tell(",
        "this.#tell(",
      ],
      ["a full database is called nearly full while items are deleted", "      this.#tellOf(now)\n", ""],
      ["room is made without rest", "if (used < before || used < mostBytes) await", "if (used < 0) await"],
    ],
  ),
  ...of(
    "src/upkeep/backups.ts",
    ["tests/upkeep/backups.test.ts"],
    [
      [
        "a backup that a stop ended has failed",
        "    // A backup that this program ended itself has not failed.\n    if (this.#stopped.signal.aborted) return\n    if (failure) {\n      onResult(true)\n      throw failure.error\n    }\n",
        "    if (failure) {\n      onResult(true)\n      throw failure.error\n    }\n    if (this.#stopped.signal.aborted) return\n",
      ],
    ],
  ),
  ...of(
    "src/upkeep/compaction.ts",
    ["tests/upkeep/compaction.test.ts"],
    [
      [
        "a compaction that a stop ended has failed",
        "    if (signal.aborted) return\n    if (failure) throw failure.error\n",
        "    if (failure) throw failure.error\n",
      ],
    ],
  ),
  ...of(
    "src/upkeep/old-enough.ts",
    ["tests/upkeep/old-enough.test.ts"],
    [
      [
        "a machine that runs for an hour a day keeps items for years",
        "toMs: nowMs - ms, upTo: day",
        "toMs: nowMs - ms, upTo: all",
      ],
    ],
  ),
  ...of(
    "src/upkeep/missed-rings.ts",
    ["tests/upkeep/looking.test.ts"],
    [["streams that have everything count as deaf", "head > heard && !isSlow", "!isSlow"]],
  ),
  ...of(
    "src/upkeep/size-limit.ts",
    ["tests/upkeep/size-limit-steps.test.ts"],
    [
      [
        "writers may exceed the limit as long as after the last step that made room",
        "    }\n    this.#mostPages = mostBytes\n",
        "    }\n",
      ],
      [
        "each commit reports a full database as filled again",
        "used - wal >= this.#mostPages && !this.#isFull",
        "used - wal >= this.#mostPages",
      ],
    ],
  ),
  ...of(
    "src/upkeep/backups.ts",
    ["tests/upkeep/backups.test.ts"],
    [
      [
        "a backup is known only in the round after it",
        "    if (!signal.aborted) this.#latestMs = nowMs\n",
        "",
      ],
    ],
  ),
]
