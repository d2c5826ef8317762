import type { Work } from "./stored.ts"

/** What is stored of the leases that an item had. */
export type Token = Pick<Work, "lease_token">

/** What stands before the stored token of a lease that was revoked. The token that its worker has does not fit then. */
export const REVOKED = "revoked "

/** What stands before the stored token of a lease that ran out. */
export const RAN_OUT = "ran out "

/**
 * What stands between the stored token of a lease and two others: that of the revoked lease before it, whose worker may
 * have been offline and must still learn that it has to stop, and the one that its worker showed to go on with a render.
 */
const AFTER = " after "

/** The tokens in what is stored; each is empty if it is not known. */
function partsOf({ lease_token }: Token) {
  const stored = lease_token ?? ""
  const start = [REVOKED, RAN_OUT].find((word) => stored.startsWith(word)) ?? ""
  const [own = "", revoked = "", former = ""] = stored.slice(start.length).split(AFTER, 3)
  return { start, own, revoked: start === REVOKED ? own : revoked, former }
}

/** What is stored of a lease with this token; `before` is what was stored before it, `former` what its worker showed. */
export function storedToken(token: string, before: Token, former = ""): string {
  const others = [partsOf(before).revoked, former]
  while (others.at(-1) === "") others.pop()
  return [token, ...others].join(AFTER)
}

/** Whether a lease was revoked, if there is one. An older version left no token then. */
export const isRevoked = ({ lease_token }: Token): boolean => lease_token?.startsWith(REVOKED) ?? true

/** The token of the item's last lease, as its worker has it; empty if there is none, or if the lease ran out. */
export function tokenOf(work: Token): string {
  const { start, own } = partsOf(work)
  return start === RAN_OUT ? "" : own
}

/** Whether this is the token of the last lease that was revoked. */
export const isRevokedToken = (work: Token, token: string): boolean =>
  token !== "" && partsOf(work).revoked === token

/** Whether a worker shows the token of the item's last lease, or of the last one that was revoked. */
export const isLastOrRevokedToken = (work: Token, token: string): boolean =>
  token !== "" && (tokenOf(work) === token || isRevokedToken(work, token))

/** Whether a worker shows the token of the item's last lease, and that was not revoked. */
export const isOfLast = (work: Token, token: string): boolean => tokenOf(work) === token && !isRevoked(work)

/**
 * Whether a worker was only cut off: its lease ran out, and no worker has had the item since, except perhaps this one, by
 * a claim whose answer was lost.
 */
export function isCutOff(work: Token, token: string): boolean {
  const { start, own, former } = partsOf(work)
  return token !== "" && start === RAN_OUT && (own === token || former === token)
}

/** The token of the item's last lease if that one ran out; undefined if it did not. */
export function tokenThatRanOut(work: Token): string | undefined {
  const { start, own } = partsOf(work)
  return start === RAN_OUT ? own : undefined
}

/** Whether a lease was claimed by the worker that had lost the one with the token `former`. */
export const isAfter = (work: Token, former: string | undefined): boolean =>
  former !== undefined && former !== "" && partsOf(work).former === former

/** What remains of an item's leases when it begins again: only the one that was revoked last. */
export function onlyRevoked(work: Token): Token {
  const { revoked } = partsOf(work)
  return { lease_token: revoked === "" ? null : REVOKED + revoked }
}

/** What remains of an item's leases when the last one runs out, or is taken back because it was revoked. */
export const afterRunningOut = (work: Token): Token =>
  isRevoked(work) ? onlyRevoked(work) : { lease_token: `${RAN_OUT}${work.lease_token}` }
