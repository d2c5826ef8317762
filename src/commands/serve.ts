import { config, SERVE_SETTINGS } from "../config.ts"
import { serve } from "../serve.ts"
import { type Command, takes } from "./command.ts"

/** Runs the server. */
export const serveCommand: Command = {
  usage: {
    line: "serve",
    about: "Holds the queue and shows its progress, until it is told to stop.",
    settings: SERVE_SETTINGS,
    flags: {},
  },
  async run(given) {
    takes(given, 0)
    await serve(config(given.flags))
    return 0
  },
}
