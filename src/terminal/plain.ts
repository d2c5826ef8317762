import type { ProgressUpdate } from "../item/item.ts"
import { printable } from "../text.ts"
import type { Control } from "../wire/frames.ts"

/** One update as a line for people: time, item, status, share, step and message. */
export function readable(update: ProgressUpdate): string {
  const { queue_id, status, progress, current_step, message, error_message, title, timestamp } = update
  const name = title === undefined ? `#${queue_id}` : `#${queue_id} ${title}`
  const said = [current_step, message, error_message].filter((part) => part !== undefined && part !== "")
  const share = `${progress}%`.padStart(4)
  return printable(
    `${timestamp.slice(11, 19)} ${name}  ${status.padEnd(10)} ${share}  ${said.join(" - ")}`,
  ).trimEnd()
}

/** A control frame as a line for people. */
export function readableControl(control: Control): string {
  switch (control.event) {
    case "live":
      return `# live after update ${control.last_event_id}`
    case "gap":
      return `# gap: ${control.missed ?? "some"} updates left out (${control.reason}); what follows is the state now`
    case "end":
      return `# ${control.status}, the end`
    case "shutdown":
      return "# the server is going away"
    case "watching":
      return `# watching ${control.ids.length === 0 ? "nothing" : control.ids.join(", ")}`
    case "refused":
      return `# ${printable(control.error)}`
  }
}
