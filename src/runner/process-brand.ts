import { readFileSync } from "node:fs"

import { withLockLimit } from "../machine/libc.ts"

/** A brand has this many digits. Two of them fit into the limit. */
const DIGITS = 9
const LEAST = 10n ** BigInt(DIGITS - 1)

/** The form of a mark: the mark of a guard, and the number of its command. */
export const MARK = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[1-9][0-9]*\.$/

/** The number with which a command is branded that has this mark. */
export const brandOf = (mark: string): bigint =>
  LEAST + (new Bun.CryptoHasher("sha256").update(mark).digest().readBigUInt64BE() % (9n * LEAST))

/**
 * The limit for a command with this mark, if we have this limit ourselves. Inside of another command, the brand of the
 * outermost one stays in front, so that what is left of the inner one is found when the outer one is ended.
 */
function limitOf(mark: string, ownLimit: bigint): bigint {
  const own = String(ownLimit)
  const isBranded = own.length === DIGITS || own.length === 2 * DIGITS
  return BigInt(`${isBranded ? own.slice(0, DIGITS) : ""}${brandOf(mark)}`)
}

/**
 * Starts a process with a brand. Everything that it starts has the same brand, even if it takes another
 * session or changes its environment, its files or its parent. If the system does not allow it, the process
 * starts without a brand.
 *
 * The brand is the limit of file locks. The kernel passes it on with every fork, keeps it over every exec,
 * and shows it in /proc/PID/limits. The limit has had no effect since Linux 2.4.
 */
export const branded = <T>(mark: string, start: () => T): T =>
  withLockLimit((own) => limitOf(mark, own), start)

/** Whether a process has a brand. @throws Error if the process has ended */
export const hasBrand = (pid: number, brand: bigint): boolean =>
  new RegExp(`^Max file locks +\\d*${brand}\\d* `, "m").test(readFileSync(`/proc/${pid}/limits`, "latin1"))
