import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import {
  BACKUP_MARK,
  isMarkOf,
  markIn,
  movedOn,
  textOfMark,
} from "../../../src/store/sqlite/database-mark.ts"
import { temporaryFolder } from "../../server.ts"

const MARK = { name: "a1b2", starts: 7, tables: 1 }

test("a database is the remembered one if it is at most two starts ahead of the record", () => {
  const known = [6, 7, 8, 9, 10].filter((starts) => isMarkOf(MARK, `a1b2.${starts}`))
  expect(known).toEqual([7, 8, 9])
  for (const text of ["a1b2", "c3.7", BACKUP_MARK, "", undefined]) expect(isMarkOf(MARK, text)).toBe(false)
})

test("a database that was moved away is not taken for a copy of it, nor a copy for it, whichever start they have", () => {
  const moved = movedOn(MARK)
  expect(isMarkOf(MARK, textOfMark(moved))).toBe(false)
  for (const starts of [7, 8, 9]) expect(isMarkOf(moved, `a1b2.${starts}`)).toBe(false)
})

test("the mark is found in a file that SQLite cannot read, as far as it may be ahead, while its log is there", () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "cut.db")
  const found = [6, 7, 9, 10].map((starts) => {
    writeFileSync(path, `no database ... a1b2.${starts} ...`)
    return [markIn(path, MARK, true), markIn(path, MARK, false), markIn(path, null, true)]
  })
  expect(found).toEqual([
    [undefined, undefined, undefined],
    ["a1b2.7", undefined, undefined],
    ["a1b2.9", undefined, undefined],
    [undefined, undefined, undefined],
  ])
})
