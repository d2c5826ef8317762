import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the answers to requests, and in how long requests may stay open. */
export const HTTP: readonly Mistake[] = [
  ...of("src/http/caller-of-request.ts", ["tests/http/client-limits.test.ts"], []),
  ...of(
    "src/http/body.ts",
    ["tests/http/errors-request.test.ts"],
    [
      [
        "a body of unknown length may be as long as it likes",
        "    if (size > MAX_BODY_BYTES) throw tooLarge()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/http/client-address.ts",
    ["tests/http/client-address.test.ts"],
    [
      [
        "a request through a proxy counts as one of this machine",
        "isLoopback(from) && !isByProxy",
        "isLoopback(from)",
      ],
      [
        "through a trusted proxy a client names itself",
        "for (const hop of hops.reverse()) {",
        "for (const hop of hops) {",
      ],
      [
        "an empty hop hides the client",
        '[...hopsIn(headers), peer].filter((hop) => hop !== "")',
        "[...hopsIn(headers), peer]",
      ],
    ],
  ),
  ...of(
    "src/http/time-limit-of-held-answer.ts",
    ["tests/http/bound.test.ts"],
    [
      [
        "an answer is held on though the token was revoked",
        "[client, over.signal, ...(ended ? [ended] : [])]",
        "[client, over.signal]",
      ],
    ],
  ),
  ...of(
    "src/http/routes/ingest.ts",
    ["tests/queue/ingest.test.ts"],
    [
      [
        "a server that stops fails the renders whose output it reads",
        "isFinal && !workers.draining ?",
        "isFinal ?",
      ],
    ],
  ),
  ...of(
    "src/http/client-limits.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "held answers and outputs are counted together",
        "const ofKind = this.#held[open]",
        'const ofKind = this.#held["answer"]',
      ],
      [
        "a client that has sent made-up leases with its token pays nothing",
        "    if (client === undefined || !token) return\n    this.#byToken.charge",
        "    if (client === undefined || token) return\n    this.#byToken.charge",
      ],
      [
        "a request by a lease counts against its token as well",
        "isByLease(caller, lease) ? 0 : 1, nowMs",
        "1, nowMs",
      ],
      ["a lease is sent to Redis as it is", "allowances.take(digest(lease)", "allowances.take(lease"],
      [
        "a refusal is not counted when too many answers are held",
        "    if (held > 0 && count >= held) {\n      this.#options.onRefused?.()\n",
        "    if (held > 0 && count >= held) {\n",
      ],
    ],
  ),
  ...of(
    "src/http/checks-before-routing.ts",
    ["tests/http/checks-before-routing.test.ts"],
    [["when descriptors are few the health is refused", "(?:health|metrics)", "(?:metrics)"]],
  ),
  ...of(
    "src/http/output-formats.ts",
    ["tests/http/output-formats.test.ts"],
    [["an event ID without the begin of its attempt is refused", "(?:-(\\d{1,15}))?$/", "-(\\d{1,15})$/"]],
  ),
  ...of(
    "src/http/host-and-origin.ts",
    ["tests/http/host-and-origin.test.ts"],
    [
      [
        "a host name with a dot at its end is refused",
        '.toLowerCase().replace(/\\.$/, "")',
        ".toLowerCase()",
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-item.ts",
    ["tests/http/caller-of-request.test.ts"],
    [
      [
        "a worker that gives an item back as it was read is refused",
        "checkAllowedKeys(caller, Object.keys(change))",
        "checkAllowedKeys(caller, Object.keys(body))",
      ],
    ],
  ),
  ...of(
    "src/http/body-silence-limit.ts",
    ["tests/http/body-silence-limit.test.ts"],
    [
      [
        "a body that comes slowly is given up after a day",
        "      limit.restart()\n      yield next.value",
        "      yield next.value",
      ],
      [
        "a body that was given up because of its silence counts as read",
        "    if (!isSilent) noteEnd(request)",
        "    noteEnd(request)",
      ],
    ],
  ),
  ...of(
    "src/http/error-answers.ts",
    ["tests/http/unread-body.test.ts"],
    [
      [
        "a refused request keeps its connection as long as its body comes",
        '    if (hasUnreadBody(request)) set.headers["connection"] = "close"\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/app.ts",
    ["tests/http/unread-body.test.ts"],
    [
      [
        "a GET keeps its connection as long as its body comes",
        '    if (isReadMethod(request.method) && announcesBody(request)) set.headers["connection"] = "close"\n',
        "",
      ],
      [
        "a DELETE keeps its connection as long as its body comes",
        '    if (!isReadMethod(request.method) && hasUnreadBody(request)) set.headers["connection"] = "close"\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/unread-body.ts",
    ["tests/http/unread-body.test.ts"],
    [["an unwanted body that does not end counts as read", "if (!isLate) noteEnd", "noteEnd"]],
  ),
  ...of(
    "src/http/body-time-limit.ts",
    ["tests/http/unread-body.test.ts"],
    [["a slow body is refused although there are many descriptors", "if (areFew()) ", "if (true) "]],
  ),
  ...of(
    "src/http/gone-websockets.ts",
    ["tests/http/gone-websockets.test.ts"],
    [
      [
        "a second peer after a quiet time is never asked",
        "    clearInterval(this.#timer)\n    this.#timer = undefined",
        "    clearInterval(this.#timer)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/stream/thin.test.ts"],
    [["a socket that wants few updates gets all", "thin: Number(query.thin ?? 0),", "thin: 0,"]],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "subscribing to many items costs nothing",
        '    if (ask.do === "subscribe") limits.charge(caller, ask.ids.length * ITEM_BYTES)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/stream-query.ts",
    ["tests/http/stream-query.test.ts"],
    [
      [
        "an empty last event ID in the header hides the one of the query",
        'request.headers.get("last-event-id") || last_event_id || undefined',
        'request.headers.get("last-event-id") ?? last_event_id',
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-figures.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "cancelled items are missing among the failed ones",
        "failed: failed + cancelled + lost",
        "failed: failed + lost",
      ],
    ],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "a claim of a client that has gone keeps its item",
        "=> request.signal.aborted || caller",
        "=> caller",
      ],
    ],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/cancelling.test.ts"],
    [
      [
        "a worker that has gone renews its lease",
        "return client.aborted ? answer : workers.heartbeat(id, token)",
        "return workers.heartbeat(id, token)",
      ],
    ],
  ),
  ...of(
    "src/http/stream-owners.ts",
    ["tests/http/stream-owners.test.ts"],
    [
      [
        "callers without a limit have an owner of their streams",
        "    if (client === undefined && ended === undefined) return undefined\n",
        "",
      ],
      [
        "a client gets the owner whose streams were ended",
        "      this.#owners.delete(key)\n      this.#streams",
        "      this.#streams",
      ],
      [
        "among very many clients the streams of one are not counted any more",
        "if (owner.streams === 0) this.#owners.delete(key)",
        "this.#owners.delete(key)",
      ],
    ],
  ),
  ...of(
    "src/http/fair-turns.ts",
    ["tests/http/fair-turns.test.ts"],
    [
      [
        "a request overtakes those of its client that wait",
        "client.waiting.length > 0 || client.spentMs >= client.mostMs",
        "client.spentMs >= client.mostMs",
      ],
      ["a client counts as alone while others have streams open", " && !this.#haveOthers(name)", ""],
      [
        "a client counts as alone although another one has just asked",
        "nowMs - this.#sharedMs >= ALONE_AFTER_MS",
        "nowMs >= ALONE_AFTER_MS",
      ],
    ],
  ),
  ...of(
    "src/http/routes/streams.ts",
    ["tests/http/cors.test.ts"],
    [
      [
        "a page gets the headers of a stream that another page opened",
        "  for (const name in other) if (one[name] === undefined) return false\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/http/gone-websockets.ts",
    ["tests/http/gone-websockets.test.ts"],
    [["a timer goes on when nobody is connected", "    clearInterval(this.#timer)\n", ""]],
  ),
  ...of(
    "src/http/streamed-answer.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "a HEAD request of a stream takes a place for good",
        'method === "HEAD" ? AbortSignal.abort() : signal',
        "signal",
      ],
    ],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/answer-cost.test.ts"],
    [["output that was paid for is charged again", "      uncharged = 0\n", ""]],
  ),
  ...of(
    "src/http/fair-turns.ts",
    ["tests/http/fair-turns.test.ts"],
    [["a client that has waited has used its part of the tick", "      client.spentMs = 0\n", ""]],
  ),
  ...of(
    "src/http/checks-before-routing.ts",
    ["tests/http/checks-before-routing.test.ts"],
    [
      [
        "a connection is kept although few descriptors are left",
        '      set.headers["connection"] = "close"\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/json-answer.ts",
    ["tests/http/answer-cost.test.ts"],
    [
      [
        "answers that were compressed to little count as unread for ever",
        "    held?.[Symbol.dispose]()\n",
        "",
      ],
      ["a write is done and refused", " && isReadMethod(request.method)", ""],
      ["answers that were read count as unread for ever", "  using _held = held\n", "  void held\n"],
    ],
  ),
]
