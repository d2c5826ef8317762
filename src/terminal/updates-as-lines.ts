import { causeOf } from "../failure-cause.ts"
import type { ProgressUpdate } from "../item/item.ts"
import { isRoutine } from "../item/own-messages.ts"
import { countIn, isGuess, isPace, leftIn, paceWords, shownOf } from "../item/progress-words.ts"
import { endOrStatus } from "../item/state-in-one-word.ts"
import { printable, SHUTTING_DOWN } from "../text.ts"
import type { Control } from "../wire/frames.ts"
import { UTC, type Zone } from "./times-of-day.ts"
import { countAndSpoken, gapOf, leftWithEnd } from "./words.ts"

/** The message, with a renderer's own figures in the notation in which the others are. */
function messageOf(update: ProgressUpdate): string {
  const { message, media, unit } = update
  if (isPace(message, media)) return paceWords(media).join(", ")
  return countIn(message, unit) === "only" ? countAndSpoken(update)[0] : message
}

/**
 * One update as a line for people: time, item, status, percent done, time left, step and message. Times are UTC by
 * default.
 */
export function readable(update: ProgressUpdate, zone: Zone = UTC): string {
  const { queue_id, current_step, message, error_message, title, timestamp } = update
  const name = title === undefined ? `#${queue_id}` : `#${queue_id} ${title}`
  const isSpoken = (part: string | undefined): part is string => part !== undefined && part !== ""
  // A message of the server's own adds nothing to a step or an error.
  const spoken =
    isRoutine(message) && (isSpoken(current_step) || isSpoken(error_message)) ? "" : messageOf(update)
  const cause = isSpoken(error_message) ? causeOf(error_message) : undefined
  const said = [current_step, spoken, cause].filter(isSpoken)
  const done = isGuess(update) ? `about ${shownOf(update)}%` : `${shownOf(update)}%`.padStart(4)
  const toldMs = Date.parse(timestamp)
  const left = leftIn(update, 0)
  const time = left ? `  ${leftWithEnd(left, toldMs, zone)}` : ""
  return printable(
    `${zone.clock(toldMs)} ${name}  ${endOrStatus(update).padEnd(10)} ${done}${time}  ${said.join(" - ")}`,
  ).trimEnd()
}

/** What follows a gap, by its reason, if it is not the whole current state. */
const AFTER_GAP: Readonly<Record<string, string | undefined>> = {
  slow: "the latest update of each item that changed follows",
  unreadable: "what can be read follows",
}

/** A control frame as a line for people. */
export function readableControl(control: Control): string {
  switch (control.event) {
    case "live":
      return `# live after update ${control.last_event_id}`
    case "gap":
      return `# gap: ${gapOf(control)}; ${AFTER_GAP[control.reason] ?? "the current state follows"}`
    case "end":
      return `# ${control.outcome ?? control.status}`
    case "busy":
      return `# busy: ${control.error}`
    case "queue":
      return control.paused_at === null
        ? "# the queue is resumed"
        : "# the queue is paused: workers get no more items"
    case "shutdown":
      return `# ${SHUTTING_DOWN}`
    case "watching":
      return `# watching ${control.ids.length === 0 ? "nothing" : control.ids.join(", ")}`
    case "refused":
      return `# ${printable(control.error)}`
  }
}
