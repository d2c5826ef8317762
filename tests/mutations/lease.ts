import { type Mistake, of } from "./mistake.ts"

/** Mistakes in who may write an item, and which moves it makes. */
export const LEASE: readonly Mistake[] = [
  ...of(
    "src/item/add-cancel-retry-delete.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a retried item has lost its tags",
        "const kept = { title, priority, flag, queued_at, max_attempts, kind, totals, tags, metadata }",
        "const kept = { title, priority, flag, queued_at, max_attempts, kind, totals, metadata }",
      ],
    ],
  ),
  ...of(
    "src/item/add-cancel-retry-delete.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
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
      [
        "a deleted item stays",
        "lease_token: work.lease_token }, deleted: true }",
        "lease_token: work.lease_token } }",
      ],
    ],
  ),
  ...of(
    "src/item/change-by-put.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
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
        "a PUT that starts an item does not start its pace",
        "isStart ? started(known, moment) : known",
        "known",
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item", "tests/queue/workers.test.ts"],
    [
      [
        "an item that was given back keeps its worker",
        '{ ...transition(item, { status: "queued", message }, moment.time), worker: "" }',
        'transition(item, { status: "queued", message }, moment.time)',
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item", "tests/item/declared-steps.test.ts"],
    [
      [
        "a claimed item keeps the step of the attempt before",
        '...taken,\n      current_step: "",',
        "...taken,",
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item/lease.test.ts"],
    [
      [
        "an item that lost its worker is kept for it, as after a restore",
        "return verdict === null ? rest : { ...rest, lease_token, verdict }",
        "return { ...rest, lease_token, verdict }",
      ],
      [
        "a restore counts as a retry of the items that were rendered",
        'item: { ...next, available_at, retry_count: item.retry_count, worker: "" }',
        'item: { ...next, available_at, worker: "" }',
      ],
      [
        "an item whose cancel was requested goes back to the queue when it is released",
        '  const work = ended(stored.work, "release")\n  if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work }\n',
        '  const work = ended(stored.work, "release")\n',
      ],
      [
        "an item that was taken back from its worker is still shown as that worker's",
        'return { item: { ...next, retry_count: item.retry_count, worker: "" }, work: rest }',
        "return { item: { ...next, retry_count: item.retry_count }, work: rest }",
      ],
      [
        "an item may lose its workers without an end, as each attempt counts anew",
        "  rescues: work.rescues,\n  attempt_at",
        "  attempt_at",
      ],
      [
        "a restore lets an item go on whose cancel was requested",
        '  if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work: ended(work, null) }\n  const next = transition(item, { status: "retrying", message: OWN_MESSAGES.restored',
        '  const next = transition(item, { status: "retrying", message: OWN_MESSAGES.restored',
      ],
      [
        "after a restore the worker that rendered the item is refused, too",
        "if (!isHandedOver(stored) || (former !== undefined && isOfLast(work, former))) return",
        "if (!isHandedOver(stored)) return",
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "what a worker knows of an item replaces the totals that the item has",
        "totals: { ...by.totals, ...item.totals }",
        "totals: { ...item.totals, ...by.totals }",
      ],
      [
        "an item gets one attempt more than it has",
        "item.retry_count + 1 >= item.max_attempts",
        "item.retry_count >= item.max_attempts",
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "any token of a leased item will do",
        "if (isLeased(stored) && isOfLast(work, token)) return",
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
        "if (!isOfLast(work, token)) checkHolder(stored, token)",
        "checkHolder(stored, token)",
      ],
      [
        "after a restore any former lease opens the item",
        "(former !== undefined && isOfLast(work, former))) return",
        "former !== undefined) return",
      ],
      [
        "a rescued item whose cancel was requested runs again",
        "if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work: ended(work, null) }\n  const rescues",
        "const rescues",
      ],
    ],
  ),
  ...of(
    "src/item/moves.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      ["attempts are not counted", "attempt: item.attempt + 1,", "attempt: item.attempt,"],
      [
        "a completed item shows what was reported last",
        'return to === "completed" ? { ...next, progress: 100 } : next',
        "return next",
      ],
      ["a failed item may go on", 'failed: ["queued"],\n}', 'failed: ["queued", "processing"],\n}'],
      [
        "an item that its worker gave up seems to have waited meanwhile",
        "retry_count + 1, requeued_at: now,",
        "retry_count + 1,",
      ],
      [
        "a queued item waits for its old delay",
        "return { available_at: null, requeued_at: now, ...beginning() }",
        "return { requeued_at: now, ...beginning() }",
      ],
      [
        "an item that nobody worked on has failed",
        'outcome: item.status === "processing" ? "failed" : "cancelled"',
        'outcome: "failed"',
      ],
      [
        "a retrying item keeps its progress",
        'requeued_at: now, ...beginning() }\n    case "queued"',
        'requeued_at: now }\n    case "queued"',
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a worker whose token was revoked is said to be silent",
        "const error_message = isRevoked(work)",
        'const error_message = work.lease_token === ""',
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a worker whose lease was revoked does not learn that it must stop",
        "if (isRevokedToken(work, token)) {",
        "if (work.lease_token === null) {",
      ],
      [
        "an item is given to another worker before the one whose lease was revoked has stopped",
        "isRevoked(work) ? { ...freed, available_at: later(moment, REVOKED_REST_MS) } : freed",
        "freed",
      ],
    ],
  ),
  ...of(
    "src/item/lease-token.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a worker whose lease was revoked does not learn that it must stop once another has the item",
        "const others = [partsOf(before).revoked, former]",
        'const others = ["", former]',
      ],
      [
        "the token of a revoked lease still fits as it is stored",
        "tokenOf(work) === token && !isRevoked(work)",
        "tokenOf(work) === token",
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a render that goes on counts from where its worker came back",
        "started_at: goesOn ? item.started_at : taken.started_at",
        "started_at: taken.started_at",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/restore.ts",
    ["tests/store/sqlite/kept-by-restore.test.ts"],
    [
      [
        "others get the items that workers have claimed since the backup",
        "    await Promise.all([...held].map(([id, lease]) => keepForWorker(store, id, lease)))\n",
        "",
      ],
      [
        "of two workers that had an item, the one of the backup gets it after a restore",
        "tokenOf(stored.work) !== tokenOf({ lease_token: lease.token })",
        'tokenOf(stored.work) === ""',
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/kept-by-restore.ts",
    ["tests/store/sqlite/kept-by-restore.test.ts"],
    [
      [
        "a restore over a database without tokens lets everybody in",
        "present !== null && present.tokens.length > 0",
        "present !== null",
      ],
      [
        "a database of an older version counts as one that cannot be read",
        'client.query("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) === null',
        "false",
      ],
      [
        "the tokens of a database whose items cannot be read are lost in a restore",
        "  } catch {\n    return new Map()\n  }",
        "  } finally {\n  }",
      ],
      [
        "a second restore gives others the items that wait for their workers since the first",
        "AND verdict IS NULL AND started_at",
        "AND lease_expires_at IS NOT NULL AND started_at",
      ],
      [
        "an item waits after a restore for a worker whose lease was revoked",
        "`lease_token NOT LIKE '${REVOKED}%' AND ",
        "`",
      ],
    ],
  ),
  ...of(
    "src/item/lease-token.ts",
    ["tests/item/lease.test.ts"],
    [
      [
        "any former lease takes a rescue back",
        "start === RAN_OUT && (own === token || former === token)",
        "start === RAN_OUT",
      ],
      [
        "a worker that was cut off for long is lost, although it shows the lease that it knows",
        "(own === token || former === token)",
        "own === token",
      ],
    ],
  ),
]
