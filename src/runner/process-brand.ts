import { readFileSync } from "node:fs"

import { withLockLimit } from "../machine/libc.ts"

/** Two bits stay free, because the kernel takes the highest numbers for "unlimited". */
const SPARE_BITS = 2n

/** The form of a mark: the mark of a guard, and the number of its command. */
export const MARK = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[1-9][0-9]*\.$/

/** The number with which a command is branded that has this mark. */
export const brandOf = (mark: string): bigint =>
  new Bun.CryptoHasher("sha256").update(mark).digest().readBigUInt64BE() >> SPARE_BITS

/**
 * Starts a process with a brand. Everything that it starts has the same brand, even if it takes another
 * session or changes its environment, its files or its parent. If the system does not allow it, the process
 * starts without a brand.
 *
 * The brand is the limit of file locks. The kernel passes it on with every fork, keeps it over every exec,
 * and shows it in /proc/PID/limits. The limit has had no effect since Linux 2.4.
 */
export const branded = <T>(mark: string, start: () => T): T => withLockLimit(brandOf(mark), start)

/** Whether a process has a brand. @throws Error if the process has ended */
export const hasBrand = (pid: number, brand: bigint): boolean =>
  new RegExp(`^Max file locks +${brand} `, "m").test(readFileSync(`/proc/${pid}/limits`, "latin1"))
