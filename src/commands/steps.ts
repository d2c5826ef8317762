import { AppError } from "../errors.ts"
import { itemInHand } from "../settings/environment.ts"
import { counted } from "../text.ts"
import { clientOf, type Command, say } from "./command.ts"

/** Declares the steps of the attempt in whose script it is called. */
export const stepsCommand: Command = {
  usage: {
    line: "steps NAME [NAME...]",
    about: `Declares the steps of a render, in a script that "work" or "run" has started. Each later
"track-studio run" in the script takes the first step that has not begun, and fills its part of the
item's progress; all steps count equally.`,
    settings: ["server", "token-file"],
    flags: {},
  },
  async run(given) {
    const { words } = given
    if (words.length === 0) throw new AppError("invalid", "missing NAME; name at least one step")
    const held = itemInHand()
    if (!held) {
      throw new AppError(
        "unavailable",
        'steps belongs in a script that "track-studio work" or "track-studio run" has started: no lease is in the environment',
      )
    }
    await clientOf(given).declareSteps(held, words)
    say(`queue item ${held.id}: ${counted(words.length, "step")}`)
    return 0
  },
}
