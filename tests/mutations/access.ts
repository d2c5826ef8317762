import { type Mistake, of } from "./mistake.ts"

/** Mistakes in tokens, tickets and the shared limits of clients. */
export const ACCESS: readonly Mistake[] = [
  ...of(
    "src/access/fleet-rate-limit.ts",
    ["tests/access/fleet-rate-limit.test.ts"],
    [
      [
        "a server takes one unit for all that wait",
        "this.#buckets.take(client, own.waiting, rate)",
        "this.#buckets.take(client, 1, rate)",
      ],
      [
        "after the buckets were away a client waits as long as before",
        "      this.#lose(error)\n      own.waitMs = 0",
        "      this.#lose(error)",
      ],
      [
        "units that were taken are kept for ever",
        "        if (own.untilMs <= this.#steadyMs()) own.units = 0\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/access/rate-limit.ts",
    ["tests/access/rate-limit.test.ts"],
    [
      [
        "a client that was quiet may do without end",
        "Math.min(burst, level.units + ((nowMs - level.atMs) * perSecond) / 1000)",
        "level.units + ((nowMs - level.atMs) * perSecond) / 1000",
      ],
      [
        "a cost above the burst can never be paid",
        "const asked = Math.min(cost, burst)",
        "const asked = cost",
      ],
      ["a client that asks all the time is never stopped", "    level.atMs = nowMs\n", ""],
      [
        "the order of use is kept only once memory is full",
        "this.#levels.size < this.#most / 2",
        "this.#levels.size < this.#most",
      ],
    ],
  ),
  ...of(
    "src/access/rate-limit.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "a debt grows without an end",
        "level.units = Math.max(level.units - 1, (-mostMs * perSecond) / 1000)",
        "level.units = level.units - 1",
      ],
    ],
  ),
  ...of(
    "src/access/authorize.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "a token that has expired ends a render in hand",
        "if (token || isLeased) return token",
        "if (token) return token",
      ],
      [
        "a stranger on an open server has no limit",
        "isOpen) return { ...this.#everybody, client: key }",
        "isOpen) return this.#everybody",
      ],
      [
        "who comes through a proxy has the rights of this machine on routes for everybody",
        'need === "nothing") return nobody(key)',
        'need === "nothing") return this.#everybody',
      ],
      ["what was open without a token goes on after the first one", "this.#protection.abort()", "void 0"],
      ["the streams of a revoked token go on", "this.#callers.get(id)?.ended.abort()\n", ""],
      [
        "bad tokens of one address lock all others out",
        "this.#noteFailure(from().key)",
        'this.#noteFailure("all")',
      ],
      [
        "a caller whose token has ended is found again",
        "      this.#callers.get(id)?.ended.abort()\n      this.#callers.delete(id)",
        "      this.#callers.get(id)?.ended.abort()",
      ],
      [
        "a token that may do less takes the right of a lease",
        "    if (isLeased && !isAllowed(caller, need, isLocal)) return nobody(credentials.from().key)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/access/authorize.ts",
    ["tests/access/remembered-headers.test.ts"],
    [
      [
        "remembered headers grow without end",
        "    if (this.#secrets.size >= MOST_HEADERS) this.#secrets.clear()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/access/roles.ts",
    ["tests/access/roles.test.ts"],
    [
      [
        "a viewer on another machine reads the metrics",
        'need === "operations" && role === "viewer") return isLocal()',
        'need === "operations" && role === "viewer") return true',
      ],
      [
        "a token for one item reads the figures of all",
        'if (item !== undefined && need !== "item" && need !== "read") return false',
        "",
      ],
      [
        "a worker may change items",
        'change: ["operator", "admin"],',
        'change: ["operator", "worker", "admin"],',
      ],
      [
        "a viewer may add items",
        'add: ["operator", "worker", "admin"],',
        'add: ["viewer", "operator", "worker", "admin"],',
      ],
    ],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "a ticket is good for every path",
        "row.method !== method || row.path !== pathOfTicket(path)",
        "row.method !== method",
      ],
      ["a ticket may be used first at any time", " || (used_at === null && Date.parse(use_by) <= nowMs)", ""],
      ["a ticket says that it outlives its token", "Math.min(now() + LIFE_MS, lastMs)", "now() + LIFE_MS"],
      [
        "a viewer gets a ticket that reports",
        'method === "POST" && !isAllowed(',
        'method === "PUT" && !isAllowed(',
      ],
      ["a ticket for an address with a cache key is good for nothing", "path: pathOfTicket(path),", "path,"],
      [
        "tickets that were not used in time count against the limit",
        "if (hasEnded(row, nowMs)) this.#known.delete(row.hash)",
        "if (hasEnded({ ...row, used_at: row.use_by }, nowMs)) this.#known.delete(row.hash)",
      ],
      ["a ticket of a clock that was ahead lasts for years", " || leftMs > 2 * LIFE_MS", ""],
    ],
  ),
  ...of(
    "src/access/tokens.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "tokens that could not be read count as read",
        "      const rows = await this.#store.tokens()\n      this.#version = version\n",
        "      this.#version = version\n      const rows = await this.#store.tokens()\n",
      ],
      [
        "a token for an item of another history is in force",
        "row.item === null || row.history === this.#options.history",
        "row.item === null || row.history !== undefined",
      ],
      [
        "the streams of a token that expires go on",
        "    const valid = this.#notRevoked.filter((row) => !this.#hasExpired(row))\n",
        "    const valid = this.#notRevoked\n",
      ],
      ["every use of a token is written down", "if (nowMs - beforeMs < REMEMBER_MS) return", ""],
      [
        "a token that was revoked is let in if it was used before",
        "    if (this.#inForce !== before) this.#known.clear()\n",
        "",
      ],
      [
        "a token for an item of another history shows the item of the same number",
        "this.#isOurs(row) && row.revoked_at === null",
        "(this.#isOurs(row) || row.item !== null) && row.revoked_at === null",
      ],
      ["each use of a token is written to the disk", "    this.#used.set(id, nowMs)\n", ""],
    ],
  ),
  ...of(
    "src/http/routes/tickets.ts",
    ["tests/http/routes/tickets.test.ts"],
    [
      [
        "a token gets tickets for what it may not read",
        'needAt("GET", path.replace(/\\?.*$/s, "")) ?? "item"',
        '"item"',
      ],
      ["a query hides what a ticket is for", 'path.replace(/\\?.*$/s, "")', "path"],
    ],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "the tickets of one token use up those of the others",
        "filter(({ token_id }) => token_id === id)",
        "filter(() => true)",
      ],
    ],
  ),
  ...of(
    "src/access/authorize.ts",
    ["tests/access/authorize.test.ts"],
    [["a client that writes bearer in small letters is refused", "(\\S+) *$/i", "(\\S+) *$/"]],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      ["a path that begins like an ingest is taken for one", "[a-z]+($|\\?)/", "[a-z]+/"],
      [
        "tickets that have ended count until the next search",
        " || own.filter((row) => !hasEnded(row, this.#options.now())).length < MOST",
        "",
      ],
    ],
  ),
  ...of(
    "src/access/rate-limit.ts",
    ["tests/access/rate-limit.test.ts"],
    [
      [
        "the client that came first is forgotten, however busy it is",
        "if (known && this.#levels.size < this.#most / 2) return known",
        "if (known) return known",
      ],
    ],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      [
        "a ticket that was used at another server ends after a minute",
        "if (known && (known.used_at !== null || Date.parse(known.use_by) > this.#options.now())) return",
        "if (known) return",
      ],
      ["anybody may have the database searched for tickets", "    count()\n", ""],
      ["a first use that could not be stored is never stored", "        this.#unstored.add(used)\n", ""],
    ],
  ),
  ...of(
    "src/http/app.ts",
    ["tests/http/answer-cost.test.ts"],
    [
      [
        "tickets are looked up for a page of another site",
        "  app.use(checksBeforeRouting(parts, () => app.routes, refusals, refused, senders.count))\n  app.use(sharedTickets(parts.tickets, senders.count))\n",
        "  app.use(sharedTickets(parts.tickets, senders.count))\n  app.use(checksBeforeRouting(parts, () => app.routes, refusals, refused, senders.count))\n",
      ],
    ],
  ),
  ...of(
    "src/access/authorize.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "a caller from elsewhere counts as this machine until its route is known",
        "if (!this.#tokens.existed && isLocal) return",
        "if (!this.#tokens.existed) return",
      ],
      ["nobody learns when the next token may be tried", "retryAfterMs: waitMs", "retryAfterMs: 0"],
    ],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/authorize.test.ts"],
    [
      [
        "a parameter that a client writes in another way breaks its ticket",
        'INCIDENTAL.test(decoded(part.split("=", 1)[0] ?? ""))',
        'INCIDENTAL.test(part.split("=", 1)[0] ?? "")',
      ],
    ],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/http/routes/tickets.test.ts"],
    [["a ticket for one item opens others", "isByTicket && named ? {", "false && named ? {"]],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      [
        "after one write that failed each use of a ticket is stored",
        "this.#unstored.delete(used)",
        "this.#unstored.has(used)",
      ],
    ],
  ),
]
