import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the bus between servers. */
export const BUS: readonly Mistake[] = [
  ...of(
    "src/bus/bell-or-polling.ts",
    ["tests/bus/bell-or-polling.test.ts"],
    [
      [
        "a bell that was lost is believed to hear",
        "    if (this.#line !== line) return\n    if (!isEcho) this.#ring()",
        "    if (!isEcho) this.#ring()",
      ],
      [
        "a bus that is away for long says so again and again",
        "    if (this.#isDeaf) return\n    this.#isDeaf = true",
        "    this.#isDeaf = true",
      ],
      [
        "a bell that was lost is not replaced",
        "if (!this.#line) void this.#open()",
        "if (!this.#line) return",
      ],
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
      [
        "a bus that hears again does not look for what it missed",
        "      this.#options.onHears()\n      this.#ring()",
        "      this.#options.onHears()",
      ],
      [
        "a pause of this process loses a bell that works",
        "if (line?.isOverdue && lateMs < POLL_MS) this.#lose",
        "if (line?.isOverdue) this.#lose",
      ],
      [
        "after one pause the other instances are never rung again",
        "        this.#pause = undefined\n        this.#ringOthers()",
        "        this.#ringOthers()",
      ],
    ],
  ),
  ...of(
    "src/bus/bell-or-polling.ts",
    ["tests/bus/bell-or-polling.test.ts"],
    [
      [
        "a bell that does not open in time is spoken to",
        'if (!(await within(OPEN_MS, bell.open(hear, lost)))) throw new Error("it could not connect in time")',
        "await within(OPEN_MS, bell.open(hear, lost))",
      ],
    ],
  ),
  ...of(
    "src/bus/postgres.ts",
    ["tests/bus/engines.test.ts"],
    [
      [
        "a connection to PostgreSQL that was lost is noticed by its silence alone",
        "      onClose = lost\n",
        "",
      ],
      ["the time limit of the user ends what a bell says", '      statement_timeout: "0",\n', ""],
    ],
  ),
]
