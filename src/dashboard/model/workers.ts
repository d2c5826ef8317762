import { missingTags, offersOf } from "../../item/missing-tags.ts"
import type { WorkerSeen } from "../../wire/answers.ts"

export type { WorkerSeen }

/** The workers, as far as the page knows them. */
export interface ListedWorkers {
  /** Whether the server has listed the workers. */
  readonly isKnown: boolean
  /** The workers, by name. */
  readonly workers: readonly WorkerSeen[]
  /** The tags that they offer, as one text. Two texts differ if the tags do. */
  readonly offers: string
  /**
   * The tags of an item that no worker offers; empty if a worker may take the item, or no worker is known.
   */
  readonly missing: (tags: readonly string[]) => readonly string[]
}

/** The workers as the server lists them. */
export function knownWorkers(workers: readonly WorkerSeen[]): ListedWorkers {
  const offers = offersOf(workers)
  return {
    isKnown: true,
    workers,
    offers: JSON.stringify(offers),
    missing: (tags) => missingTags(tags, offers),
  }
}

/** No worker is known yet. */
export const UNKNOWN_WORKERS: ListedWorkers = { ...knownWorkers([]), isKnown: false }
