import { expect, test } from "bun:test"
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { tokenInOrNew } from "../../src/config/token-file.ts"
import { temporaryFolder } from "../server.ts"

const TOKEN = `tsk_${"a".repeat(43)}`
const refused = (): string => {
  throw new Error("a file that holds a token needs no other")
}

test.each([0o644, 0o666])(
  "a token is written for its owner alone, also into an empty file of mode %o",
  (mode) => {
    using folder = temporaryFolder()
    const file = join(folder.path, "token")
    writeFileSync(file, "\n")
    chmodSync(file, mode)
    expect(tokenInOrNew(file, () => TOKEN)).toBe(TOKEN)
    expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o600, `${TOKEN}\n`])
    expect(tokenInOrNew(file, refused)).toBe(TOKEN)
  },
)
