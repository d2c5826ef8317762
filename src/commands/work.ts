import type { Command } from "./command.ts"
export const workCommand: Command = {
  usage: { line: "work", about: "", settings: [], flags: {} },
  run: async () => 0,
}
