import { isRefusal } from "../errors.ts"
import { tokenOf } from "../item/lease-token.ts"
import type { Change } from "../item/stored.ts"

/**
 * How often a claim is answered again. Each time its lease is renewed, and no other worker may have the item: a client
 * that no answer ever reaches must not keep it.
 */
const MOST_REPETITIONS = 5

/** What a claim got, as it is kept under its key. */
export interface KeptClaim {
  /** The ID of the item. */
  readonly id: number
  /** The token of the lease. */
  readonly token: string
  /** How often the claim was answered again. */
  readonly repetitions: number
}

/** What is kept of a claim that is answered for the first time. */
export const firstAnswer = ({ item, work }: Change): KeptClaim => ({
  id: item.id,
  token: tokenOf(work),
  repetitions: 0,
})

/** What is kept of a claim that is answered once more. */
export const nextAnswer = (kept: KeptClaim): KeptClaim => ({ ...kept, repetitions: kept.repetitions + 1 })

/** What is kept under a key, from its text; undefined if there is nothing, or it was answered often enough. */
export function keptClaim(answer: string | undefined): KeptClaim | undefined {
  if (answer === undefined) return undefined
  const kept: KeptClaim = JSON.parse(answer)
  return kept.repetitions < MOST_REPETITIONS ? kept : undefined
}

/** The result of a decision on the item of an earlier claim; undefined if its lease is no longer held. */
export function ifStillHeld<T>(decide: () => T): T | undefined {
  try {
    return decide()
  } catch (error) {
    if (isRefusal(error, "lease_lost") || isRefusal(error, "gone") || isRefusal(error, "not_found"))
      return undefined
    throw error
  }
}
