import { expect, test } from "bun:test"

import { startOfDay, startOfWeek, startOfYear } from "../../src/queue/calendar.ts"

const day = (time: string, zone: string): string => new Date(startOfDay(Date.parse(time), zone)).toISOString()
const week = (time: string, zone: string): string =>
  new Date(startOfWeek(Date.parse(time), zone)).toISOString()

test("a day begins at midnight of its zone", () => {
  expect(day("2026-01-02T03:04:05.678Z", "UTC")).toBe("2026-01-02T00:00:00.000Z")
  expect(day("2026-01-02T00:00:00.000Z", "UTC")).toBe("2026-01-02T00:00:00.000Z")
  expect(day("2026-01-02T23:30:00.000Z", "Europe/Berlin")).toBe("2026-01-02T23:00:00.000Z")
  expect(day("2026-01-02T03:04:05.678Z", "America/Los_Angeles")).toBe("2026-01-01T08:00:00.000Z")
  expect(day("2026-01-02T03:04:05.678Z", "Asia/Kolkata")).toBe("2026-01-01T18:30:00.000Z")
})

test("a day on which the clock is changed begins at its midnight, before and after the change", () => {
  // Forward at 2:00 on 29 March, back at 3:00 on 25 October.
  for (const time of ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T20:00:00Z"]) {
    expect(day(time, "Europe/Berlin")).toBe("2026-03-28T23:00:00.000Z")
  }
  for (const time of ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:30:00Z"]) {
    expect(day(time, "Europe/Berlin")).toBe("2026-10-24T22:00:00.000Z")
  }
})

test("a week begins with its Monday, also over a change of the clock", () => {
  expect(week("2026-01-02T03:04:05.678Z", "UTC")).toBe("2025-12-29T00:00:00.000Z")
  expect(week("2025-12-29T00:00:00.000Z", "UTC")).toBe("2025-12-29T00:00:00.000Z")
  expect(week("2025-12-28T23:59:59.999Z", "UTC")).toBe("2025-12-22T00:00:00.000Z")
  expect(week("2026-03-29T20:00:00Z", "Europe/Berlin")).toBe("2026-03-22T23:00:00.000Z")
  expect(week("2026-10-25T22:30:00Z", "Europe/Berlin")).toBe("2026-10-18T22:00:00.000Z")
  // Forward at midnight of a Friday, back at midnight after a Thursday.
  expect(week("2026-04-25T10:00:00Z", "Africa/Cairo")).toBe("2026-04-19T22:00:00.000Z")
  expect(week("2026-10-31T10:00:00Z", "Africa/Cairo")).toBe("2026-10-25T21:00:00.000Z")
})

test("a year begins with the first of January of its zone", () => {
  const year = (time: string, zone: string): string =>
    new Date(startOfYear(Date.parse(time), zone)).toISOString()
  expect(year("2026-07-02T03:04:05Z", "UTC")).toBe("2026-01-01T00:00:00.000Z")
  expect(year("2025-12-31T23:30:00Z", "Europe/Berlin")).toBe("2025-12-31T23:00:00.000Z")
  expect(year("2026-07-02T03:04:05Z", "America/Los_Angeles")).toBe("2026-01-01T08:00:00.000Z")
  expect(year("2026-07-02T03:04:05Z", "Pacific/Kiritimati")).toBe("2025-12-31T10:00:00.000Z")
  expect(year("2026-07-02T03:04:05Z", "Pacific/Pago_Pago")).toBe("2026-01-01T11:00:00.000Z")
})

test("a zone that does not exist is refused", () => {
  expect(() => startOfDay(0, "Mars/Olympus")).toThrow(RangeError)
})
