import { type Mistake, of } from "./mistake.ts"

/** The same in what the server stores, decides and answers. */
export const NOTICED_LATE_IN_CORE: readonly Mistake[] = [
  ...of(
    "src/store/sqlite/check.ts",
    ["tests/store/sqlite/check.test.ts"],
    [
      [
        "a check takes a database of another program for a damaged one",
        '    if (applied === 0) throw new AppError("unavailable", `${shown} is not a database of this program`)',
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a lock file of an earlier version keeps a server from starting",
        "    if (!table) return undefined\n    return this.#client.query<{ starts: number }",
        "    return this.#client.query<{ starts: number }",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/postgres.ts",
    ["tests/store/postgres/start.test.ts"],
    [
      [
        "a stop does not wait for the group that is being stored",
        "    await this.#group.idle()",
        "    void this.#group.idle()",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "a long value cannot be unset",
        "    return [key, isSame ? null : row[key] === null ? NULL_TEXT : JSON.stringify(row[key])] as const",
        "    return [key, isSame || row[key] === null ? null : JSON.stringify(row[key])] as const",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    ["tests/store/postgres/connections.test.ts"],
    [
      [
        "a start that has waited in vain does not say for which database",
        "    throw explained(error, url)\n  }\n}\n\n/** Brings the database up to date, checks",
        "    throw error\n  }\n}\n\n/** Brings the database up to date, checks",
      ],
    ],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [
      [
        "a claim that waits for a minute is cut",
        "        if (body.wait !== undefined) server?.timeout(request, 0)\n        using _held",
        "        using _held",
      ],
    ],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/routes/store-and-read-output.test.ts"],
    [
      [
        "an output cannot be asked for from its beginning",
        '    after: queryInteger(0, "the position',
        '    after: queryInteger(1, "the position',
      ],
    ],
  ),
  ...of(
    "src/http/client-kind.ts",
    ["tests/http/client-kind.test.ts"],
    [
      [
        "a client that does not say what it is counts as another one",
        '  if (!agent) return "unknown"',
        '  if (!agent) return "other"',
      ],
    ],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "the path of a video cannot be unset by a report",
        "    ...(video_file_path !== undefined && { video_file_path }),",
        "    ...(video_file_path && { video_file_path }),",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/earlier-run.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "a step that takes no time hides the pace of the one before",
        "    if (!part || expected <= 0) continue",
        "    if (!part) continue",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/distance.test.ts"],
    [
      [
        "the last update of each piece of a snapshot is sent again",
        '      from = more && last?.type === "update" ? ids.indexOf(last.update.id) + 1 : from + SNAPSHOT_UPDATES',
        '      from = more && last?.type === "update" ? ids.indexOf(last.update.id) : from + SNAPSHOT_UPDATES',
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "answers that are held are listed as streams",
        '      if (seat instanceof Viewer && seat.kind !== "held") yield seat',
        "      if (seat instanceof Viewer) yield seat",
      ],
    ],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [
      [
        "a heartbeat that waits for a minute is cut",
        "        server?.timeout(request, 0)\n        using _held = limits.hold(caller)\n        return workerAnswer",
        "        using _held = limits.hold(caller)\n        return workerAnswer",
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-item.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [["a wait for the end of an item is cut after a minute", "        server()?.timeout(request, 0)", ""]],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [
      [
        "an output that is followed as text is cut while nothing is printed",
        '  if (asked.isFollowed && format.head === "") server?.timeout(request, 0)',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [
      [
        "an output that is sent is cut while nothing is printed",
        "        server?.timeout(request, 0)\n        await take(request, writer)",
        "        await take(request, writer)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/ingest.ts",
    ["tests/http/time-limit-of-held-answer.test.ts"],
    [
      [
        "an output that is read for its progress is cut while nothing is printed",
        "      server?.timeout(request, 0)",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/averages.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "the median of an even number of values is the upper one of the two in the middle",
        "Math.floor((sorted.length - 1) / 2)",
        "Math.floor(sorted.length / 2)",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/follow-attempt.ts",
    ["tests/item/estimate/follow-attempt.test.ts"],
    [
      [
        "while the runs are not at hand, the time left at the own pace does not go on",
        "before.eta_runs > 0 ? { ...item, eta_seconds: before.eta_seconds }",
        "before.eta_runs >= 0 ? { ...item, eta_seconds: before.eta_seconds }",
      ],
      [
        "the bar of unknown work moves to its end at once",
        "timeProgress(at, left, shown)",
        "timeProgress(at, shown, left)",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/start-forecast.ts",
    ["tests/item/estimate/start-forecast.test.ts"],
    [
      [
        "what follows an item that waited for its song starts no later than if the song were free for certain",
        "    Object.assign(filled.later, song.later)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest-silence.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [["an ffmpeg that has said nothing yet may be silent for half an hour", "reached ?? 0", "reached ?? 1"]],
  ),
  ...of(
    "src/queue/known-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "a worker that nobody has heard of takes nothing afterwards",
        "others.length > 0 && !taking ? null",
        "!taking ? null",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/count-in-words.ts",
    ["tests/item/estimate/count-in-words.test.ts"],
    [
      [
        "a percentage, a time or a size in words is the number of a step",
        "now.isPercentage || now.isMeasure",
        "now.isPercentage && now.isMeasure",
      ],
    ],
  ),
  ...of(
    "src/item/state-in-one-word.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "an item that is being rendered is always stalled",
        'if (status === "processing" && stalled)',
        'if (status === "processing")',
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/list.ts",
    ["tests/store/sqlite/list.test.ts"],
    [
      [
        "each page of the queue makes the slices of searches shorter",
        "if (words.length > 0) this.#adapt",
        "this.#adapt",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/earlier-run.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      ["a run before its first move is asked about as at its start", "isFollowed && moved > 0", "isFollowed"],
      [
        "an amount grows with those of other units",
        "if (unit !== of || size <= 0) return 0",
        "if (unit !== of || size <= 0) return 1",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/uneven-pace.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "the run with less to do shows how evenly it went",
        "const [long, line] = by > 0",
        "const [long, line] = by < 0",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/claim-order.ts",
    ["tests/store/sqlite/claim-by-tags.test.ts"],
    [
      [
        "a claim by a worker with very many tags passes over items of a higher priority",
        "statements.after.all(rank, place, id, most)",
        "statements.after.all(place, rank, id, most)",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/extra-steps.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "of pictures that are all painted, and then all animated, only the first are a series",
        "isInTurn || (count === longest.count && count >= MIN_SERIES)",
        "isInTurn",
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "the first claim after a restart has no time left",
        "      await this.#load(found)\n      await this.#loadStart(found)\n",
        "      await this.#load(found)\n",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    ["tests/store/postgres/lost-answers.test.ts"],
    [
      ["notes that are there count as missing", "if (notes.length === 0)", "if (notes.length !== 0)"],
      ["the note of another group counts", "no === this.#group)", "no !== this.#group)"],
      [
        "the notes of earlier groups are never removed",
        "this.#backCheck.note(answer.head)\n      this.#forget()",
        "this.#backCheck.note(answer.head)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/database-files.test.ts"],
    [
      [
        "the log of another file is taken for that of an earlier copy",
        "isMarkOf(memory, text) && !this.#isInPlaceOfAnother(memory)",
        "isMarkOf(memory, text) || !this.#isInPlaceOfAnother(memory)",
      ],
    ],
  ),
  ...of(
    "src/upkeep/missed-rings.ts",
    ["tests/upkeep/rounds.test.ts"],
    [["the streams are checked all the time", "6 * FAST_ROUND_MS", "6 / FAST_ROUND_MS"]],
  ),
  ...of(
    "src/item/estimate/attempt-in-run.ts",
    ["tests/item/estimate/attempt-in-run.test.ts"],
    [
      [
        "a step's stretch of the bar ends at its seconds",
        "line?.at(-1)?.[0] ?? 0]",
        "line?.at(-1)?.[1] ?? 0]",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/schema.ts",
    ["tests/store/postgres/schema.test.ts"],
    [["the tickets of a token have no index", 'index("tickets_token").on(table.token_id), ', ""]],
  ),
]
