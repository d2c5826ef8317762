import { duration, safeJson } from "../text.ts"
import { clientOf, type Command, say, takes } from "./command.ts"

/** Shows the server's figures. */
export const statsCommand: Command = {
  usage: {
    line: "stats",
    about:
      "Shows how many streams are open, how many updates are kept, and for how long the server has been up.",
    settings: ["server", "token-file"],
    flags: { json: { type: "boolean", help: "print the figures as JSON" } },
  },
  async run(given) {
    takes(given, 0)
    const stats = await clientOf(given).stats()
    if (given.flags["json"]) {
      say(safeJson(stats))
      return 0
    }
    const { streams, updates } = stats
    const number = (value: number): string => value.toLocaleString("en")
    say(`streams  ${number(streams.global)} of all items, ${number(streams.item)} of one item`)
    say(`updates  ${number(updates.stored)} kept, newest ${updates.newest_id ?? "none"}`)
    say(`uptime   ${duration(stats.uptime_seconds)}`)
    return 0
  },
}
