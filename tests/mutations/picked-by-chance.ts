import { type Mistake, of } from "./mistake.ts"

/** Mistakes at lines that were picked by chance, and that no test had noticed. */
export const PICKED_BY_CHANCE: readonly Mistake[] = [
  ...of(
    "src/http/routes/queue-actions.ts",
    ["tests/http/errors-internal.test.ts"],
    [["a resume that could not be stored is answered as done", "await queue.resume()", "queue.resume()"]],
  ),
  ...of(
    "src/http/client-address.ts",
    ["tests/http/client-address.test.ts"],
    [["a trusted network is half as large", "Number(bits), family", "Number(bits) + 1, family"]],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a command whose item is cancelled has a second to end",
        'const isTaken = stop.by === "cancel" && stop.isTaken',
        'const isTaken = stop.by === "cancel"',
      ],
    ],
  ),
  ...of(
    "src/runner/kill-guard.ts",
    ["tests/runner/kill-guard.test.ts"],
    [
      [
        "a guard that is killed is replaced for the first command alone",
        "        void this.#looking?.stop()\n        this.#looking = undefined\n",
        "        void this.#looking?.stop()\n",
      ],
    ],
  ),
  ...of(
    "src/runner/output-sender.ts",
    ["tests/runner/output-sender.test.ts"],
    [
      [
        "a line that does not end is never sent",
        "      if (this.#spool.gather()) this.#gatherSoon()\n",
        "      this.#spool.gather()\n",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "an idempotency key that is used again after a day is not remembered",
        "answer = excluded.answer, created_at = excluded.created_at",
        "answer = excluded.answer",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a closed database that was copied away and back is refused",
        "if (hasLog && (isReplaced",
        "if ((isReplaced",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/rest.test.ts"],
    [
      [
        "each write stores a sign of life",
        "    this.#writes.signOfLife.run({ alive_at: nowMs })\n    this.#aliveMs = nowMs\n",
        "    this.#writes.signOfLife.run({ alive_at: nowMs })\n",
      ],
    ],
  ),
  ...of(
    "src/stream/keepalives.ts",
    ["tests/stream/keepalives.test.ts"],
    [["keepalives come up to twice as late as they may", "const LOOKS = 15", "const LOOKS = 1"]],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "an item stream begins at an event ID that is too old",
        "opening.head === head ? opening : new Opening(head, opening.updates, this.live(head))",
        "opening.head === head ? opening : new Opening(head, opening.updates, opening.live)",
      ],
    ],
  ),
  ...of(
    "src/stream/seats.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "thinned streams get no keepalives",
        "    for (const { seats } of this.#byBeat.values()) yield* seats\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "the states of added items come in any order",
        "latest.map(({ update }) => update).sort((a, b) => a.id - b.id)",
        "latest.map(({ update }) => update)",
      ],
    ],
  ),
  ...of(
    "src/client/client.ts",
    ["tests/client/read-output.test.ts"],
    [
      [
        "output that is sent again from its beginning is stored twice",
        'offset === undefined ? "output" :',
        '!offset ? "output" :',
      ],
    ],
  ),
  ...of(
    "src/item/declared-steps.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a lease is not renewed once all steps have begun",
        "const work = token === undefined ? stored.work : renewed(stored.work, moment)\n  return { item: stored.item, work, quiet: true }",
        "const work = stored.work\n  return { item: stored.item, work, quiet: true }",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "only the first follower of an output is woken",
        "for (const wake of this.#followers.get(id) ?? []) wake()",
        "for (const wake of this.#followers.get(id) ?? []) { wake(); break }",
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "a socket that leaves an item gets all items",
        "for (const id of ids) this.#ids.delete(id)\n",
        "for (const id of ids) { this.#ids.delete(id); this.wanted = undefined }\n",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-outage.test.ts"],
    [
      [
        "a report that the database refuses replaces the newer one",
        "this.#report ??= report\n      this.#isAlive = true",
        "this.#report = report\n      this.#isAlive = true",
      ],
    ],
  ),
  ...of(
    "src/store/outages-extend-leases.ts",
    ["tests/store/outages-extend-leases.test.ts"],
    [
      [
        "after the clock has gone back, a new outage counts from an end in the future",
        "    this.#endedMs = 0\n    this.#last = undefined\n",
        "    this.#last = undefined\n",
      ],
    ],
  ),
  ...of(
    "src/bus/postgres.ts",
    ["tests/bus/engines.test.ts"],
    [
      [
        "a bell of PostgreSQL that was lost keeps its connections",
        "close: () => void sql.close({ timeout: 0 }).catch(() => undefined),",
        "close: () => undefined,",
      ],
    ],
  ),
  ...of(
    "src/commands/kinds.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "as JSON, words are printed if no kind is known",
        '    if (given.flags["json"]) for (const kind of kinds) say(safeJson(kind))\n    else if (kinds.length === 0) saySentence(NOTHING)',
        '    if (kinds.length === 0) saySentence(NOTHING)\n    else if (given.flags["json"]) for (const kind of kinds) say(safeJson(kind))',
      ],
    ],
  ),
  ...of(
    "src/commands/list-table.ts",
    ["tests/commands/list-table.test.ts"],
    [
      [
        "a short reason takes the room of a long one",
        '    (sum, { column, width }) => sum + 2 + (column.name === "WHY" ? Math.min(width, LEAST_REST) : width),',
        '    (sum, { column, width }) => sum + 2 + (column.name === "WHY" ? LEAST_REST : width),',
      ],
    ],
  ),
  ...of(
    "src/commands/command.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "a start in 90 seconds is one in a minute",
        "  if (ms !== undefined) return ms / 1000",
        "  if (ms !== undefined) return Math.floor(ms / 60_000) * 60",
      ],
    ],
  ),
  ...of(
    "src/commands/workers.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "a worker with many tags takes several lines of a terminal",
        "  const own = cut(within(Math.max(LEAST_TITLE, mostTitle)), layout.columns, Bun.stringWidth)",
        "  const own = within(Math.max(LEAST_TITLE, mostTitle))",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/steady-lists.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "a key presses nothing after a button has moved",
        "      const since = event.detail === 0 ? refocusedMs : movedMs",
        "      const since = movedMs",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/actions.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "an item that is not in the order is next already",
        "  const ahead = waiting.slice(0, at < 0 ? undefined : at)",
        "  const ahead = waiting.slice(0, at)",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/worker-panel.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "an item that comes back to a worker has no link",
        "      link.remove()\n      this.#links.delete(id)",
        "      link.remove()",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/item-facts.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "the last attempt does not say how many there are",
        '    ["Attempts", attempt > max_attempts ? String(attempt) : `${attempt} of ${max_attempts}`],',
        '    ["Attempts", attempt >= max_attempts ? String(attempt) : `${attempt} of ${max_attempts}`],',
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/forms.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "a token that is typed can be read",
        '    type: "password",\n    autocomplete: "current-password",',
        '    type: "text",\n    autocomplete: "current-password",',
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/connection-badge.ts",
    ["tests/dashboard/view/connection-badge.test.ts"],
    [
      [
        "a clock that is behind has a negative offset",
        '    ["Clock offset", `${Math.round(Math.abs(skewMs))} ms`],',
        '    ["Clock offset", `${Math.round(skewMs)} ms`],',
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/item-head.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "an item that is there again has no buttons",
        '    this.#buttons.replaceChildren()\n    this.#offered = ""',
        "    this.#buttons.replaceChildren()",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/running-lane.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "a stalled item that is cancelled does not say so",
        '    const state = item.cancel_requested_at === null ? stalledText(item, nowMs) : "Cancelling"',
        '    const state = item.stalled ? stalledText(item, nowMs) : "Cancelling"',
      ],
    ],
  ),
  ...of(
    "src/doctor/page.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a page that does not arrive is no fault",
        "  if (status === 0 || status >= 500)",
        "  if (status >= 500)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/steps.ts",
    ["tests/http/docs/docs.test.ts"],
    [
      [
        "the reference does not describe the next step",
        'successes: [json("the step that has begun", StepAnswer)],',
        "successes: [],",
      ],
    ],
  ),
  ...of(
    "src/http/revoked-meanwhile.ts",
    ["tests/http/revoked-meanwhile.test.ts"],
    [
      [
        "a caller whose token was revoked before is let in",
        "  if (ended?.aborted) leave(noLongerIn(caller))",
        "",
      ],
    ],
  ),
  ...of(
    "src/machine/machine.ts",
    ["tests/doctor/machine.test.ts"],
    [
      [
        "blocks that are reserved for others count as free",
        "  const { bavail, bsize } = statfsSync(folder)\n  return bavail * bsize",
        "  const { bfree, bsize } = statfsSync(folder)\n  return bfree * bsize",
      ],
    ],
  ),
  ...of(
    "src/runner/kill-guard.ts",
    ["tests/runner/kill-guard.test.ts"],
    [
      [
        "a process that only its parent shows outlives its command",
        '        has "$pids" " $pid " || has "$pids" " $parent "; then',
        '        has "$pids" " $pid "; then',
      ],
    ],
  ),
]
