import type { Bounds, Lost } from "../store/contract/history.ts"

/**
 * Whether the update with this event ID was among those that were lost when an older database was restored.
 */
export const isLost = (eventId: number, lost: Lost | null): boolean =>
  lost !== null && eventId > lost.after && eventId <= lost.upTo

/**
 * Whether every update after this event ID is stored, so that a client with this last event ID can resume.
 */
export const isKept = (eventId: number, { oldest, newest, lost }: Bounds): boolean =>
  eventId >= oldest - 1 && eventId <= newest && !isLost(eventId, lost)
