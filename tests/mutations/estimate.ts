import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what earlier runs say about how long an item takes. */
export const ESTIMATE: readonly Mistake[] = [
  ...of(
    "src/item/moves.ts",
    ["tests/item/estimate/follow-attempt.test.ts"],
    [["a failed item has a percentage that nobody reported", "        time_progress: null,\n", ""]],
  ),
  ...of(
    "src/item/estimate/follow-attempt.ts",
    ["tests/item/estimate/follow-attempt.test.ts"],
    [
      [
        "an attempt that nobody watched is learned from",
        "ms <= 0 || course.unwatchedMs > MAX_UNWATCHED * ms",
        "ms <= 0",
      ],
      [
        "a percentage that comes late begins a step",
        "reached >= CAME_FAR && told <= beginning",
        "told < reached",
      ],
      [
        "a second program that counts from 0 is not followed",
        "beginsAgain || (hasBegunAgain && told > reached)",
        "beginsAgain",
      ],
      [
        "an attempt begins with the words of the one before",
        "current_step: isStale ? undefined : item.current_step",
        "current_step: item.current_step",
      ],
      [
        "what was rendered before an item was lost is learned as a render of a moment",
        "if (work.rescues > 0 && course.trace.steps.length === 0) return undefined",
        "",
      ],
      [
        "an outage before an attempt counts as unwatched time of it",
        "endedMs - Math.max(fromMs, sinceMs)",
        "endedMs - sinceMs",
      ],
      [
        "what was learned is put on the progress that was reported",
        "eta_seconds: tenth(said.left),",
        "eta_seconds: tenth(said.left), progress: Math.round(timeProgress(at, said.left, 0)),",
      ],
      [
        "the time left stands while nothing moves",
        "etaNow(item.eta_seconds, work, moment)",
        "item.eta_seconds",
      ],
      [
        "what stands still has an estimate",
        "if (item.stalled) return item",
        "if (item.stalled && at < 0) return item",
      ],
      [
        "the band of an estimate has no lower end",
        "eta_low_seconds: Math.floor(said.low * 10)",
        "eta_low_seconds: Math.floor(said.high * 10)",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/uncertainty.ts",
    [
      "tests/item/estimate/amounts.test.ts",
      "tests/item/estimate/estimate.test.ts",
      "tests/item/estimate/learned.test.ts",
    ],
    [
      [
        "the band does not say that runs differ in what is still to come",
        "const variance = Math.max(0, squares - mean ** 2)",
        "const variance = 0 * Math.max(0, squares - mean ** 2)",
      ],
      [
        "the band becomes narrower while nothing is told",
        "const done = answer.behind + answer.inStep\n  const unknown",
        "const done = Math.max(at, answer.behind + answer.inStep)\n  const unknown",
      ],
      [
        "the band is as narrow for an amount that no run had",
        "return rest > 0 ? ((BY_AMOUNT",
        "return rest < 0 ? ((BY_AMOUNT",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/estimate.ts",
    ["tests/item/estimate/estimate.test.ts"],
    [
      [
        "the bar of an attempt goes back",
        "return Math.max(before, Math.min(MAX_SHOWN, now))",
        "return Math.min(MAX_SHOWN, now)",
      ],
      ["the bar says 100 before the end", "const MAX_SHOWN = 99", "const MAX_SHOWN = 100"],
      ["a bar stands at its end while nothing is left", "Math.max(left, LEAST_LEFT * at)", "left"],
      [
        "the band ends before what is left",
        "high: Math.max(extent.high, whole * spread - now.at)",
        "high: Math.max(extent.high, whole / spread - now.at)",
      ],
      [
        "a band has a part in seconds",
        "high: Math.max(extent.high, whole * spread - now.at)",
        "high: Math.max(extent.high, whole * spread + 2 - now.at)",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/experience.ts",
    ["tests/item/estimate/estimate.test.ts", "tests/item/estimate/learned.test.ts"],
    [
      ["the band has no bound, and overflows", "Math.min(MAX_DEVIATION, deviation)", "deviation"],
      ["what runs were wrong by does not widen the band", "deviationOf(found, n, 1)", "1"],
      ["the band holds far more often than it says", "const FURTHER = 1.3", "const FURTHER = 1.7"],
      ["the band holds less often than it says", "const FURTHER = 1.3", "const FURTHER = 0.9"],
      [
        "a machine that is usually slower is expected to be as fast",
        "const expected = own - (slowness.get(earlierRun.run.worker) ?? 0)",
        "const expected = own * 0",
      ],
      ["more than the newest eight runs count", "runs.slice(-MAX_RUNS)", "runs.slice(-2 * MAX_RUNS)"],
      [
        "the answer of one moment stands for all that follow",
        "const joint = followedTo(known, now.trace, now.at)\n  const stepAt",
        "const joint = known\n  const stepAt",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/step-line.ts",
    ["tests/item/estimate/learned.test.ts"],
    [
      [
        "a value that was reported is where the line had stood still before it",
        "if (value === values[i]) return times[i] ?? 0",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/attempt-in-run.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [["a line that ends early hides one that goes on", "if (endOf(line) < MOST * reached) continue", ""]],
  ),
  ...of(
    "src/item/estimate/attempt-in-run.ts",
    ["tests/item/estimate/estimate.test.ts"],
    [
      [
        "a line is looked up from where the attempt was on another one",
        "this.#near = 0\n    const { step",
        "const { step",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/time-left.ts",
    ["tests/item/estimate/estimate.test.ts"],
    [
      [
        "the time left does not count down between reports",
        "Math.max(left - waited + later, ",
        "Math.max(left + later, ",
      ],
      ["what is overdue reaches its end", "leftAt(joint, inStep + gap,", "0 * leftAt(joint, inStep + gap,"],
    ],
  ),
  ...of(
    "src/item/estimate/time-left.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "after its first moments an unusual pace is believed at once",
        "Math.max(Math.min(usual, LATEST * whole), usual / alarm)",
        "usual / alarm",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/attempt-in-run.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "what a fast worker did first counts as work that was done already",
        "at < MIN_PACE * seconds && !isFast ?",
        "at < MIN_PACE * seconds ?",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/uncertainty.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      ["two runs that differ say as much as many", "const BY_FEW_RUNS = 1", "const BY_FEW_RUNS = 0"],
      ["an earlier run is corrected by any factor", "const MAX_PACE = 3", "const MAX_PACE = 300"],
    ],
  ),
  ...of(
    "src/item/estimate/time-left.ts",
    ["tests/item/estimate/learned.test.ts"],
    [
      [
        "a silent step of any length ends when it is expected to",
        "stillPossible(expected, waited, spread) - expected : 0",
        "0 : 0",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/trace.ts",
    ["tests/item/estimate/learned.test.ts"],
    [["tracks that only the words count are no series", "...(index > 1 && seriesInWords(report)),", ""]],
  ),
  ...of(
    "src/item/estimate/run-from-updates.ts",
    ["tests/item/estimate/run-from-updates.test.ts"],
    [
      [
        "an attempt of before a retry is part of the run that is learned",
        "i < last && !isOfAttempt(update)",
        "i < 1 && !isOfAttempt(update)",
      ],
      [
        "an attempt that failed is learned from, as something about it changed later",
        'end?.status !== "completed"',
        "!end",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/step-durations.ts",
    ["tests/item/estimate/amounts.test.ts", "tests/item/estimate/learned.test.ts"],
    [
      ["what varies together is trusted as little as what varies alone", "* alike }", "* 0 * alike }"],
      [
        "what was declared counts only in steps that tell its unit",
        "if (!sizes.has(unit)) sizes.set(unit, size)",
        "if (!sizes.has(unit)) continue",
      ],
      [
        "the size of one step tells that of each other one",
        "return Math.max(0, Math.min(1, together / alone))",
        "return 1",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/trace.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [
      ["a line keeps no point where its pace changes", "Math.abs(at - straight) > BEND * nextAt", "false"],
      [
        "a total that grew on the way scales the step",
        "return { unit, size: 0, grew: begunToGrow(known.size, told.size, report) }",
        "return told",
      ],
      ["a total that grows begins a step", "isMore ? done / step.size : unit", "unit"],
      ["a count that begins again with more to do is no step", "isMore ? done / step.size", "isMore ? 1"],
    ],
  ),
  ...of(
    "src/item/estimate/trace.ts",
    ["tests/item/estimate/trace.test.ts"],
    [
      ["a percentage in words is an amount of work", "unit.name !== PERCENT && ", ""],
      ["a percentage that was corrected stands", "trace) ? setBack(trace, percent) :", "trace) ? trace :"],
    ],
  ),
  ...of(
    "src/item/estimate/extra-steps.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [
      ["more steps than are to come may be fewer", ", -lastingOf(rest))", ", -Infinity)"],
      ["numbers without names are no series", " || isNumbered(step)", ""],
      ["steps in another order are not expected any more", "Math.min(more, missed.length)", "0 * more"],
      ["only one name in turn is a series", "count > longest.count / 2", "false"],
      ["passes after pictures are a series with them", "first < longest.last", "first < parts.length"],
    ],
  ),
  ...of(
    "src/item/estimate/steps-at-once.ts",
    ["tests/item/estimate/trace.test.ts"],
    [
      ["a step that is done again goes on beside the other one", "media > (", "media >= 0 * ("],
      ["an earlier step that begins late ends the later one", "reached < UNDER_WAY", "false"],
      ["a percentage that stands still tells that steps go on together", "percent > (", "percent >= ("],
    ],
  ),
  ...of(
    "src/item/estimate/count-in-words.ts",
    ["tests/item/estimate/trace.test.ts"],
    [
      ["words beside a step with a name do not count", "|| words === step?.name", "|| step"],
      ["the load of a machine begins steps", "done < BEGINNING", "true"],
    ],
  ),
  ...of(
    "src/item/estimate/count-in-words.ts",
    ["tests/item/estimate/count-in-words.test.ts"],
    [
      ["the load of a processor is progress", 'told.replaceAll(LOADS, "")', "told"],
      ["a time counts only from its first second on", "isMeasure ? total / 10 : 1", "1"],
      [
        "what is done of a scene in percent does not count",
        "now.nth - before + now.part",
        "now.nth - before",
      ],
      ["a number in any order counts", "part < reached / 2", "part < 0"],
    ],
  ),
  ...of(
    "src/item/estimate/range-of-next.ts",
    ["tests/item/estimate/start-forecast.test.ts"],
    [
      ["a few runs are believed to show how much all of them vary", " / (1 - STUDENT / freedom)", " / 2"],
      ["one very short run makes very long ones possible", "Math.max(...logs) + beyond", "Infinity"],
    ],
  ),
  ...of(
    "src/item/estimate/start-forecast.ts",
    ["tests/item/estimate/start-forecast.test.ts"],
    [
      [
        "all is forecast to be done when the last item is, though another takes longer",
        "doneIn = Math.max(doneIn, filled.at)",
        "doneIn = filled.at",
      ],
      [
        "an item that is due just when a worker is free is passed by",
        "if (from === filled.at) break",
        "if (from < filled.at) break",
      ],
      [
        "a worker that waits for a delayed item is free as early as if it had not",
        "filled.at = at + seconds",
        "filled.at += seconds",
      ],
      [
        "an item is forecast to start before it may",
        ": { filled, item, at }",
        ": { filled, item, at: filled.at }",
      ],
      [
        "an item is forecast although one whose song is free at an unknown time may come before it",
        "unsureAt <= at && at > 0",
        "false",
      ],
      ["an item is forecast twice", "    rest.delete(item.id)\n", ""],
      [
        "an item is forecast on a worker that lacks one of its tags",
        "item.tags.every((tag) => tags.includes(tag))",
        "item.tags.length === 0 || item.tags.some((tag) => tags.includes(tag))",
      ],
      [
        "a start is forecast without the worker that may be free sooner",
        "mayBeSooner ? [] : [filled]",
        "[filled]",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/earlier-run.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [["steps of one name are taken for one step", "count === 1 ? name : `${name}\\n${count}`", "name"]],
  ),
  ...of(
    "src/item/estimate/experience.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [
      [
        "before the start a slow machine is expected to be as fast as the others",
        "return Math.max(1e-3, wholeOf(earlierRun, [], totals) * pace)",
        "return Math.max(1e-3, wholeOf(earlierRun, [], totals))",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/unusual-runs.ts",
    ["tests/item/estimate/estimate.test.ts", "tests/item/estimate/learned.test.ts"],
    [
      [
        "a run that differs from all others counts as much as they do",
        "return 1 / (1 + (far / ODD) ** 4)",
        "return 1",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/slow-workers.ts",
    ["tests/item/estimate/amounts.test.ts"],
    [["a clear difference counts as any", "Math.max(1, (slow / (CLEAR * spread)) ** 2)", "1"]],
  ),
]
