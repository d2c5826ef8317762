import { describe, expect, test } from "bun:test"
import { hostname } from "node:os"

import { wholeFlag } from "../../src/commands/command.ts"
import { didYouMean } from "../../src/commands/did-you-mean.ts"
import { RENDER_FLAGS, renderFlags, reportWithinFlag, totalOf } from "../../src/commands/render-flags.ts"
import { SPAN_FLAGS, spanFlag } from "../../src/commands/span-flags.ts"
import { readArguments, type Usage } from "../../src/commands/usage.ts"

const USAGE: Usage = {
  line: "test",
  about: "",
  settings: [],
  flags: {
    ...RENDER_FLAGS,
    ...SPAN_FLAGS,
    "report-within": reportWithinFlag(60),
    bars: { type: "string", help: "" },
  },
}

const typed = (text: string) => readArguments(USAGE, text === "" ? [] : text.split(" "))

describe("the part of the progress that a command fills", () => {
  test.each<[string, object | undefined]>([
    ["", undefined],
    ["--step 1/4", { step: { index: 1, total: 4, name: "" }, from: 0, to: 25 }],
    ["--step 4/4 --step-name Video", { step: { index: 4, total: 4, name: "Video" }, from: 75, to: 100 }],
    ["--span 20-95", { from: 20, to: 95 }],
    ["--span 0-100", { from: 0, to: 100 }],
    ["--step 2/4 --span 12.5-50.25", { step: { index: 2, total: 4, name: "" }, from: 12.5, to: 50.25 }],
  ])("is said by %j", (text, span) => {
    if (span === undefined) expect(spanFlag(typed(text))).toBeUndefined()
    else expect(spanFlag(typed(text))).toMatchObject(span)
  })

  test.each([
    "--step 0/4",
    "--step 5/4",
    "--step 1",
    "--step-name Video",
    "--span 20-20",
    "--span 95-20",
    "--span 20-101",
  ])("cannot be %p", (text) => {
    expect(() => spanFlag(typed(text))).toThrow(text.includes("span") ? "two percentages" : "such as")
  })
})

describe("the flags of commands that render", () => {
  test("have defaults, and durations in the units that the parts take", () => {
    expect(renderFlags(typed("--worker box"), 60)).toEqual({
      ...{ renderer: undefined, worker: "box", leaseS: 60, reportWithinMs: 60_000 },
    })
    const given = "--worker box --lease 3600 --report-within 0 --renderer blender"
    expect(renderFlags(typed(given), 60)).toEqual({
      ...{ renderer: "blender", worker: "box", leaseS: 3600, reportWithinMs: 0 },
    })
  })

  test.each([
    "--lease 0",
    "--lease 3601",
    "--report-within 86401",
    "--renderer nosuch",
    "--worker=",
    "--worker .",
    "--worker ..",
  ])("cannot be %p", (text) => {
    expect(() => renderFlags(typed(text), 60)).toThrow("must be")
  })

  test("name a worker after its machine, unless they name it", () => {
    expect(renderFlags(typed(""), 60).worker).toBe(hostname())
  })

  test("take a total above 0, with a fraction", () => {
    expect(["1", "212.5", "0.000000001"].map((text) => totalOf(text, "total"))).toEqual([1, 212.5, 1e-9])
    for (const wrong of ["0", "0.0", "-1", "1e3", "five", ".5", "1.", ""])
      expect(() => totalOf(wrong, "total")).toThrow(
        `--total must be a number above 0, such as 212.5, not "${wrong}"`,
      )
  })

  test("take a whole number within its bounds, the bounds included", () => {
    const bars = (text: string): number => wholeFlag(typed(text), "bars", { least: 1, most: 5, fallback: 3 })
    expect([bars(""), bars("--bars 1"), bars("--bars 5")]).toEqual([3, 1, 5])
    for (const wrong of ["--bars 0", "--bars 6", "--bars -1", "--bars 1.5"])
      expect(() => bars(wrong)).toThrow()
  })
})

test("a word that is not known is taken for the nearest one, if that is near", () => {
  const words = ["--status", "list", "pause", "resume"]
  // Two letters that are swapped count as one mistake, also at the beginning of a word.
  expect(
    ["lsit", "ilst", "lists", "--stauts", "Pause", "resum"].map((word) => didYouMean(word, words)),
  ).toEqual(
    ["list", "list", "list", "--status", "pause", "resume"].map((word) => `; did you mean "${word}"?`),
  )
  // What the same is called elsewhere.
  const elsewhere = { db: "database", info: "show", ls: "list", mv: "move", rm: "remove", start: "serve" }
  const later = { delete: "remove", stop: "cancel", tail: "logs", unpause: "resume" }
  const known = [...new Set(Object.values({ ...elsewhere, ...later }))]
  for (const [word, ours] of Object.entries({ ...elsewhere, ...later }))
    expect([word, didYouMean(word, known)]).toEqual([word, `; did you mean "${ours}"?`])
  for (const word of ["last-one", "lost in", "pa", "rexxxe", "lsitt"])
    expect([word, didYouMean(word, words)]).toEqual([word, ""])
})

test("a value that looks like a flag belongs to the flag before it only behind an equals sign", () => {
  for (const flag of ["--worker", "-h"])
    expect(() => typed(`--step-name ${flag}`)).toThrow("--step-name needs a value")
  expect(() => typed("--bars")).toThrow("--bars needs a value: --bars VALUE")
  expect(typed("--step-name=--worker").flags).toEqual({ "step-name": "--worker" })
  expect(typed("--lease -3").flags).toEqual({ lease: "-3" })
})
