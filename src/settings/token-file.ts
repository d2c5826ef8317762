import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, resolve, sep } from "node:path"

import { AppError, codeOf, reasonOf } from "../errors.ts"
import { isToken, TOKEN_WORDS } from "../token-format.ts"

/** Limit on how much is read, because a device file may never end. No setting is as long. */
const MAX_BYTES = 64 * 1024

/**
 * How long a pipe may take until its writer has written, and how long to wait between two reads, in
 * milliseconds.
 */
const PIPE_MS = 2000
const LOOK_MS = 10

const isNotYet = (error: unknown): boolean => codeOf(error) === "EAGAIN"

/** Reads on. If a pipe has a writer but no data yet, this waits. */
function readOn(descriptor: number, bytes: Buffer, size: number): number {
  for (const limitMs = performance.now() + PIPE_MS; ;) {
    try {
      return readSync(descriptor, bytes, size, MAX_BYTES - size, null)
    } catch (error) {
      if (!isNotYet(error) || performance.now() > limitMs) throw error
      Bun.sleepSync(LOOK_MS)
    }
  }
}

function bytesOf(file: string): Buffer {
  const bytes = Buffer.alloc(MAX_BYTES)
  // A pipe without a writer would otherwise block the program completely, even its stop.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    let size = 0
    for (let read = -1; read !== 0 && size < MAX_BYTES; size += read) {
      read = readOn(descriptor, bytes, size)
    }
    return bytes.subarray(0, size)
  } finally {
    closeSync(descriptor)
  }
}

/** The text of a file without the white space around it; undefined if there is no such file. */
function textOf(file: string): string | undefined {
  try {
    const bytes = bytesOf(file)
    if (bytes.length < MAX_BYTES) return bytes.toString("utf8").trim()
    throw new AppError(
      "invalid",
      `the file ${file} has ${MAX_BYTES / 1024} KiB or more; no setting is that long`,
    )
  } catch (error) {
    if (error instanceof AppError) throw error
    if (codeOf(error) === "ENOENT") return undefined
    throw new AppError("unavailable", `the file ${file} cannot be read: ${reasonOf(error)}`)
  }
}

/**
 * The value of a setting that a file holds.
 * @throws AppError `invalid` if there is no such file, nothing in it, or far too much, `unavailable` if it cannot be read
 */
export function valueIn(file: string): string {
  const text = textOf(file)
  if (text) return text
  throw new AppError("invalid", `the file ${file} ${text === undefined ? "does not exist" : "is empty"}`)
}

/**
 * The token that a file holds.
 * @throws AppError `invalid` if it holds none, `unavailable` if it cannot be read
 */
export function tokenIn(file: string): string {
  const text = textOf(file)
  if (text !== undefined && isToken(text)) return text
  const found = text === undefined ? "does not exist" : `does not hold a token (${TOKEN_WORDS})`
  throw new AppError("invalid", `the token file ${file} ${found}`)
}

const noFile = (file: string): AppError =>
  new AppError("invalid", `the token file ${file} is not a file, so no token can be kept in it`)

const unwritable = (file: string, error: unknown): AppError =>
  new AppError("unavailable", `the token file ${file} cannot be written: ${reasonOf(error)}`)

/** Where a file is, or will be, that a link may lead to. */
function behindLink(file: string): string {
  const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()
  return isLink ? resolve(dirname(file), readlinkSync(file)) : resolve(file)
}

/**
 * Checks whether `tokenInOrNew` can find a token in a file, or write one. Nothing is written, and nothing is read of what
 * can be read only once. `made` is the path of a folder that will be made with those around it, unless it exists;
 * undefined for none.
 * @throws AppError `invalid` if it holds something else, `unavailable` if it cannot be read or written
 */
export function checkTokenFile(file: string, made?: string): void {
  try {
    const folder = dirname(behindLink(file))
    const there = statSync(file, { throwIfNoEntry: false })
    if (there?.isFIFO()) return
    if (there?.isFile() === false) throw noFile(file)
    if (there && there.size > 0) tokenIn(file)
    else if (there || existsSync(folder) || !`${made ?? ""}${sep}`.startsWith(`${folder}${sep}`))
      accessSync(there ? file : folder, constants.W_OK)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw unwritable(file, error)
  }
}

/**
 * The token in a file. If there is none, a new one is written to the file, which only its owner can read.
 * @throws AppError `invalid` if it holds something else, `unavailable` if it cannot be read or written
 */
export function tokenInOrNew(file: string, create: () => string): string {
  const text = textOf(file)
  if (text !== undefined && text !== "") return tokenIn(file)
  // A device would take the token and lose it, and it would become private.
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) throw noFile(file)
  const token = create()
  try {
    writeFileSync(file, "", { mode: 0o600 })
    // A file that exists keeps its mode, with which others may be able to read the token.
    chmodSync(file, 0o600)
    writeFileSync(file, `${token}\n`, { flush: true })
  } catch (error) {
    throw unwritable(file, error)
  }
  return token
}
