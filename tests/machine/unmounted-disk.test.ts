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
    `# ${at}/old was here\n#/dev/sda1 ${at}/old ext4\n\nUUID=1 / ext4 defaults 0 1\nUUID=2 ${at}/one/ ext4 defaults,nofail 0 2\nbox:/x ${at}/two\\040words nfs\n/dev/sr0 ${at}/spare udf user,noauto 0 0\ntmpfs ${at}/memory tmpfs size=1G 0 0\n/swap none swap sw 0 0\n`,
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
  for (const path of ["oneself", "old", "spare/a", "memory/a", "a", "."])
    expect(await below(path)).toBeUndefined()
  mount("/", join(at, "one"), `${at}/two\\040words`)
  for (const path of ["one/a", "link", "two words"]) expect(await below(path)).toBeUndefined()
  expect(await unmountedDiskOf(join(at, "one"), { ...tables, mounts: join(at, "none") })).toBeUndefined()
})

test("a folder that is mounted on itself for a service is no disk, a disk below one that is not mounted is there", async () => {
  using folder = temporaryFolder()
  const at = realpathSync(folder.path)
  mkdirSync(join(at, "backups", "own"), { recursive: true })
  const tables = { disks: join(at, "fstab"), mounts: join(at, "mountinfo") }
  writeFileSync(tables.disks, `UUID=2 ${at}/backups ext4\n${at}/bound ${at}/bound none bind,nosuid\n`)
  const mount = (...rows: string[]): void => writeFileSync(tables.mounts, rows.join("\n"))
  const below = (path: string): Promise<string | undefined> => unmountedDiskOf(join(at, path), tables)
  // A subvolume is mounted as the root, and the service may write only this folder.
  const root = "43 42 254:0 /@ / ro,relatime - btrfs /dev/x ro"
  const itself = `63 43 254:0 /@${at}/backups ${at}/backups rw,relatime - btrfs /dev/x rw`
  mount(root, itself)
  for (const path of ["backups", "backups/own"]) expect(await below(path)).toBe(join(at, "backups"))
  // It is mounted while the service runs: below and above what was mounted on itself.
  const later = `86 43 254:9 / ${at}/backups rw,relatime - ext4 /dev/y rw`
  mount(root, itself.replace("63 43", "63 86"), later, later.replace("86 43", "87 63"))
  expect(await below("backups/own")).toBeUndefined()
  // Another subvolume of the same disk.
  mount(root, `63 43 254:0 /@backups ${at}/backups rw,relatime - btrfs /dev/x rw`)
  expect(await below("backups/own")).toBeUndefined()
  mount(root, `63 43 254:1 / ${at}/backups/own rw,relatime - ext4 /dev/y rw`)
  expect([await below("backups/own"), await below("backups")]).toEqual([undefined, join(at, "backups")])
  expect(await below("bound")).toBeUndefined()
})
