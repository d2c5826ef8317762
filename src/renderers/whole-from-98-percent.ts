/**
 * The least fraction of a total that counts as the whole: containers round, and the last frames may be
 * shorter.
 */
export const WHOLE = 0.98

/** Whether a render that reached this fraction (0 to 1) of its total has finished. */
export const isWhole = (fraction: number): boolean => fraction >= WHOLE
