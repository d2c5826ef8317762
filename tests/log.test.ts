import { expect, test } from "bun:test"

import { ErrorLog, type LogFields } from "../src/log.ts"

/** A log that counts over a short time, and its lines. */
function open() {
  const lines: { msg: string; fields: LogFields }[] = []
  let wake: () => void = () => undefined
  const errors = new ErrorLog((_level, msg, fields = {}) => {
    lines.push({ msg, fields })
    wake()
  }, 50)
  return {
    errors,
    lines,
    async until(count: number): Promise<void> {
      while (lines.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}

const full = (): Error => new Error("the database cannot be written", { cause: new Error("disk is full") })

test("the same error is logged once, and then counted", async () => {
  const { errors, lines, until } = open()
  errors.log("a request failed", full(), { request_id: "1" })
  for (let i = 0; i < 41; i += 1) errors.log("a request failed", full(), { request_id: `${i + 2}` })
  const cause = "the database cannot be written: disk is full"
  expect(lines).toEqual([
    {
      msg: "a request failed",
      fields: { request_id: "1", cause, error: expect.stringContaining("log.test.ts") },
    },
  ])
  await until(2)
  expect(lines[1]).toEqual({ msg: "a request failed", fields: { cause, again: 41, seconds: 0.05 } })
})

test("another message or another cause is another error, and one that stayed away is new", async () => {
  const { errors, lines } = open()
  errors.log("a request failed", full())
  errors.log("a timer failed", full())
  errors.log("a request failed", new Error("the database cannot be written", { cause: new Error("locked") }))
  expect(lines).toHaveLength(3)
  await Bun.sleep(120)
  errors.log("a request failed", full())
  expect(lines).toHaveLength(4)
  expect(lines[3]?.fields["request_id"]).toBeUndefined()
  expect(lines[3]?.fields["error"]).toBeString()
})
