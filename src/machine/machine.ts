import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
} from "node:fs"
import { open, rm } from "node:fs/promises"

/** A reserved file is written in pieces of this size. */
const PIECE_BYTES = 64 * 1024

/** How many descriptors are held in reserve. */
const RESERVED = 8

/** If less than this part of all descriptors is left, they are few. */
export const FEW = 0.1

/** The part of all descriptors that streams may take. */
export const FOR_STREAMS = 0.8

/** A few descriptors in reserve, and how many are left beside them. */
export class SpareDescriptors {
  readonly #most: number
  readonly #held: number[] = []

  /** `most` is how many the process may have. */
  constructor(most: number) {
    this.#most = most
  }

  /**
   * Fills the reserve, and says how many are left: `few` is less than a tenth, `none` is none beside the reserve. The
   * kernel gives the lowest number that is free, so at least as many are taken as the number of a new one says.
   */
  left(): "many" | "few" | "none" {
    try {
      while (this.#held.length < RESERVED) this.#held.push(openSync("/dev/null", "r"))
      const next = openSync("/dev/null", "r")
      closeSync(next)
      return Math.max(next, countedDescriptors()) < this.#most * (1 - FEW) ? "many" : "few"
    } catch {
      return "none"
    }
  }

  /** Releases the reserve, so that the next users get the descriptors. */
  release(): void {
    for (const descriptor of this.#held.splice(0)) closeSync(descriptor)
  }
}

/** How many files this process has open; 0 if the system does not say so: Linux does since 6.2. Listing them takes longer. */
const countedDescriptors = (): number => statSync("/proc/self/fd", { throwIfNoEntry: false })?.size ?? 0

/** Whether this process may open so many files more. */
export function mayOpen(files: number): boolean {
  const opened: number[] = []
  try {
    while (opened.length < files) opened.push(openSync("/dev/null", "r"))
    return true
  } catch {
    return false
  } finally {
    for (const descriptor of opened) closeSync(descriptor)
  }
}

/** How many files this process may have open; undefined if the system does not say. */
export function mostDescriptors(): number | undefined {
  const [, soft] = /^Max open files +(\d+)/m.exec(systemText("/proc/self/limits")) ?? []
  return soft === undefined ? undefined : Number(soft)
}

/** How many files this process has open; 0 if the system does not say. */
export function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return 0
  }
}

/** The free bytes on the disk of a folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/**
 * Writes a private file that takes this many bytes of the disk. It is written in small pieces, so that other
 * requests do not wait.
 */
export async function reserve(path: string, bytes: number): Promise<void> {
  // What a link leads to must not be written over.
  await rm(path, { force: true })
  const file = await open(path, "wx", 0o600)
  try {
    // Zeros would take no room on a file system that compresses.
    const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES))
    for (let written = 0; written < bytes; written += PIECE_BYTES) await file.write(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Whether there is a file, not a link, that is empty. */
export function isEmptied(path: string): boolean {
  const file = lstatSync(path, { throwIfNoEntry: false })
  return file?.isFile() === true && file.size === 0
}

/** Frees the room of a reserved file, which stays as an empty one. What is not a file is removed. */
export function freeReserved(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) truncateSync(path)
  else rmSync(path, { force: true })
}

/** The text of a file of the system; empty if it cannot be read. */
export function systemText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
