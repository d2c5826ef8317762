import { expect, test } from "bun:test"

import { SQL } from "bun"

import { explainedStart, tooFew } from "../../../src/store/postgres/open.ts"

const ADDRESS = "postgres://user:secret@db.example/queue"

test.each([
  ["08P01", "is a connection pooler"],
  ["28P01", "refuses the password"],
  ["28000", "refuses the user"],
  ["3D000", "does not exist"],
  ["42501", "may not be changed by this user"],
  ["25006", "takes no writes"],
  ["55P03", "cannot be brought up to date while another program uses it"],
  ["3F000", "has no schema public"],
  ["42P01", "has lost its tables"],
  ["53100", "has no room left on its disk"],
  ["53300", "has no connection left"],
  ["40P01", "does not finish this"],
  ["57P03", "cannot be reached"],
  ["22003", "cannot be used"],
])("a start that SQLSTATE %s ends says what is wrong, and no password", (errno, said) => {
  const error = new SQL.PostgresError("no", { code: "ERR_POSTGRES_SERVER_ERROR", errno })
  const explained = String(explainedStart(error, ADDRESS))
  expect(explained).toContain(said)
  expect(explained).not.toContain("secret")
})

test("a server that takes seven connections is warned when six more than its first are not free", () => {
  expect(tooFew(6)).toBeUndefined()
  expect(tooFew(5)).toContain("has 5 connections left")
})
