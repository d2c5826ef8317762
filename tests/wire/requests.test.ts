import { expect, test } from "bun:test"

import { Value } from "@sinclair/typebox/value"

import { BatchRequest, ClaimRequest, FailRequest } from "../../src/wire/requests.ts"

const { wait, lease } = ClaimRequest.properties

test.each([
  ["the seconds to wait for an item", wait, 0, 60],
  ["the seconds of a lease", lease, 1, 3600],
  ["the seconds before the next attempt", FailRequest.properties.retry_in, 0, 86_400],
] as const)("%s are whole and within their bounds, which count as well", (_, schema, least, most) => {
  const fits = (value: unknown): boolean => Value.Check(schema, value)
  expect([least, most].map(fits)).toEqual([true, true])
  expect([least - 1, most + 1, least + 0.5, `${most}`, null].map(fits)).toEqual(Array(5).fill(false))
})

test("from one to a thousand items are changed at once, each named once", () => {
  const fits = (...ids: number[]): boolean => Value.Check(BatchRequest, { act: "retry", ids })
  const many = Array.from({ length: 1001 }, (_, at) => at + 1)
  expect([fits(), fits(1), fits(...many.slice(1)), fits(...many), fits(1, 1)]).toEqual([
    ...[false, true, true, false, false],
  ])
})
