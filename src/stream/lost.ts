import type { Bounds, Lost } from "../store/history.ts"

/**
 * Whether an event ID is one of those that were lost: a client that has seen it has seen an update that does
 * not exist any more.
 */
export const isLost = (eventId: number, lost: Lost | null): boolean =>
  lost !== null && eventId > lost.after && eventId <= lost.upTo

/** Whether every update after this event ID is kept, so that a client which has seen it can resume there. */
export const isKept = (eventId: number, { oldest, newest, lost }: Bounds): boolean =>
  eventId >= oldest - 1 && eventId <= newest && !isLost(eventId, lost)
