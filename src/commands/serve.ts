import { config } from "../config/config.ts"
import { SERVE_SETTING_NAMES } from "../config/settings.ts"
import { serve } from "../serve/serve.ts"
import type { Command } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** Runs the server. */
export const serveCommand: Command = {
  usage: {
    line: "serve",
    about: "Runs the server until interrupted.",
    settings: SERVE_SETTING_NAMES,
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 0)
    await serve(config(given.flags))
    return 0
  },
}
