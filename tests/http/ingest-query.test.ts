import { expect, test } from "bun:test"

import { ingestingOf } from "../../src/http/ingest-query.ts"

test.each([
  [{}, null],
  [{ from: "20" }, { step: undefined, from: 20, to: 100 }],
  [{ to: "80.5" }, { step: undefined, from: 0, to: 80.5 }],
  [
    { from: "20", to: "21" },
    { step: undefined, from: 20, to: 21 },
  ],
  [{ step: "3/4" }, { step: { index: 3, total: 4, name: "" }, from: 50, to: 75 }],
  [
    { step: "4/4", name: "Mix" },
    { step: { index: 4, total: 4, name: "Mix" }, from: 75, to: 100 },
  ],
  [
    { step: "1/4", from: "5", to: "10" },
    { step: { index: 1, total: 4, name: "" }, from: 5, to: 10 },
  ],
])("an output with the query %j fills the part %j of its item", (query, span) => {
  expect(ingestingOf("ffmpeg", query).span ?? null).toEqual(span)
})

test.each([
  [{ name: "Mix" }, "name needs step, such as step=3/4"],
  [{ step: "5/4" }, "step must be at most 4/4, not 5/4"],
  [{ from: "30", to: "20" }, "from (30) must be below to (20)"],
  [{ from: "100" }, "from (100) must be below to (100)"],
  [{ step: "3/4", to: "50" }, "from (50) must be below to (50)"],
])("an output whose query %j names no part of its item is refused", (query, error) => {
  expect(() => ingestingOf("ffmpeg", query)).toThrow(error)
})

test("the end of an output ends its item only if that is asked for, of a renderer and a total that tell a whole render from a broken one, in the last step", () => {
  const told = { total: 60, bars: undefined, span: undefined }
  expect(ingestingOf("ffmpeg", { finish: "true", total: "60" })).toEqual({ ...told, isFinal: true })
  expect(ingestingOf("ffmpeg", { finish: "false", total: "60" })).toEqual({ ...told, isFinal: false })
  expect(ingestingOf("lines", { total: "60", bars: "2" })).toEqual({ ...told, bars: 2, isFinal: false })
  expect(ingestingOf("ffmpeg", { finish: "true", total: "60", step: "4/4" }).isFinal).toBe(true)
  const end = { finish: "true", total: "60" } as const
  expect(() => ingestingOf("lines", end)).toThrow("finish=true works only with ffmpeg or blender")
  for (const total of [{}, { total: "0" }, { total: "0.0" }])
    expect(() => ingestingOf("ffmpeg", { finish: "true", ...total })).toThrow("finish=true needs total")
  expect(() => ingestingOf("ffmpeg", { ...end, step: "3/4" })).toThrow("is not the last")
})
