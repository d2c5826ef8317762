import { clientOf, type Command, say, takes } from "./command.ts"

/** Pauses the queue. */
export const pauseCommand: Command = {
  usage: {
    line: "pause",
    about: `Pauses the queue: workers get no more items until it is resumed, also after a restart of the server.
What is rendering goes on, and "track-studio run --item ID" still works.`,
    settings: ["server", "token-file"],
    flags: {},
  },
  async run(given) {
    takes(given, 0)
    await clientOf(given).pause()
    say("The queue is paused.")
    return 0
  },
}
