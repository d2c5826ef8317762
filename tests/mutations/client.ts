import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the client, which reads a server. */
export const CLIENT: readonly Mistake[] = [
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "a claim that waits is broken off after ten seconds",
        "ANSWER_MS + (ask.heldS ?? 0) * 1000",
        "ANSWER_MS",
      ],
      [
        "the wait that a refusal asks for is lost",
        '      directive: directive === "cancel" ? "cancel" : "continue",\n      retryAfterMs: waitMs,',
        '      directive: directive === "cancel" ? "cancel" : "continue",',
      ],
      [
        "a program stays for ten seconds after its last request",
        "    } finally {\n      clearTimeout(timer)\n    }",
        "    }",
      ],
    ],
  ),
  ...of(
    "src/client/client.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "runs of a kind with a slash in its name cannot be forgotten",
        "`/kinds/${encodeURIComponent(kind)}/runs`",
        "`/kinds/${kind}/runs`",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "the client has no limit for how long an answer may make it wait",
        "Math.min(refusal?.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)",
        "refusal?.retryAfterMs ?? 0",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/reconnecting.test.ts"],
    [
      [
        "the event ID of an event that begins another connection is kept",
        '    if (ending === "again") return "again"\n    if (incoming.id !== undefined) connections.lastEventId = incoming.id',
        '    if (incoming.id !== undefined) connections.lastEventId = incoming.id\n    if (ending === "again") return "again"',
      ],
      [
        "a keepalive beside an event teaches a rhythm that is too quick",
        "silence.heard(incoming.length === 0 && parser.keepalives > before)",
        "silence.heard(parser.keepalives > before)",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/client.test.ts"],
    [
      [
        "a 204 is taken for a stream that broke off",
        '  if (answer.status === 204 && lastEventId !== undefined) return "over"\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/no-stream.test.ts"],
    [
      [
        "events that nobody knows make any program pass for the server",
        "    connections.isFound ||= said !== undefined || ending !== undefined\n",
        "    connections.isFound = true\n",
      ],
    ],
  ),
  ...of(
    "src/client/event-parser.ts",
    ["tests/client/client.test.ts"],
    [
      ["a line break that is cut in two ends two lines", "/\\r\\n|\\n|\\r(?!$)/", "/\\r\\n|\\n|\\r/"],
      [
        "a stream breaks off when its events have 4 MiB together",
        "    this.#length = 0\n    this.#event",
        "    this.#event",
      ],
    ],
  ),
  ...of(
    "src/client/missed-keepalives.ts",
    ["tests/client/missed-keepalives.test.ts"],
    [
      [
        "a server looks dead to a client that is slow",
        "    this.#sinceMs = undefined\n    // The new",
        "    // The new",
      ],
      [
        "a stream is given up after one missed keepalive",
        "return 2 * everyMs + GRACE_MS",
        "return everyMs + GRACE_MS",
      ],
      [
        "a slow caller makes the server look dead",
        "    this.#heardMs = nowMs\n    this.#sinceMs = undefined",
        "    this.#heardMs = nowMs",
      ],
      [
        "a pause leaves its listener behind",
        '      signal?.removeEventListener("abort", done)\n      resolve()',
        "      resolve()",
      ],
      [
        "each connection leaves a listener in the browser",
        "    clearTimeout(this.#timer)\n    this.#unlisten()",
        "    clearTimeout(this.#timer)",
      ],
    ],
  ),
  ...of(
    "src/client/watching.ts",
    ["tests/client/client.test.ts"],
    [
      [
        "a stream begins again and again after the server has another history",
        "  known.history = history\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/client/client.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "a long wait for a finished item is cut off after ten seconds",
        "{ signal, heldS: timeoutS }",
        "{ signal }",
      ],
    ],
  ),
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [["an answer that is too long is sent on and on", "      await reader?.cancel()\n", ""]],
  ),
  ...of(
    "src/client/read-output.ts",
    ["tests/client/read-output.test.ts"],
    [
      [
        "an output is read on by the number of its attempt alone",
        "begunMs === undefined ? `${attempt}-${to}` : `${attempt}-${to}-${begunMs}`",
        "`${attempt}-${to}`",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "the client has no limit for the reconnection time of a stream",
        "connections.retryMs = Math.min(incoming.retryMs, MAX_RETRY_AFTER_MS)",
        "connections.retryMs = incoming.retryMs",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/reconnecting.test.ts"],
    [["the network that comes back counts as a failure", "    if (silence.isNetworkBack) continue\n", ""]],
  ),
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "a refusal is read however long it is",
        "textOf(answer, MAX_REFUSAL_BYTES)",
        "textOf(answer, MAX_ANSWER_MB * 1024 * 1024)",
      ],
    ],
  ),
  ...of(
    "src/client/missed-keepalives.ts",
    ["tests/client/missed-keepalives.test.ts"],
    [["a stream that was given up for its silence leaves no doubt", "    this.#rhythm.doubt()\n", ""]],
  ),
  ...of(
    "src/client/event-parser.ts",
    ["tests/client/client.test.ts"],
    [["an event ID with a NUL is taken", 'name === "id" && !value.includes("\\0")', 'name === "id"']],
  ),
  ...of(
    "src/client/answer-shapes.ts",
    ["tests/client/answer-shapes.test.ts"],
    [
      [
        "a value that is null passes where the key may be absent",
        "(isOptional && value[key] === undefined)",
        "(isOptional && value[key] == null)",
      ],
      [
        "what an older server lacks replaces what a newer one says",
        "{ ...LATER, ...value }",
        "{ ...value, ...LATER }",
      ],
    ],
  ),
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [["a server whose URL ends with a slash is asked for two", 'base.replace(/\\/+$/, "")', "base"]],
  ),
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "the token is asked for once",
        'typeof token === "function" ? token : () => token',
        'typeof token === "function" ? ((known) => () => known)(token()) : () => token',
      ],
    ],
  ),
  ...of(
    "src/client/missed-keepalives.ts",
    ["tests/client/missed-keepalives.test.ts"],
    [
      [
        "the time to the answer counts as an interval between keepalives",
        "    this.heard()\n    this.#look()",
        "    this.#look()",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/reconnecting.test.ts"],
    [
      [
        "a server that was found is lost at an event that is not known",
        "connections.isFound ||= said",
        "connections.isFound = said",
      ],
    ],
  ),
  ...of(
    "src/client/watching.ts",
    ["tests/client/no-stream.test.ts"],
    [
      [
        "a stream for which there is no room only ends, without a reason",
        '      if (event.event === "busy") throw new Error(busyOf(event.data))\n',
        "",
      ],
    ],
  ),
]
