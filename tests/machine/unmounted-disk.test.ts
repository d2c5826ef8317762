import { expect, test } from "bun:test"
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { unmountedDiskOf } from "../../src/machine/unmounted-disk.ts"
import { temporaryFolder } from "../server.ts"

test("a folder is on a disk that is not mounted if a table has a disk for it, or for one above it, and nothing is mounted there", async () => {
  using folder = temporaryFolder()
  const at = realpathSync(folder.path)
  for (const name of ["one", "two words", "spare"]) mkdirSync(join(at, name))
  symlinkSync(join(at, "one"), join(at, "link"))
  const tables = { disks: join(at, "fstab"), mounts: join(at, "mountinfo") }
  writeFileSync(
    tables.disks,
    `# ${at}/old was here\n#/dev/sda1 ${at}/old ext4\n\nUUID=1 / ext4 defaults 0 1\nUUID=2 ${at}/one/ ext4 defaults,nofail 0 2\nbox:/x ${at}/two\\040words nfs\n/dev/sr0 ${at}/spare udf user,noauto 0 0\n/swap none swap sw 0 0\n`,
  )
  const mount = (...paths: string[]): void =>
    writeFileSync(
      tables.mounts,
      paths.map((path) => `22 27 0:21 / ${path} rw,relatime - ext4 /dev/x rw`).join("\n"),
    )
  const below = (path: string): Promise<string | undefined> => unmountedDiskOf(join(at, path), tables)
  mount("/")
  for (const path of ["one", "one/a/b", "link/a"]) expect(await below(path)).toBe(join(at, "one"))
  expect(await below("two words/a")).toBe(join(at, "two words"))
  for (const path of ["oneself", "old", "spare/a", "a", "."]) expect(await below(path)).toBeUndefined()
  mount("/", join(at, "one"), `${at}/two\\040words`)
  for (const path of ["one/a", "link", "two words"]) expect(await below(path)).toBeUndefined()
  expect(await unmountedDiskOf(join(at, "one"), { ...tables, mounts: join(at, "none") })).toBeUndefined()
})
