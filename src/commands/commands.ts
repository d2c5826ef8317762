import { forServing } from "../settings/environment.ts"
import type { Commands } from "./command.ts"

/** All commands of the program, in the order of the help. */
export const COMMANDS: Commands = {
  serve: {
    about: "run the server (the default)",
    load: async () => {
      forServing()
      return (await import("./serve.ts")).serveCommand
    },
  },
  add: { about: "add songs to the queue", load: async () => (await import("./add.ts")).addCommand },
  list: { about: "list the queue", load: async () => (await import("./list.ts")).listCommand },
  show: { about: "show one item", load: async () => (await import("./show.ts")).showCommand },
  watch: {
    about: "show progress live",
    load: async () => (await import("./watch.ts")).watchCommand,
  },
  logs: {
    about: "print what an item's command printed",
    load: async () => (await import("./logs.ts")).logsCommand,
  },
  open: { about: "open the page in a browser", load: async () => (await import("./open.ts")).openCommand },
  set: { about: "change an item", load: async () => (await import("./set.ts")).setCommand },
  cancel: { about: "cancel items", load: async () => (await import("./cancel.ts")).cancelCommand },
  retry: {
    about: "put finished items back into the queue",
    load: async () => (await import("./retry.ts")).retryCommand,
  },
  move: {
    about: "move a waiting item, or the database",
    load: async () => (await import("./move.ts")).moveCommand,
  },
  pause: { about: "pause the queue", load: async () => (await import("./pause.ts")).pauseCommand },
  resume: { about: "resume the queue", load: async () => (await import("./resume.ts")).resumeCommand },
  remove: { about: "remove items", load: async () => (await import("./remove.ts")).removeCommand },
  run: {
    about: "run a render and report its progress",
    load: async () => (await import("./run.ts")).runCommand,
  },
  steps: {
    about: "declare the steps of a render from its script",
    load: async () => (await import("./steps.ts")).stepsCommand,
  },
  work: {
    about: "take items from the queue and run a command for each",
    load: async () => (await import("./work.ts")).workCommand,
  },
  workers: {
    about: "list the workers, or drain one",
    load: async () => (await import("./workers.ts")).workersCommand,
  },
  backup: {
    about: "make a backup of the database",
    load: async () => (await import("./backup.ts")).backupCommand,
  },
  restore: { about: "put a backup back", load: async () => (await import("./restore.ts")).restoreCommand },
  check: {
    about: "check a database or a backup",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  compact: {
    about: "make the database file as small as it can be",
    load: async () => (await import("./compact.ts")).compactCommand,
  },
  token: {
    about: "create, list and revoke access tokens",
    load: async () => (await import("./token.ts")).tokenCommand,
  },
  kinds: {
    about: "list the kinds of items that the server knows",
    load: async () => (await import("./kinds.ts")).kindsCommand,
  },
  stats: {
    about: "show statistics of the queue and the server",
    load: async () => (await import("./stats.ts")).statsCommand,
  },
  doctor: {
    about: "find what is wrong with a proxy, or with this machine",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  completion: {
    about: "print a completion script for bash or zsh",
    load: async () => (await import("./completion.ts")).completionCommand(COMMANDS),
  },
}
