import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the figures of one item: progress and pace. */
export const ITEM: readonly Mistake[] = [
  ...of(
    "src/item/pace.ts",
    ["tests/item"],
    [["an ETA is told in the first second", "done < 100 && elapsedMs >= MIN_ELAPSED_MS", "done < 100"]],
  ),
  ...of(
    "src/item/pace.ts",
    ["tests/item/pace.test.ts"],
    [
      [
        "an attempt of unknown progress is stalled although its medium goes on",
        " ||\n    (media !== undefined && media.out_time !== item.media?.out_time)",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/reorder.ts",
    ["tests/queue/order.test.ts"],
    [["an item is moved before one that is being rendered", "  mustWait(before)\n", ""]],
  ),
  ...of(
    "src/item/reorder.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [["an item is moved behind another one, not before", "(ahead + last) / 2", "last + 0.5"]],
  ),
  ...of(
    "src/item/declared-steps.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "the same steps again begin again",
        "if (JSON.stringify(item.steps) === JSON.stringify(steps)) return { item, work, quiet: true }",
        "",
      ],
      ["new steps begin behind the old ones", "work: { ...work, steps_begun: 0 }", "work"],
    ],
  ),
  ...of(
    "src/item/step-span.ts",
    ["tests/item"],
    [
      [
        "a step's progress fills more than the step's place",
        "from + (report.progress * (to - from)) / 100",
        "from + report.progress",
      ],
    ],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item"],
    [
      ["a report that moves nothing ends a stall", "...(work === kept ? {} : MOVING)", "...MOVING"],
      [
        "a worker cannot take its ETA back",
        "report.eta_seconds === null ? null : eta_seconds",
        "eta_seconds",
      ],
    ],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item", "tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
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
      [
        "without a lease anybody reports on a leased item",
        "else if (isLeased(stored)) {",
        'else if (isLeased(stored) && stored.item.status !== "processing") {',
      ],
    ],
  ),
  ...of(
    "src/item/search.ts",
    ["tests/store/sqlite/list.test.ts"],
    [["one of several words is enough", "words.every(", "words.some("]],
  ),
  ...of(
    "src/item/missing-tags.ts",
    ["tests/item"],
    [["the worker that lacks the most is named", "some.length < least.length", "some.length > least.length"]],
  ),
  ...of(
    "src/item/add-cancel-retry-delete.ts",
    ["tests/item/decisions.test.ts"],
    [
      ["an item waits for milliseconds instead of seconds", "available_in * 1000", "available_in"],
      [
        "an item that is removed while it is rendered has not ended",
        "isFinished(item.status)\n    ? { ...item",
        'isFinished(item.status) || item.status === "processing"\n    ? { ...item',
      ],
    ],
  ),
  ...of(
    "src/item/change-by-put.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a progress that is set by hand is a guess still",
        "{ ...item, basis: null, eta_seconds, ...MOVING }",
        "{ ...item, eta_seconds, ...MOVING }",
      ],
    ],
  ),
  ...of(
    "src/item/changes-in-whole-item.ts",
    ["tests/item/decisions.test.ts"],
    [["an empty value that is given back is a change", '(update[carried] ?? "")', "update[carried]"]],
  ),
  ...of(
    "src/item/same-attempt.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "attempts before and after a retry are taken for one",
        "one.attempt === other.attempt && one.started_at === other.started_at",
        "one.attempt === other.attempt",
      ],
    ],
  ),
  ...of(
    "src/item/output-piece.ts",
    ["tests/item/decisions.test.ts"],
    [["output that comes again is kept twice", ".subarray(end - piece.from)", ".subarray(0)"]],
  ),
  ...of(
    "src/item/state-in-one-word.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "an item whose worker was lost has just failed",
        'outcome === "cancelled" || outcome === "lost"',
        'outcome === "cancelled"',
      ],
    ],
  ),
  ...of(
    "src/item/reorder.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "an item without room gets the place of the one ahead",
        "(ahead === null || ahead < turn)",
        "(ahead === null || ahead <= turn)",
      ],
    ],
  ),
  ...of(
    "src/item/declared-steps.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "the medium of an earlier step stays when other steps are declared",
        "unit: null, media: null, updated_at",
        "unit: null, updated_at",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/steps-at-once.ts",
    ["tests/item/estimate/trace.test.ts"],
    [
      [
        "a count is compared with the time at which the last one was reached",
        "unit > (lines.unit?.at(-1)?.[0]",
        "unit > (lines.unit?.at(-1)?.[1]",
      ],
    ],
  ),
  ...of(
    "src/item/change-by-put.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a PUT on a finished item makes its worker's verdict a new one",
        "item.status === before.status ? known : ended(known, null)",
        "ended(known, null)",
      ],
    ],
  ),
]
