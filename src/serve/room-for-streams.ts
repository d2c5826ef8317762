import { AppError } from "../errors.ts"
import { FEW, FOR_STREAMS, mayOpen, mostDescriptors } from "../machine/machine.ts"

/** A server that may open fewer files than this would refuse requests from its start on. */
const LEAST_TO_OPEN = 20

/** How many descriptors the server itself needs. */
const OWN_DESCRIPTORS = 30

/**
 * How many streams may be open, at least one; 0 if there is no limit. `most` is what the configuration says, 0 for no
 * limit. Some of the file descriptors must be left for requests and the database; undefined if their number is unknown.
 */
export function roomForStreams(most: number, descriptors: number | undefined): number {
  if (most === 0 || descriptors === undefined) return most
  // Requests are refused when few descriptors are left. Streams alone must not cause that.
  const before = (1 - FEW) * descriptors - OWN_DESCRIPTORS
  return Math.max(1, Math.floor(Math.min(most, FOR_STREAMS * descriptors, before)))
}

/** @throws AppError `unavailable` if this process may open so few files that it could serve nobody */
export function checkDescriptors(): void {
  if (mayOpen(LEAST_TO_OPEN)) return
  throw new AppError(
    "unavailable",
    `this process may have at most ${mostDescriptors() ?? "a few"} files open, too few to serve anybody; raise the limit (ulimit -n 1024, or LimitNOFILE=) and start again`,
  )
}
