import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what is drawn on a terminal. */
export const TERMINAL: readonly Mistake[] = [
  ...of(
    "src/terminal/board.ts",
    ["tests/terminal/board.test.ts"],
    [
      [
        "the bar of a cancelled item looks as if it had failed",
        ': outcome === "cancelled"\n            ? "dim"\n            : "bad"',
        ': "bad"',
      ],
      [
        "after a gap of a slow stream what did not change leaves the board",
        'gap.reason === "slow" || gap.reason === "unreadable"',
        'gap.reason === "unreadable"',
      ],
      [
        "an item that was cancelled is being cancelled for ever",
        "update.cancel_requested_at !== undefined && !isFinished(update.status)",
        "update.cancel_requested_at !== undefined",
      ],
      [
        "bars look live while the stream is lost",
        'this.#link.state !== "live" || stalled === true',
        "stalled === true",
      ],
      [
        "the items for which there is no room are counted with the others",
        "`  and ${all.length - shown.length} more`",
        "`  and ${all.length} more`",
      ],
      [
        "the first attempt is shown as if there had been others",
        "attempt !== undefined && attempt > 1",
        "attempt !== undefined && attempt > 0",
      ],
      [
        "an item that was cancelled has failed",
        "const standing = outcome ?? status",
        "const standing = status",
      ],
    ],
  ),
  ...of(
    "src/terminal/board-columns.ts",
    ["tests/terminal/board.test.ts"],
    [
      [
        "a long error takes one line more than there is room for",
        "lines.length === most",
        "lines.length > most",
      ],
    ],
  ),
  ...of(
    "src/terminal/board.ts",
    ["tests/terminal/board.test.ts"],
    [
      [
        "an item that runs is still said to start",
        'isWaiting(status) ? printable(this.#wait) : ""',
        "this.#wait",
      ],
    ],
  ),
  ...of(
    "src/terminal/drawing.ts",
    ["tests/terminal/drawing.test.ts"],
    [
      [
        "the next frame draws over what the shell has written",
        '    this.#region.leave()\n    this.#last = ""',
        '    this.#last = ""',
      ],
      [
        "only the first change of the terminal counts",
        "        changes.seen()\n      } else",
        "      } else",
      ],
      ["after one frame that had to be drawn every second has one", "        isForced = false\n", ""],
      [
        "each update has a frame of its own",
        "dueMs = Math.min(dueMs, performance.now() + frameMs)",
        "dueMs = 0",
      ],
      ["the last state is not drawn", 'yield frames.next(view(), true) ?? ""\n        return', "return"],
      ["a drawing that is left keeps its stream open", "    void said.return()\n", ""],
      [
        "a terminal of another width keeps the old drawing",
        "JSON.stringify([view.columns, drawn])",
        "JSON.stringify([drawn])",
      ],
      [
        "what has happened is printed only once the board changes",
        "state === this.#last && above.length === 0 && !isForced",
        "state === this.#last && !isForced",
      ],
    ],
  ),
  ...of(
    "src/terminal/output-as-text.ts",
    ["tests/terminal/drawing.test.ts"],
    [
      [
        "a note stands at the end of an open line",
        'const end = this.#isLineOpen ? "\\n" : ""\n    this.#isLineOpen = false\n    return `${end}',
        "this.#isLineOpen = false\n    return `",
      ],
      [
        "the first attempt is announced as another one",
        "this.#attempt !== undefined && this.#attempt !== attempt",
        "this.#attempt !== attempt",
      ],
    ],
  ),
  ...of(
    "src/terminal/updates-as-lines.ts",
    ["tests/terminal/drawing.test.ts"],
    [
      [
        "a line repeats what the server itself says beside the step",
        'isRoutine(message) && (isSpoken(current_step) || isSpoken(error_message)) ? "" : message',
        "message",
      ],
      ["a line has the time of UTC", "`${zone.clock(toldMs)} ${name}", "`${UTC.clock(toldMs)} ${name}"],
    ],
  ),
  ...of(
    "src/terminal/words.ts",
    ["tests/terminal/board.test.ts"],
    [["an item with an empty title has no name", "title || `song ${songId}`", "title ?? `song ${songId}`"]],
  ),
  ...of(
    "src/terminal/times-of-day.ts",
    ["tests/terminal/words.test.ts"],
    [
      [
        "a day a week ahead is named like today",
        "const WEEKDAY_MS = 6 * 24 * 3600 * 1000",
        "const WEEKDAY_MS = 8 * 24 * 3600 * 1000",
      ],
    ],
  ),
  ...of(
    "src/terminal/times-of-day.ts",
    ["tests/terminal/words.test.ts"],
    [
      [
        "a day long ago is named like one of this week",
        "Math.abs(ms - nowMs) < WEEKDAY_MS",
        "ms - nowMs < WEEKDAY_MS",
      ],
    ],
  ),
  ...of(
    "src/terminal/board.ts",
    ["tests/terminal/board.test.ts"],
    [
      [
        "items leave the board after a part of the history that cannot be read",
        'gap.reason === "slow" || gap.reason === "unreadable"',
        'gap.reason === "slow"',
      ],
    ],
  ),
]
