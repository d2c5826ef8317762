/** What is known of a worker's offer. */
interface Offering {
  /** The tags that the worker offers; null if they are not known. */
  readonly tags: readonly string[] | null
  /** Whether it takes no more items. */
  readonly draining: boolean
  /** `away` for one that is not there. */
  readonly state: string
}

/**
 * The tags of each worker that is present and takes items; none while the tags of one that renders are not
 * known, because it may offer any tag.
 */
export function offersOf(workers: readonly Offering[]): readonly (readonly string[])[] {
  const taking = workers.filter(({ draining, state }) => !draining && state !== "away")
  // A worker says its tags when it asks for its next item, so after a restart of the server that is after its render.
  if (taking.some(({ tags, state }) => tags === null && state === "rendering")) return []
  return taking.flatMap(({ tags }) => (tags ? [tags] : []))
}

/**
 * The tags of an item that keep every worker from it, of the worker that lacks the fewest; none if a worker
 * may take the item, or if no offer is known. `offers` are the tags of each worker.
 */
export function missingTags(
  tags: readonly string[],
  offers: readonly (readonly string[])[],
): readonly string[] {
  if (tags.length === 0 || offers.length === 0) return []
  const missing = offers.map((offer) => tags.filter((tag) => !offer.includes(tag)))
  return missing.reduce((least, some) => (some.length < least.length ? some : least))
}
