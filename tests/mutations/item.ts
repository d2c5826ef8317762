import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what becomes of one item's figures: progress, pace, estimates. */
export const ITEM: readonly Mistake[] = [
  ...of(
    "src/item/course.ts",
    ["tests/item/course.test.ts"],
    [
      [
        "an attempt that nobody watched is learned from",
        "ms <= 0 || course.unwatchedMs > MAX_UNWATCHED * ms",
        "ms <= 0",
      ],
      [
        "an outage before an attempt counts as unwatched time of it",
        "outage.endedMs - Math.max(course.beganMs, outage.sinceMs)",
        "outage.endedMs - outage.sinceMs",
      ],
      [
        "the band of an estimate has no lower end",
        "eta_low_seconds: tenth(said.low)",
        "eta_low_seconds: tenth(said.high)",
      ],
    ],
  ),
  ...of(
    "src/item/doubt.ts",
    ["tests/item/amounts.test.ts", "tests/item/estimate.test.ts", "tests/item/learned.test.ts"],
    [
      [
        "the band does not say that runs differ in what is still to come",
        "const variance = Math.max(0, squares - mean ** 2)",
        "const variance = 0 * Math.max(0, squares - mean ** 2)",
      ],
      [
        "the band is as narrow for an amount that no run had",
        "return rest > 0 ? ((BY_AMOUNT",
        "return rest < 0 ? ((BY_AMOUNT",
      ],
      ["the band has no bound, and overflows", "return Math.min(MAX_DOUBT, doubt)", "return doubt"],
    ],
  ),
  ...of(
    "src/item/lengths.ts",
    ["tests/item/amounts.test.ts"],
    [
      [
        "the size of one step tells that of each other one",
        "return Math.max(0, Math.min(1, together / alone))",
        "return 1",
      ],
    ],
  ),
  ...of(
    "src/item/trace.ts",
    ["tests/item/amounts.test.ts"],
    [
      ["a line keeps no point where its pace changes", "Math.abs(at - straight) > BEND * nextAt", "false"],
      [
        "a total that grew on the way scales the step",
        "return hasGrown ? { unit, size: 0, grew: true } : { unit, size: known.size }",
        "return told",
      ],
      ["a total that grows begins a step", "sign.unit.total <= step.size * (1 + GREW) &&", ""],
    ],
  ),
  ...of(
    "src/item/forecast.ts",
    ["tests/item/forecast.test.ts"],
    [
      [
        "all is forecast to be done when the last item is, though another takes longer",
        "doneIn = Math.max(doneIn, filled.at)",
        "doneIn = filled.at",
      ],
      [
        "a start is forecast without the worker that may be free sooner",
        "const low = mayBeSooner ? item.availableIn :",
        "const low =",
      ],
    ],
  ),
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
    "src/item/place.ts",
    ["tests/queue/order.test.ts"],
    [["an item is moved before one that is being rendered", "  mustWait(before)\n", ""]],
  ),
  ...of(
    "src/item/place.ts",
    ["tests/item", "tests/store/store.test.ts"],
    [["an item is moved behind another one, not before", "(ahead + last) / 2", "last + 0.5"]],
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
      [
        "the same steps again begin again",
        "if (JSON.stringify(item.steps) === JSON.stringify(steps)) return { item, work, quiet: true }",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item", "tests/store/store.test.ts"],
    [
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
    ],
  ),
  ...of(
    "src/item/search.ts",
    ["tests/store/search.test.ts"],
    [["one of several words is enough", "words.every(", "words.some("]],
  ),
  ...of(
    "src/item/tags.ts",
    ["tests/item"],
    [["the worker that lacks the most is named", "some.length < least.length", "some.length > least.length"]],
  ),
]
