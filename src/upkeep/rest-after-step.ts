const REST = 4
const MIN_REST_MS = 5

/**
 * How long the upkeep pauses after a step that took `tookMs`, in milliseconds: several times as long as the
 * step, so that writers and streams hardly notice it.
 */
export const restMs = (tookMs: number): number => Math.max(MIN_REST_MS, REST * tookMs)
