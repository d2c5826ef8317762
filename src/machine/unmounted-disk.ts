import { readFile, realpath } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"

/** The files in which the system says which disks there should be, and what is mounted. */
const TABLES = { disks: "/etc/fstab", mounts: "/proc/self/mountinfo" }

/** File systems that are empty after each mount: what is to be kept cannot be on one that is not mounted. */
const IN_MEMORY: readonly string[] = ["tmpfs", "ramfs"]

/** The words of each line of a file; none if it cannot be read, as on other systems. */
async function rowsOf(file: string): Promise<string[][]> {
  try {
    return (await readFile(file, "utf8")).split("\n").map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}

/** A path as it is, from how these files write spaces and other signs: as `\040`. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)))

/** The path without links, as far as it exists. */
async function realPathOf(path: string): Promise<string> {
  const whole = resolve(path)
  for (let there = whole; ; there = dirname(there)) {
    const real = await realpath(there).catch(() => undefined)
    if (real !== undefined || there === dirname(there)) return join(real ?? there, relative(there, whole))
  }
}

/**
 * Where something is mounted. A folder that is mounted on itself does not count: the system does that for a service that
 * may write only a few folders (`ReadWritePaths=`), whether or not a disk is mounted there.
 */
function mountPoints(rows: readonly string[][]): string[] {
  const mounts = rows.map(([id, around, disk, root = "", at = ""]) => ({
    id,
    around,
    disk,
    root: unescaped(root),
    at: unescaped(at),
  }))
  const byId = new Map(mounts.map((mount) => [mount.id, mount]))
  return mounts.flatMap(({ around, disk, root, at }) => {
    const outer = byId.get(around)
    const isItself = outer?.disk === disk && root === join(outer?.root ?? "", relative(outer?.at ?? "", at))
    return isItself ? [] : [at]
  })
}

const isIn = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`)

/**
 * Where a disk should be mounted on which this folder would then be; undefined if there is none, or if it is mounted. Such
 * a folder looks like any other. A disk that is only mounted on demand (`noauto`) or is in memory does not count.
 */
export async function unmountedDiskOf(folder: string, tables = TABLES): Promise<string | undefined> {
  const path = await realPathOf(folder)
  const above = mountPoints(await rowsOf(tables.mounts)).filter((at) => isIn(path, at))
  // Another system has no such table.
  if (above.length === 0) return undefined
  const deepest = Math.max(...above.map(({ length }) => length))
  return (await rowsOf(tables.disks))
    .filter(([disk = "", at = "", type = "", options = ""]) => {
      const isFolder = !disk.startsWith("#") && at.startsWith("/") && disk !== at
      const isDisk = isFolder && !IN_MEMORY.includes(type)
      return isDisk && !options.split(",").includes("noauto")
    })
    .map(([, at = ""]) => resolve(unescaped(at)))
    .find((at) => at.length > deepest && isIn(path, at))
}
