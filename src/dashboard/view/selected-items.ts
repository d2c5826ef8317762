/** The IDs of the items that the reader has selected; their rows come and go. */
export const selected = new Set<number>()
