import { serve } from "../serve/serve.ts"
import { serveSettings } from "../settings/read-settings.ts"
import { SERVE_SETTING_NAMES } from "../settings/settings.ts"
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
    await serve(serveSettings(given.flags))
    return 0
  },
}
