import { clientOf, type Command, say } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** Resumes the queue. */
export const resumeCommand: Command = {
  usage: {
    line: "resume",
    about: "Resumes the queue: workers get items again.",
    settings: ["server", "token-file"],
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 0)
    await clientOf(given).resume()
    say("The queue is resumed.")
    return 0
  },
}
