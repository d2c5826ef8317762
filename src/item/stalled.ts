import { later, type Moment } from "./moment.ts"
import { UNFORESEEN } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import type { Change, Stored } from "./stored.ts"

/**
 * The item has not moved for as long as `RescueAndStall` allows. It is marked, not stopped; how long it will take is unknown
 * from now on.
 */
export const stalled = ({ item, work }: Stored, moment: Moment): Change => ({
  item: {
    ...item,
    ...UNFORESEEN,
    time_progress: item.time_progress,
    stalled: true,
    stalled_since: later(moment, work.moved_at - moment.steadyMs),
    eta_seconds: null,
    message: OWN_MESSAGES.stalled,
    updated_at: moment.time,
  },
  work,
})
