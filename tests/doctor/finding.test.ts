import { expect, test } from "bun:test"

import { REMEDIES } from "../../src/doctor/finding.ts"

const PROXIES = ["nginx", "HAProxy", "Caddy", "Apache"]

test("whoever reads what to do about nginx also finds what to do about HAProxy, Caddy and Apache", () => {
  const missing = Object.entries(REMEDIES).flatMap(([fault, lines]) => {
    const text = lines.join("\n")
    const named = PROXIES.filter((proxy) => text.includes(proxy))
    return named.length === 0
      ? []
      : PROXIES.filter((each) => !named.includes(each)).map((each) => [fault, each])
  })
  expect(missing).toEqual([])
})
