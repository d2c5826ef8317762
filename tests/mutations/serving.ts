import { type Mistake, of } from "./mistake.ts"

/**
 * Mistakes in putting a server together and ending it, in its settings, its figures, its log and its words, and in what
 * requests may say.
 */
export const SERVING: readonly Mistake[] = [
  ...of(
    "src/serve/room-for-streams.ts",
    ["tests/serve/room-for-streams.test.ts"],
    [
      [
        "streams may take the descriptors that are left when they are few",
        "(1 - FEW) * descriptors - OWN_DESCRIPTORS",
        "descriptors - OWN_DESCRIPTORS",
      ],
    ],
  ),
  ...of(
    "src/serve/gauges.ts",
    ["tests/serve/gauges.test.ts"],
    [
      ["the lag of the event loop is in milliseconds", "loop.lagMs / 1000", "loop.lagMs"],
      ["the processor's time is in milliseconds", "(user + system) / 1e6", "(user + system) / 1e3"],
      [
        "a backup that was never made was made in 1970",
        "return ms === 0 ? [] : ms / 1000",
        "return ms / 1000",
      ],
    ],
  ),
  ...of(
    "src/serve/first-token.ts",
    ["tests/serve/first-token.test.ts"],
    [
      [
        "a second first token is made beside those that are there",
        "tokenFile === undefined || (await store.access.tokens()).length > 0) return false",
        "tokenFile === undefined) return false",
      ],
    ],
  ),
  ...of(
    "src/serve/drain.ts",
    ["tests/serve/drain.test.ts"],
    [["a write that waits for another program is cut off by a stop", "  store.drain()\n", ""]],
  ),
  ...of(
    "src/machine/machine.ts",
    ["tests/upkeep/descriptors.test.ts"],
    [["the descriptor that shows how many are taken stays open", "      closeSync(next)\n", ""]],
  ),
  ...of(
    "src/log.ts",
    ["tests/log.test.ts"],
    [
      [
        "repetitions of an error are counted from the beginning",
        "{ ...repeated, again: 0, sinceMs: performance.now() }",
        "{ ...repeated, sinceMs: performance.now() }",
      ],
    ],
  ),
  ...of(
    "src/item/progress-words.ts",
    ["tests/item/progress-words.test.ts"],
    [
      [
        "half a band of the time left is shown",
        'typeof low === "number" && typeof high === "number"',
        'typeof low === "number" || typeof high === "number"',
      ],
      ["a start that is exact to a minute has a band", "highMs - lowMs > LEAST_BAND_MS", "highMs !== lowMs"],
    ],
  ),
  ...of(
    "src/settings/read-settings.ts",
    ["tests/settings/token-file.test.ts"],
    [
      [
        "a file takes precedence over the variable itself",
        'own === "" && file !== "" ? valueIn(file) : own',
        'file !== "" ? valueIn(file) : own',
      ],
    ],
  ),
  ...of(
    "src/serve/composition-root.ts",
    ["tests/webhooks/webhooks.test.ts"],
    [
      [
        "webhooks that take deliveries again still count as failing",
        "    onRecovered(webhook) {\n      note()\n",
        "    onRecovered(webhook) {\n",
      ],
    ],
  ),
  ...of(
    "src/serve/address-for-other-servers.ts",
    ["tests/serve/address-for-other-servers.test.ts"],
    [
      [
        "a server that listens on all addresses of IPv6 is reached at none",
        '["0.0.0.0", "[::]"]',
        '["0.0.0.0"]',
      ],
    ],
  ),
  ...of(
    "src/background-work.ts",
    ["tests/background-work.test.ts"],
    [["a limit of time leaves its timer", "    clearTimeout(timer)\n  }\n}", "  }\n}"]],
  ),
  ...of(
    "src/settings/values-from-text.ts",
    ["tests/settings/values-from-text.test.ts"],
    [
      [
        "a network may have one bit more than its addresses",
        "Number(bits) <= most) continue",
        "Number(bits) <= most + 1) continue",
      ],
      ["a webhook with a user is taken", 'url.username === "" && url.password === ""', 'url.password === ""'],
      ["a time of seven digits is taken", "[1-9]\\d{0,5})([smhd])$/", "[1-9]\\d{0,6})([smhd])$/"],
      ["an hour counts as six minutes", "h: 3_600_000", "h: 360_000"],
      [
        "the bounds of a whole number do not count",
        "value >= least && value <= most",
        "value >= least && value < most",
      ],
      ["a webhook that is named twice is called twice", "return [...new Set(urls)]", "return urls"],
    ],
  ),
  ...of(
    "src/settings/environment.ts",
    ["tests/settings/values-from-text.test.ts"],
    [
      [
        "a relative folder for state is taken",
        'if (state.startsWith("/")) return',
        'if (state !== "") return',
      ],
    ],
  ),
  ...of(
    "src/settings/read-settings.ts",
    ["tests/settings/values-from-text.test.ts"],
    [
      [
        "the token of a file is sent instead of the environment's",
        '  if (secret !== "") return secret\n',
        '  if (secret !== "" && setting("token-file", given, env) === undefined) return secret\n',
      ],
    ],
  ),
  ...of(
    "src/text.ts",
    ["tests/text.test.ts"],
    [
      [
        "a word with two quotes ends in the shell",
        "text.replaceAll(\"'\", `'\\\\''`)",
        "text.replace(\"'\", `'\\\\''`)",
      ],
    ],
  ),
  ...of(
    "src/background-work.ts",
    ["tests/background-work.test.ts"],
    [
      [
        "the failure of one service keeps the others running",
        "await Promise.allSettled(services.map((service) => service.stop()))",
        "await Promise.all(services.map((service) => service.stop())).then(() => [])",
      ],
    ],
  ),
  ...of(
    "src/failure-cause.ts",
    ["tests/failure-cause.test.ts"],
    [["of ffmpeg's consequences the last is shown", ": named[0])", ": named.at(-1))"]],
  ),
  ...of(
    "src/wire/requests.ts",
    ["tests/wire/requests.test.ts"],
    [
      ["a retry may come within an hour at most", "maximum: 86_400,", "maximum: 3600,"],
      ["a claim may wait for ten minutes", "minimum: 0, maximum: 60,", "minimum: 0, maximum: 600,"],
      ["a hundred items are changed at once at most", "maxItems: 1000,", "maxItems: 100,"],
    ],
  ),
  ...of(
    "src/serve/gauges.ts",
    ["tests/serve/gauges.test.ts"],
    [
      [
        "the free room in the database is the size of its log",
        "(await upkeep.size()).free",
        "(await upkeep.size()).wal",
      ],
    ],
  ),
  ...of(
    "src/serve/first-token.ts",
    ["tests/serve/first-token.test.ts"],
    [
      [
        "tickets end when the server is started again",
        "if (tokens.existed) await tickets.load()\n  else if (",
        "if (!tokens.existed && ",
      ],
    ],
  ),
  ...of(
    "src/serve/child-processes.ts",
    ["tests/serve/child-processes.test.ts"],
    [
      [
        "a backup that could not be made counts as made",
        "  if (code !== 0) throw new Error(said.trim() || `the process for it ended with code ${code}`)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/serve/child-processes.ts",
    ["tests/serve/child-processes.test.ts"],
    [
      [
        "everybody on the machine sees the backups",
        "{ recursive: true, mode: 0o700 }",
        "{ recursive: true }",
      ],
    ],
  ),
  ...of(
    "src/serve/configured-upkeep.ts",
    ["tests/upkeep/size-limit.test.ts"],
    [
      ["a database that is full is filling, too", 'fill === "near"', 'fill !== "low"'],
      [
        "the size of the database is looked at by a timer alone",
        "if (maxDatabaseMb > 0)",
        "if (maxDatabaseMb < 0)",
      ],
    ],
  ),
  ...of(
    "src/serve/composition-root.ts",
    ["tests/http/output-size.test.ts"],
    [["less of the output is kept than was set", "keepOutputKb * 1024", "keepOutputKb * 1000"]],
  ),
  ...of(
    "src/serve/composition-root.ts",
    ["tests/serve/composition-root.test.ts"],
    [["the limit of sets of tags has no effect", "    mostTagSets: maxTagSets,\n", ""]],
  ),
  ...of(
    "src/serve/error-log.ts",
    ["tests/bus/engines.test.ts"],
    [["the log of a degraded server has no details", ', ...(detail !== "" && { detail }) }', " }"]],
  ),
  ...of(
    "src/serve/serve.ts",
    ["tests/commands/identity.test.ts"],
    [["an error names a rescued database of an earlier server", ">= performance.timeOrigin", "> 0"]],
  ),
  ...of(
    "src/serve/serve.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a server that has lost acknowledged updates says nothing",
        '  if (warning !== undefined) log("warn", warning)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/serve/configured-upkeep.ts",
    ["tests/serve/configured-upkeep.test.ts"],
    [
      [
        "updates do not grow old while no server runs",
        "awayMs: () => store.outages.lastMs",
        "awayMs: () => 0",
      ],
    ],
  ),
  ...of(
    "src/serve/child-processes.ts",
    ["tests/serve/child-processes.test.ts"],
    [["backups are made though they are off", " || backupEvery === 0) return []", ") return []"]],
  ),
  ...of(
    "src/serve/composition-root.ts",
    ["tests/webhooks/webhooks.test.ts"],
    [
      [
        "a delivery that was given up is not in the log",
        'errorLog.warn("a delivery to a webhook was given up", error, { delivery: id, update_id, notice })',
        "undefined",
      ],
    ],
  ),
  ...of(
    "src/serve/serve.ts",
    ["tests/commands/token.test.ts"],
    [
      [
        "nobody learns where the first token is",
        '  if (isFirst) log("info", "added the admin token that this file holds", { file: settings.tokenFile ?? "" })\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/serve/child-processes.ts",
    ["tests/serve/child-processes.test.ts"],
    [
      [
        "the compiled program makes no backups",
        'Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main]',
        "[process.execPath, Bun.main]",
      ],
    ],
  ),
  ...of(
    "src/http/request-counts.ts",
    ["tests/http/request-counts.test.ts"],
    [["a HEAD counts as a request without a route", 'method === "HEAD" ? "GET" : method', "method"]],
  ),
  ...of(
    "src/http/ingest-query.ts",
    ["tests/http/ingest-query.test.ts"],
    [["an output begins where it ends", "if (from >= to) throw", "if (from > to) throw"]],
  ),
  ...of(
    "src/http/routes/queue-actions.ts",
    ["tests/http/docs/docs.test.ts"],
    [
      [
        "an item is cancelled by any text",
        "queue.cancel(Number(id)),\n      {\n        parse: optionalJsonBody,\n        params: ItemParams,\n",
        "queue.cancel(Number(id)),\n      {\n        parse: optionalJsonBody,\n",
      ],
    ],
  ),
  ...of(
    "src/http/compressed-json.ts",
    ["tests/http/compressed-json.test.ts"],
    [["an answer that depends on everything names a part of it", 'if (varies !== "*")', "if (beside >= 0)"]],
  ),
  ...of(
    "src/serve/drain.ts",
    ["tests/serve/drain.test.ts"],
    [["a server that drains looks ready", '  reasons.set("draining", true)\n', "  void reasons\n"]],
  ),
  ...of(
    "src/non-blocking-output.ts",
    ["tests/non-blocking-output.test.ts"],
    [
      [
        "what a terminal did not take at once comes in another order",
        "this.#waiting.push({",
        "this.#waiting.unshift({",
      ],
    ],
  ),
]
