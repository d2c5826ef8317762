import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the core of items, queue and store: a few of each file that no test had noticed. */
export const CORE: readonly Mistake[] = [
  ...of(
    "src/item/report.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a report without progress takes a guess of the command itself back",
        "const isTakeover = report.outer === undefined && !work.has_inner",
        "const isTakeover = report.outer === undefined",
      ],
    ],
  ),
  ...of(
    "src/item/pace.ts",
    ["tests/item/pace.test.ts"],
    [
      [
        "what is counted keeps an attempt from being stalled whose progress is known",
        "work.done === 0 && goesOn",
        "goesOn",
      ],
    ],
  ),
  ...of(
    "src/item/update.ts",
    ["tests/item/item.test.ts"],
    [["a progress by time of 0 is not sent", "if (item.time_progress !== null)", "if (item.time_progress)"]],
  ),
  ...of(
    "src/item/moves.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a completed item still says on what its progress rested",
        'outcome: "completed", basis: null,',
        'outcome: "completed",',
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a follower of an earlier attempt ends before the last one",
        "return isFinished(item.status) && !isOther",
        "return isFinished(item.status)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/store.test.ts"],
    [
      [
        "after a failed commit an item that was claimed is remembered as it never was",
        "      taken.push(first.id)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/first-fitting.ts",
    ["tests/store/claims.test.ts"],
    [["a worker with many tags gets an item whose time has not come", "isReady === 1 && fits(", "fits("]],
  ),
]
