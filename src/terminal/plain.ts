import type { ProgressUpdate } from "../item/item.ts"
import { printable } from "../text.ts"
import type { Control } from "../wire/frames.ts"
import { leftOut, UTC, type Zone } from "./words.ts"

/** One update as a line for people: time, item, status, percent done, step and message. Times are UTC by default. */
export function readable(update: ProgressUpdate, zone: Zone = UTC): string {
  const { queue_id, status, progress, current_step, message, error_message, title, timestamp } = update
  const name = title === undefined ? `#${queue_id}` : `#${queue_id} ${title}`
  const said = [current_step, message, error_message].filter((part) => part !== undefined && part !== "")
  const done = `${progress}%`.padStart(4)
  const time = zone.clock(Date.parse(timestamp))
  return printable(`${time} ${name}  ${status.padEnd(10)} ${done}  ${said.join(" - ")}`).trimEnd()
}

/** A control frame as a line for people. */
export function readableControl(control: Control): string {
  switch (control.event) {
    case "live":
      return `# live after update ${control.last_event_id}`
    case "gap":
      return `# gap: ${leftOut(control)}; the current state follows`
    case "end":
      return `# ${control.status}`
    case "busy":
      return `# busy: ${control.error}`
    case "shutdown":
      return "# the server is shutting down"
    case "watching":
      return `# watching ${control.ids.length === 0 ? "nothing" : control.ids.join(", ")}`
    case "refused":
      return `# ${printable(control.error)}`
  }
}
