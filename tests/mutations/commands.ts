import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what commands accept, request and print. */
export const COMMANDS: readonly Mistake[] = [
  ...of(
    "src/commands/act-on-items.ts",
    ["tests/commands/typed.test.ts"],
    [["a refusal leaves the exit code at 0", "        code = 1\n", ""]],
  ),
  ...of(
    "src/commands/add.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "the value of metadata ends at its first equals sign",
        "return [text.slice(0, at), text.slice(at + 1)] as const",
        'return [text.slice(0, at), text.split("=")[1] ?? ""] as const',
      ],
      [
        "a file whose song is given loses the digits of its name",
        'song === undefined && rest !== "" ? rest : name',
        'rest !== "" ? rest : name',
      ],
      [
        "the path of a file replaces the one that was given",
        "{ ...found.metadata, ...metadata }",
        "{ ...metadata, ...found.metadata }",
      ],
      [
        "the priority of a new item is lost",
        'priority: integerFlag(given, "priority"),',
        "priority: undefined,",
      ],
    ],
  ),
  ...of(
    "src/commands/command.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "an item that is named twice is cancelled twice",
        "[...new Set(words.map((word) => typedId(word, name)))]",
        "words.map((word) => typedId(word, name))",
      ],
      ["an item 0 is asked for", "if (id >= 1) return id", "if (id >= 0) return id"],
    ],
  ),
  ...of(
    "src/commands/set.ts",
    ["tests/commands/typed.test.ts"],
    [
      ["a flag cannot be taken away", 'mark === "none" ? null : mark', "mark"],
      [
        "the reason is lost when a lease is ended in its worker's place",
        "error_message === undefined ? {} : { error_message }",
        "{}",
      ],
    ],
  ),
  ...of(
    "src/commands/list.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "a list reads more than was asked for",
        "Math.min(limit - items.length, PAGE)",
        "Math.min(limit, PAGE)",
      ],
      [
        "a list that is cut says that it is whole",
        "more: next !== null || items.length > limit",
        "more: next !== null",
      ],
      [
        "what waits for its time stands before what can be taken",
        'Date.parse(item.available_at ?? "") > nowMs ? 2 : TAKEN_NEXT',
        'Date.parse(item.available_at ?? "") > nowMs ? TAKEN_NEXT : 2',
      ],
      ["every page of a list is the first", "...(next !== null && { after: next }),", ""],
      [
        "a search without a result says that the queue is empty",
        "asked.song === undefined && asked.search === undefined",
        "asked.song === undefined",
      ],
    ],
  ),
  ...of(
    "src/commands/show.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "the end of a long error is left out",
        "lines.slice(isCut ? -ERROR_LINES : 0)",
        "lines.slice(0, isCut ? ERROR_LINES : undefined)",
      ],
    ],
  ),
  ...of(
    "src/commands/stats.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "items that wait to be tried again are in no figure",
        "status.queued + status.retrying",
        "status.queued",
      ],
    ],
  ),
  ...of(
    "src/commands/watch.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "a server that is away ends a watch before it began",
        "if (error instanceof ServerError && error.status === 404) throw error",
        "throw error",
      ],
      ["a watch of one item never ends", "untilFinished: queueId !== undefined", "untilFinished: false"],
      [
        "the exit code of a watch is by the first update",
        'if (said.type === "update") status = said.update.status',
        'if (said.type === "update") status ??= said.update.status',
      ],
    ],
  ),
  ...of(
    "src/commands/workers.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "a worker that is idle for minutes is idle for days",
        '(nowMs - Date.parse(idle_since ?? "")) / 1000',
        '(nowMs - Date.parse(idle_since ?? ""))',
      ],
      [
        "the only tag of a worker is not shown",
        "tags !== null && tags.length > 0",
        "tags !== null && tags.length > 1",
      ],
    ],
  ),
  ...of(
    "src/item/progress-words.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "an item that is to be tried again is said to start",
        'status === "retrying" ? "retries" : "starts"',
        '"starts"',
      ],
      ["a finished item is said to start", "!isWaiting(status) || ", ""],
    ],
  ),
  ...of(
    "src/item/progress-words.ts",
    ["tests/commands/shown.test.ts"],
    [["a time that rests on one run seems to rest on none", "eta_runs > 0 ? `from", "eta_runs > 1 ? `from"]],
  ),
  ...of(
    "src/terminal/words.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "what is done and what there is to do are swapped",
        "`${unit.done} of ${unit.total} ${unit.name}`",
        "`${unit.total} of ${unit.done} ${unit.name}`",
      ],
    ],
  ),
  ...of(
    "src/item/progress-words.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [["a count of the one in hand is shown again", "(?:${done}|${done + 1})", "(?:${done})"]],
  ),
  ...of(
    "src/commands/list-table.ts",
    ["tests/commands/list-table.test.ts"],
    [
      [
        "an item that was cancelled before it began took some time",
        'return started_at === null ? "" : `took',
        "return `took",
      ],
      [
        "an item that waits again is as old as its last attempt",
        'item.status === "processing" ? item.started_at : null',
        "item.started_at",
      ],
    ],
  ),
  ...of(
    "src/commands/render-flags.ts",
    ["tests/commands/flags.test.ts"],
    [
      ["a lease of no length is asked for", "{ least: 1, most: MAX_LEASE_S", "{ least: 0, most: MAX_LEASE_S"],
      [
        "the time for a report is a thousandth of what was asked for",
        'wholeFlag(given, "report-within", within) * 1000',
        'wholeFlag(given, "report-within", within)',
      ],
    ],
  ),
  ...of(
    "src/commands/did-you-mean.ts",
    ["tests/commands/flags.test.ts"],
    [
      [
        "a word is taken for one that is not near",
        "lettersOf(word).length / 3",
        "lettersOf(word).length / 2",
      ],
    ],
  ),
  ...of(
    "src/commands/span-flags.ts",
    ["tests/commands/flags.test.ts"],
    [
      ["a command fills more than all of the progress", "if (from < to && to <= 100)", "if (from < to)"],
      ["a step beyond the last one is taken", "if (index >= 1 && index <= total)", "if (index >= 1)"],
    ],
  ),
  ...of(
    "src/commands/usage.ts",
    ["tests/commands/flags.test.ts"],
    [["a value with a dash cannot be given at all", "!isInline && /^-", "/^-"]],
  ),
  ...of(
    "src/commands/list.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "items whose worker was lost are not among the failed ones",
        "failed: hasFailed,",
        'failed: ({ outcome }) => outcome === "failed",',
      ],
    ],
  ),
  ...of(
    "src/commands/stats.ts",
    ["tests/commands/shown.test.ts"],
    [["one length is told as a range", "from === to ? ` in ${mean}`", "!from ? ` in ${mean}`"]],
  ),
  ...of(
    "src/commands/usage.ts",
    ["tests/commands/flags.test.ts"],
    [["a short flag is taken for the value of the one before", "/^-(?!\\d)./", "/^--(?!\\d)./"]],
  ),
  ...of(
    "src/commands/token.ts",
    ["tests/commands/token.test.ts"],
    [
      [
        "a token that has just expired is in force",
        "Date.parse(expires_at) <= Date.now() ?",
        "Date.parse(expires_at) <= Date.now() - 60_000 ?",
      ],
    ],
  ),
  ...of(
    "src/commands/add.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "a song that is added alone has another key than with others",
        "return key === undefined ? undefined",
        'return key === undefined || !word.includes("/") ? key',
      ],
      [
        "a file's title ends at its first dot",
        "basename(word, extname(word))",
        'basename(word).split(".")[0] ?? ""',
      ],
    ],
  ),
  ...of(
    "src/commands/kinds.ts",
    ["tests/commands/typed.test.ts"],
    [["a kind is told twice if it is named by its look", 'look === kind || look === ""', 'look === ""']],
  ),
  ...of(
    "src/commands/list.ts",
    ["tests/commands/shown.test.ts"],
    [
      [
        "an item that no worker takes yet hides the next one in a short list",
        "    if (limit < PAGE && more && last && isWaiting(last.status) && items.some(isPutOff)) continue\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/commands/run.ts",
    ["tests/runner/run-one-item.test.ts"],
    [
      [
        "another worker takes the item that a command has added for itself",
        "const once = { max_attempts: 1, available_in: RESERVED_S }",
        "const once = { max_attempts: 1 }",
      ],
    ],
  ),
  ...of(
    "src/commands/run.ts",
    ["tests/commands/usage.test.ts"],
    [["run takes no file of a token", 'settings: ["server", "token-file"]', 'settings: ["server"]']],
  ),
  ...of(
    "src/commands/resume.ts",
    ["tests/commands/typed.test.ts"],
    [
      [
        "resume says that it is done though the server refuses",
        "    await clientOf(given).resume()\n",
        "    void clientOf(given).resume()\n",
      ],
    ],
  ),
]
