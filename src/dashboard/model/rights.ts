import type { Me } from "../../wire/answers.ts"
import { aboutTime } from "./wording.ts"

/** Something that a role may do or not. */
export type Right = Me["may"][number]

/** What the reader may do. */
export interface ReaderRights {
  /** Whether the reader may do something. */
  readonly may: (right: Right) => boolean
  /** All that the reader may do, for the document; `unknown` is in it while the server has not said. */
  readonly all: string
  /** Why the page offers less than it could; empty if it offers everything. */
  readonly why: string
}

const rights = (all: readonly Right[], why = ""): ReaderRights => ({
  may: (right) => all.includes(right),
  all: all.join(" "),
  why,
})

/**
 * The rights of a reader before the server has sent them: nothing can be changed. Without a token the page
 * keeps the places of what it is about to show, so that nothing moves when it does.
 */
export const unknownRights = (hasToken: boolean): ReaderRights =>
  hasToken ? rights([]) : { ...rights(["read", "figures"]), all: "read figures add change unknown" }

/** The rights that the server has sent. */
export const readerRights = (me: Me, nowMs: number): ReaderRights => rights(me.may, whyOf(me, nowMs))

function whyOf({ role, item, expires_at, may }: Me, nowMs: number): string {
  const until = expires_at === null ? "" : ` It works until ${aboutTime(Date.parse(expires_at), nowMs)}.`
  if (item !== null) return `View only: this link shows item ${item} and nothing else.${until}`
  if (may.includes("change")) return ""
  if (may.includes("read"))
    return `View only: your token has the role ${role}. To change the queue, use one with the role operator.`
  return `Your token has the role ${role}, which may not see the queue. Use one with the role viewer or operator.`
}
