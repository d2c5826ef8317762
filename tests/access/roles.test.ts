import { expect, test } from "bun:test"

import { isAllowed, type Need } from "../../src/access/roles.ts"
import { type Role, ROLES } from "../../src/store/contract/access.ts"
import { ALL_NEEDS } from "./needs.ts"

/**
 * What each role may do, as the README promises it. On the machine itself a viewer may also read metrics and
 * readiness.
 */
const MAY: Readonly<Record<Role, readonly Need[]>> = {
  viewer: ["nothing", "item", "read", "figures", "operations"],
  operator: ["nothing", "item", "read", "figures", "add", "change", "files"],
  worker: ["nothing", "item", "add", "files", "claim", "report"],
  admin: ALL_NEEDS,
}

const allowed = (role: Role | "nobody", isLocal: boolean, item?: number): Need[] =>
  ALL_NEEDS.filter((need) => isAllowed({ role, item }, need, () => isLocal))

test.each([...ROLES])("a %s may do what is promised, and nothing else", (role) => {
  expect(allowed(role, true)).toEqual([...MAY[role]])
  const away = role === "viewer" ? MAY[role].filter((need) => need !== "operations") : MAY[role]
  expect(allowed(role, false)).toEqual([...away])
})

test("a caller without a role may do nothing that needs one", () => {
  expect(allowed("nobody", true)).toEqual(["nothing"])
})

test("a token for one item reads that item, and nothing about all items", () => {
  expect(allowed("viewer", true, 7)).toEqual(["nothing", "item", "read"])
})
