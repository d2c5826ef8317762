import type { Bounds, Lost } from "../store/contract/history.ts"

/** Whether the update with this event ID was lost, with others, when an older database was put back. */
export const isLost = (eventId: number, lost: Lost | null): boolean =>
  lost !== null && eventId > lost.after && eventId <= lost.upTo

/** Whether every update after this event ID is kept, so that a client whose last event ID it is can resume. */
export const isKept = (eventId: number, { oldest, newest, lost }: Bounds): boolean =>
  eventId >= oldest - 1 && eventId <= newest && !isLost(eventId, lost)
