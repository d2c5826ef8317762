import { clientOf, type Command, say } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** Pauses the queue. */
export const pauseCommand: Command = {
  usage: {
    line: "pause",
    about: `Pauses the queue: workers get no more items until it is resumed, even after the server restarts.
Renders in progress continue, and "track-studio run --item ID" still works.`,
    settings: ["server", "token-file"],
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 0)
    await clientOf(given).pause()
    say("The queue is paused.")
    return 0
  },
}
