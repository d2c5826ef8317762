import type { WorkerSeen } from "../../wire/answers.ts"

export type { WorkerSeen }

/** Who works, as far as it is known. */
export interface Crew {
  /** Whether the server has said who works. */
  readonly isKnown: boolean
  /** The workers, by name. */
  readonly workers: readonly WorkerSeen[]
  /** What they offer, as one text that differs where that does. */
  readonly offers: string
  /** Those of an item's tags that keep every worker from it; none where one may take it, or nobody is known. */
  readonly missing: (tags: readonly string[]) => readonly string[]
}

/** The workers as the server lists them. */
export function crewOf(workers: readonly WorkerSeen[]): Crew {
  const offered = workers.flatMap(({ tags, draining }) => (tags && !draining ? [new Set(tags)] : []))
  return {
    isKnown: true,
    workers,
    offers: JSON.stringify(offered.map((tags) => [...tags].sort())),
    missing(tags) {
      if (offered.length === 0) return []
      const missing = offered.map((offer) => tags.filter((tag) => !offer.has(tag)))
      // Of the worker that lacks the least.
      return missing.reduce((least, some) => (some.length < least.length ? some : least))
    },
  }
}

/** Nobody knows who works. */
export const UNKNOWN_CREW: Crew = { ...crewOf([]), isKnown: false }
