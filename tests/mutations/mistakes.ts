import { BLIND_REST } from "./blind-rest.ts"
import { BLIND_SECOND_REST } from "./blind-second-rest.ts"
import { BLIND_SECOND_WORK } from "./blind-second-work.ts"
import { BLIND_THIRD } from "./blind-third.ts"
import { BLIND_WORK } from "./blind-work.ts"
import { type Mistake, of } from "./mistake.ts"

const ITEM = ["tests/item", "tests/store/store.test.ts"]
const STREAM = [
  "tests/stream/owners.test.ts",
  "tests/stream/reading-turns.test.ts",
  "tests/stream/broadcaster.test.ts",
  "tests/stream/opening.test.ts",
  "tests/stream/interleaving.test.ts",
  "tests/stream/orders.test.ts",
  "tests/stream/rollback.test.ts",
  "tests/stream/thin.test.ts",
]
const BUS = ["tests/bus/remote.test.ts"]
const WEBHOOKS = ["tests/webhooks"]
const REPORTER = ["tests/runner/reporter.test.ts", "tests/runner/spool.test.ts"]

/** Each must be noticed by its tests. */
export const MISTAKES: readonly Mistake[] = [
  ...BLIND_WORK,
  ...BLIND_REST,
  ...BLIND_SECOND_WORK,
  ...BLIND_SECOND_REST,
  ...BLIND_THIRD,
  ...of("src/item/lease.ts", ITEM, [
    [
      "any token of a leased item will do",
      "if (isLeased(stored) && stored.work.lease_token === token) return",
      "if (isLeased(stored)) return",
    ],
    [
      "the kind that a worker knows replaces the item's own",
      'kind: item.kind || (by.kind ?? "")',
      "kind: by.kind ?? item.kind",
    ],
    [
      "a failure is final one attempt too late",
      "item.retry_count + 1 >= item.max_attempts",
      "item.retry_count + 1 > item.max_attempts",
    ],
    [
      "the reason of a cancelled worker's failure is forgotten",
      "return { item: { ...cancelledItem(item, moment), error_message }, work }",
      "return { item: cancelledItem(item, moment), work }",
    ],
    ["an item is lost one rescue too early", "rescues > maxRescues", "rescues >= maxRescues"],
    [
      "a rescue counts as a retry",
      'return { item: { ...next, retry_count: item.retry_count, worker: "" }, work: rest }',
      'return { item: { ...next, worker: "" }, work: rest }',
    ],
    [
      "another verdict after the first is taken for a repetition",
      "if (work.verdict === verdict) return { item, work, quiet: true }",
      "return { item, work, quiet: true }",
    ],
    [
      "a completed item keeps the request to cancel it",
      'return { item: { ...item, cancel_requested_at: null }, work: ended(stored.work, "complete") }',
      'return { item, work: ended(stored.work, "complete") }',
    ],
    [
      "the last words after the verdict are refused",
      "if (work.lease_token !== token) holding(stored, token)",
      "holding(stored, token)",
    ],
    [
      "after a restore any former lease opens the item",
      "former === work.lease_token) return",
      "former !== undefined) return",
    ],
    [
      "a rescued item whose cancel was requested runs again",
      "if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work: ended(work, null) }\n  const rescues",
      "const rescues",
    ],
  ]),
  ...of("src/item/changes.ts", ITEM, [
    [
      "a PUT may write the message of a leased item",
      '(["status", "progress", "current_step", "message"] as const)',
      '(["status", "progress", "current_step"] as const)',
    ],
    [
      "an item of a new priority keeps its old turn",
      "next.priority === before.priority ? next : { ...next, turn: null }",
      "next",
    ],
    [
      "a second cancel is stored again",
      'if (item.outcome === "cancelled" || item.cancel_requested_at !== null) return',
      'if (item.outcome === "cancelled") return',
    ],
    [
      "a retrying item cannot be retried at once",
      'if (!isFinished(item.status) && item.status !== "retrying") {',
      "if (!isFinished(item.status)) {",
    ],
    ["a deleted item stays", "work: IDLE, deleted: true }", "work: IDLE }"],
    [
      "a PUT that starts an item does not start its pace",
      "isStart ? started(known, moment) : known",
      "known",
    ],
  ]),
  ...of("src/item/place.ts", ITEM, [
    ["an item is moved behind another one, not before", "(ahead + last) / 2", "last + 0.5"],
  ]),
  ...of("src/item/moves.ts", ITEM, [
    ["attempts are not counted", "attempt: item.attempt + 1,", "attempt: item.attempt,"],
    [
      "a completed item shows what was reported last",
      'return to === "completed" ? { ...next, progress: 100 } : next',
      "return next",
    ],
    ["a failed item may go on", 'failed: ["queued"],\n}', 'failed: ["queued", "processing"],\n}'],
    [
      "a queued item waits for its old delay",
      "return { available_at: null, ...BEGINNING }",
      "return BEGINNING",
    ],
    [
      "an item that nobody worked on has failed",
      'outcome: item.status === "processing" ? "failed" : "cancelled"',
      'outcome: "failed"',
    ],
    [
      "a retrying item keeps its progress",
      "retry_count: item.retry_count + 1, ...BEGINNING }",
      "retry_count: item.retry_count + 1 }",
    ],
  ]),
  ...of("src/item/report.ts", ITEM, [
    [
      "a step's progress fills more than the step's place",
      "from + (report.progress * (to - from)) / 100",
      "from + report.progress",
    ],
    ["progress goes back more than once", '=== "guess" && !work.is_set_back', '=== "guess"'],
    [
      "progress goes back although it was counted",
      'lower < work.done && item.basis === "guess" &&',
      "lower < work.done &&",
    ],
    ["100 % is shown before the item is completed", "Math.min(99, Math.floor(done))", "Math.floor(done)"],
    [
      "a unit stays that the report no longer has",
      "unit: report.unit ?? null",
      "unit: report.unit ?? before.item.unit",
    ],
    [
      "the media of the step before are shown for the next one",
      "(isSameStep ? before.item.media : null)",
      "before.item.media",
    ],
    [
      "the reader around a command reports beside it",
      "if (report.outer && before.work.has_inner)",
      "if (report.outer && before.work.is_set_back)",
    ],
    [
      "an earlier step counts as the latest begun",
      "Math.max(work.steps_begun, report.step?.index ?? 0)",
      "report.step?.index ?? work.steps_begun",
    ],
    ["new steps begin behind the old ones", "work: { ...work, steps_begun: 0 }", "work"],
    [
      "without a lease anybody reports on a leased item",
      "else if (isLeased(stored)) {",
      'else if (isLeased(stored) && stored.item.status !== "processing") {',
    ],
  ]),
  ...of("src/stream/viewer.ts", STREAM, [
    [
      "a question passes over what is not examined",
      'this.wake("asked", this.#shared.broadcaster.examined)',
      'this.wake("asked", this.#shared.broadcaster.head)',
    ],
    [
      "every stream of one item ends with it",
      "return this.request.untilFinished && this.status",
      "return this.status",
    ],
    [
      "a stream that waits for the end does not see it come",
      "this.status = list.at(-1)?.update.status ?? this.status",
      "void 0",
    ],
    ["a full socket is not waited for", "if (next instanceof Promise) this.#blocked = next", "void next"],
    ["a stream that was revoked goes on", '|| this.owner?.hasEnded) return "over"', ') return "over"'],
    [
      "live comes before what was missed",
      "if (this.liveAt !== undefined && this.cursor >= this.liveAt) return this.#live()",
      "if (this.liveAt !== undefined) return this.#live()",
    ],
    [
      "a keepalive during a read drops what is blocked",
      "if (!(written instanceof Promise)) return\n    this.#blocked = written",
      "if (!(written instanceof Promise)) return",
    ],
  ]),
  ...of("src/stream/broadcaster.ts", STREAM, [
    [
      "what is announced counts as examined at once",
      "await this.#waking\n    this.#examined = last.id",
      "this.#examined = last.id\n    await this.#waking",
    ],
    ["a ring during a turn is lost", "if (this.#isRung) this.#ring()\n    })", "})"],
    ["lost updates are not noticed", "if (isStrange && (await this.#hasLost(previous))) return true", ""],
    [
      "a history that cannot be read is not tried again",
      "setTimeout(() => this.#ring(), RETRY_MS)",
      "void RETRY_MS",
    ],
    [
      "a page that was read for others is taken for the next ones",
      "if (this.#followed !== followed || this.#seats.size === 0) return true",
      "",
    ],
  ]),
  ...of("src/stream/opening.ts", STREAM, [
    ["a client that is ahead of this server is told of a gap", "seen > bounds.newest ?", "seen < 0 ?"],
    [
      "an item that was touched since is taken for what it was",
      "this.#broadcaster.tail.after(head, queueId, 0) !== null",
      "true",
    ],
  ]),
  ...of("src/stream/thinning.ts", STREAM, [
    ["a thinned stream does not tell of every end", "isFinished(frame.update.status) ||", ""],
    [
      "what came last before a pause is not sent",
      "if (waitMs > 0) this.#next = setTimeout(() => this.#strike(), waitMs)",
      "if (waitMs > 0) return",
    ],
  ]),
  ...of("src/bus/remote.ts", BUS, [
    ["a bell that was lost is not replaced", "if (!this.#line) void this.#open()", "if (!this.#line) return"],
    ["a deaf bell counts as one that hears", "this.#awaitedMs ??= this.saidMs", "void this.saidMs"],
    ["a bell that nobody rings is not tested", "> QUIET_MS)", "> 1e9)"],
    [
      "other instances do not learn what was stored while the bell was away",
      "line.close()\n    this.#isOwed = true",
      "line.close()",
    ],
    [
      "a test rings in the other instances",
      'if (isEcho || words.startsWith("ring ")) heard(isEcho)',
      "heard(isEcho)",
    ],
    ["nobody looks while the bell is well", "performance.now() - this.#rungMs >= LOOK_MS", "false"],
    ["its own ring rings again", "if (!isEcho) this.#ring()", "this.#ring()"],
  ]),
  ...of("src/webhooks/webhooks.ts", WEBHOOKS, [
    [
      "a notice that could not be stored is not tried again",
      "this.#rung = true\n      throw error",
      "throw error",
    ],
    [
      "the cursor moves before the notice is stored",
      "if (notices.length > 0 || last.id - this.#stored",
      "this.#cursor = last.id\n    if (notices.length > 0 || last.id - this.#stored",
    ],
    ["an item that ended is told again", "if (before && isFinished(before.status)) return null", ""],
    ["a webhook may ask for any wait", "Math.min(waitMs, RETRY.mostMs)", "waitMs"],
    ["a webhook is tried for ever", "|| nextMs > Date.parse(created_at) + PATIENCE_MS", ""],
    [
      "more than its share is under way to one webhook",
      "const free = PARALLEL - [...this.#sending.values()].filter((one) => one.url === url).length",
      "const free = PARALLEL",
    ],
  ]),
  ...of("src/webhooks/post.ts", WEBHOOKS, [
    ["redirects are followed", 'redirect: "manual"', 'redirect: "follow"'],
    ["what is not a success counts as one", 'reply.ok ? "" :', 'reply.status < 500 ? "" :'],
  ]),
  ...of(
    "src/backoff.ts",
    ["tests/backoff.test.ts", ...WEBHOOKS],
    [
      ["no wait has a limit", "Math.min(mostMs, firstMs * 2 ** failures)", "firstMs * 2 ** failures"],
      ["the spread goes one way only", "(1 + spread * (2 * random() - 1))", "(1 + spread * random())"],
      ["a date is read by the wrong clock", 'date === "" ? Date.now() : Date.parse(date)', "Date.now()"],
    ],
  ),
  ...of("src/runner/reporter.ts", REPORTER, [
    [
      "the late loss of an old lease drops the new one",
      "if (this.#held === held) this.#held = undefined",
      "this.#held = undefined",
    ],
    [
      "a report that cannot be read is sent for ever",
      "error.status !== 413 && error.status !== 422",
      "error.status !== 413",
    ],
    [
      "a denial ends the reports",
      "if (isUnreachable(error) || isDenied(error)) return",
      "if (isUnreachable(error)) return",
    ],
    [
      "a cancel is acted on again and again",
      "if (this.#isCancelled) return\n    this.#isCancelled = true",
      "this.#isCancelled = true",
    ],
    [
      "a report that could not be sent is forgotten",
      "this.#spool.giveBack(report)\n        throw error",
      "throw error",
    ],
  ]),
  ...of("src/runner/spool.ts", REPORTER, [
    [
      "the last report of a step is dropped with the next step",
      "if (last && !isOneStep(last, report)) this.#reports.push(last)",
      "void last",
    ],
    [
      "the newest of too many is dropped",
      "> MAX_REPORTS) this.#reports.shift()",
      "> MAX_REPORTS) this.#reports.pop()",
    ],
    [
      "an older report replaces a newer one of its step",
      "if (!next || !isOneStep(report, next)) this.#reports.unshift(report)",
      "this.#reports.unshift(report)",
    ],
  ]),
  ...of(
    "src/access/roles.ts",
    ["tests/access/roles.test.ts"],
    [
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
]
