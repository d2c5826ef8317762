import { closeSync, openSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs"
import { open } from "node:fs/promises"

/** A reserved file is written in pieces of this size. */
const PIECE_BYTES = 64 * 1024

/** With fewer descriptors to spare the process counts as out of them. */
const SPARE_DESCRIPTORS = 8

/** Whether the process cannot open a few more files. */
export function areDescriptorsScarce(): boolean {
  const opened: number[] = []
  try {
    while (opened.length < SPARE_DESCRIPTORS) opened.push(openSync("/dev/null", "r"))
    return false
  } catch {
    return true
  } finally {
    opened.forEach(closeSync)
  }
}

/** How many files this process may have open; undefined where the system does not say. */
export function mostDescriptors(): number | undefined {
  const [, soft] = /^Max open files +(\d+)/m.exec(readOr("/proc/self/limits")) ?? []
  return soft === undefined ? undefined : Number(soft)
}

/** How many files this process has open; 0 where the system does not say. */
export function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return 0
  }
}

/** Bytes that are free on the disk of a folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** How large a file is, in bytes; 0 if it is not there. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Writes a file for its owner alone that takes so many bytes of the disk, in small pieces so that nobody waits. */
export async function reserve(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w", 0o600)
  try {
    // A file system that compresses would keep nothing free for zeros.
    const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES))
    for (let written = 0; written < bytes; written += PIECE_BYTES) await file.write(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What the system says in a file of its own; empty where there is no such file. */
function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
