import { readFile, realpath } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"

/** The files in which the system says which disks there should be, and what is mounted. */
const TABLES = { disks: "/etc/fstab", mounts: "/proc/self/mountinfo" }

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
 * Where a disk should be mounted on which this folder is, but is not; undefined if all are mounted. Such a folder looks
 * like any other. A disk that is only mounted on demand (`noauto`) does not count.
 */
export async function unmountedDiskOf(folder: string, tables = TABLES): Promise<string | undefined> {
  const mounted = new Set((await rowsOf(tables.mounts)).map(([, , , , at = ""]) => unescaped(at)))
  // Another system has no such table.
  if (!mounted.has("/")) return undefined
  const [disks, path] = [await rowsOf(tables.disks), await realPathOf(folder)]
  return disks
    .filter(([disk = "", at = "", , options = ""]) => {
      const isDisk = !disk.startsWith("#") && at.startsWith("/")
      return isDisk && !options.split(",").includes("noauto")
    })
    .map(([, at = ""]) => resolve(unescaped(at)))
    .find((at) => (path === at || path.startsWith(`${at}/`)) && !mounted.has(at))
}
