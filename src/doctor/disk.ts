import { accessSync, constants, existsSync, lstatSync, realpathSync, statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"

import { DATABASE_PARTS, realPathOf } from "../store/sqlite/database-path.ts"
import { refusalOfFile } from "../store/sqlite/open.ts"
import { printable, sizeWords } from "../text.ts"
import { faulty, type Finding, good, note, unknown } from "./finding.ts"

/** With less free room, SQLite and one day of renders may fill the disk before anyone notices. */
const LEAST_FREE_BYTES = 500e6

/** File systems of other machines, on which SQLite's locks and shared memory do not hold. */
const FOREIGN =
  /^(?:nfs\d*|cifs|smb\w*|9p|afs|ceph|lustre|beegfs|ocfs2|gfs2|glusterfs|virtiofs|vboxsf|prl_fs|fuse\.(?!ext|ntfs|lxcfs|overlay).*)$/

/** File systems in memory. */
const PASSING = /^(?:tmpfs|ramfs)$/

/** A file system, as Linux has mounted it. */
interface Mount {
  readonly point: string
  readonly type: string
}

/** The nearest existing folder on the way to a file. */
function existing(path: string): string {
  const folder = dirname(path)
  return existsSync(folder) || folder === path ? folder : existing(folder)
}

/** The mount that holds a path, from the text of `/proc/self/mountinfo`; undefined if it names none. */
function mountOf(path: string, mounts: string): Mount | undefined {
  const holding = mounts.split("\n").flatMap((line): Mount[] => {
    const [before = "", after = ""] = line.split(" - ", 2)
    // Spaces in names are written as octal numbers.
    const point = before
      .split(" ")[4]
      ?.replace(/\\(\d{3})/g, (_match, code) => String.fromCharCode(parseInt(code, 8)))
    const isHolding = point !== undefined && (point === "/" || path === point || path.startsWith(`${point}/`))
    return isHolding ? [{ point, type: after.split(" ")[0] ?? "" }] : []
  })
  // If two mounts have the same place, the later one hides the other.
  return holding.reduce<Mount | undefined>(
    (best, mount) => (mount.point.length >= (best?.point.length ?? 0) ? mount : best),
    undefined,
  )
}

/** Whether a file system is a place for the database. `mounts` is the text of `/proc/self/mountinfo`. */
export function fileSystemOf(path: string, mounts: string): Finding {
  const about = "file system"
  const mount = mountOf(path, mounts)
  if (mount === undefined) return unknown(about, "this system does not say")
  const what = printable(`${mount.type}, mounted at ${mount.point}`)
  if (FOREIGN.test(mount.type)) {
    return faulty(
      about,
      "disk_foreign",
      `${what}: the locks of SQLite do not hold on disks of other machines`,
    )
  }
  if (PASSING.test(mount.type))
    return faulty(about, "disk_passing", `${what}: its contents are gone after a restart`)
  if (mount.type === "overlay")
    return note(about, `${what}: what a container writes there is deleted with the container`)
  return good(about, what)
}

/** Whether there is enough free room. */
export function roomOf(freeBytes: number, allBytes: number): Finding {
  const says = `${sizeWords(freeBytes)} of ${sizeWords(allBytes)} are free`
  return freeBytes < LEAST_FREE_BYTES ? faulty("disk", "disk_full", says) : good("disk", says)
}

const mayUse = (path: string, how: number): boolean => {
  try {
    accessSync(path, how)
    return true
  } catch {
    return false
  }
}

/** A link on the way from a folder to a file below it that leads nowhere; undefined if there is none. */
function deadLink(folder: string, file: string): string | undefined {
  if (file === folder) return undefined
  const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true && !existsSync(file)
  return isLink ? file : deadLink(folder, dirname(file))
}

/**
 * Whether this user may write the database, and into its folder, the nearest one that exists; and whether a server can use
 * what is in the file.
 */
function writableOf(file: string, folder: string): Finding {
  const unusable = (says: string): Finding => faulty("database", "disk_unusable", says)
  if (!statSync(folder).isDirectory()) return unusable(`${printable(folder)} is not a folder`)
  // What is in a folder that this user may not look into cannot be examined.
  if (!mayUse(folder, constants.W_OK | constants.X_OK))
    return unusable(`this user may not write into ${printable(folder)}`)
  const dead = deadLink(folder, file)
  if (dead !== undefined) return unusable(`${printable(dead)} is a link that leads nowhere`)
  const parts = DATABASE_PARTS.map((part) => `${file}${part}`).filter((path) => existsSync(path))
  const strange = parts.find((path) => !statSync(path).isFile())
  if (strange !== undefined) return unusable(`${printable(strange)} is not a file`)
  const locked = parts.find((path) => !mayUse(path, constants.R_OK | constants.W_OK))
  if (locked !== undefined) return unusable(`this user may not read and write ${printable(locked)}`)
  const [refused] = (existsSync(file) && refusalOfFile(file)?.message.split("; ")) || []
  if (refused !== undefined) return faulty("database", "database_unusable", printable(refused))
  return good("database", `${printable(folder)} can be written`)
}

/**
 * Whether the database in this file can be written and used, has room, and is on a disk that suits it. `mounts` is the text of
 * `/proc/self/mountinfo`.
 */
export function* examinedDisk(file: string, mounts: string): Generator<Finding, void, undefined> {
  // The target of a link may be on another disk than the link, and may not be there yet.
  const path = realPathOf(file)
  const named = existing(path)
  yield writableOf(path, named)
  const folder = realpathSync(named)
  const { bavail, blocks, bsize } = statfsSync(folder)
  yield roomOf(bavail * bsize, blocks * bsize)
  yield fileSystemOf(folder, mounts)
}
