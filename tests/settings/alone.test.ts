import { expect, test } from "bun:test"

import { COMMANDS } from "../../src/commands/commands.ts"
import { readArguments } from "../../src/commands/usage.ts"
import { type Given, serveSettings } from "../../src/settings/read-settings.ts"

/** What a command says about its arguments, before it does anything. */
async function said(name: string, argv: readonly string[]): Promise<unknown> {
  const command = await COMMANDS[name]?.load()
  if (!command) throw new Error(`there is no command ${name}`)
  return command.run(readArguments(command.usage, argv)).then(
    () => "nothing",
    (error: unknown) => error,
  )
}

const given: readonly (readonly [Given, Record<string, string>, RegExp])[] = [
  [
    { "backup-every": "12h" },
    {},
    /^--backup-every .* has no effect without --backup-dir .*TRACK_STUDIO_BACKUP_DIR/,
  ],
  [{ "backup-keep": "3" }, {}, /^--backup-keep .* without --backup-dir/],
  [{ "backup-keep": "3", "backup-dir": "" }, {}, /^--backup-keep .* without --backup-dir/],
  [{ "webhook-secret": "secret" }, {}, /^--webhook-secret .* without --webhook /],
  [
    {},
    { TRACK_STUDIO_BACKUP_EVERY: "12h" },
    /\(or TRACK_STUDIO_BACKUP_EVERY\) has no effect without --backup-dir/,
  ],
  [{}, { TRACK_STUDIO_WEBHOOK_SECRET: "secret" }, /TRACK_STUDIO_WEBHOOK_SECRET.* without --webhook /],
]

test.each(given)("a setting that has no effect on its own is refused: %j %j", (flags, env, message) => {
  expect(() => serveSettings(flags, env)).toThrow(message)
})

test("a setting is accepted beside the one that it needs, from whichever source, and so is one that is turned off", () => {
  const dir = { TRACK_STUDIO_BACKUP_DIR: "/backups" }
  expect(serveSettings({ "backup-every": "12h" }, dir)).toMatchObject({
    backupEvery: 43_200_000,
    backupDir: "/backups",
  })
  expect(
    serveSettings({ webhook: ["http://a.example/"] }, { TRACK_STUDIO_WEBHOOK_SECRET: "s" }).webhookSecret,
  ).toBe("s")
  expect(serveSettings({ "backup-every": "0" }, { TRACK_STUDIO_WEBHOOK_SECRET: "" }).backupEvery).toBe(0)
})

test.each([
  [
    "token",
    ["list", "--role", "viewer"],
    "--role belongs to token create, and has no effect with token list",
  ],
  ["token", ["create", "--role", "viewer", "--and-leases"], "--and-leases belongs to token revoke"],
  ["token", ["revoke", "1", "--expires", "1d"], "--expires belongs to token create"],
  ["doctor", ["--idle", "20"], "--idle needs a URL"],
  ["check", ["backup.db", "--database", "queue.db"], "use either FILE or --database"],
  ["move", ["--from", "a.db", "--to", "postgres://host/b", "--before", "3"], "--before moves an item"],
  ["run", ["--title", "Song", "--item", "3", "--", "true"], "--title needs --song"],
  ["run", ["--step-name", "Cut", "--item", "3", "--", "true"], "--step-name needs --step"],
  ["watch", ["--until", "finished"], "--until finished needs the ID of an item"],
  [
    "serve",
    ["--port", "0", "--database", "postgres://127.0.0.1:1/x", "--new-database"],
    "--new-database is for a SQLite file",
  ],
] as const)("%s %j is wrong usage: a flag would have no effect", async (name, argv, message) => {
  const error = await said(name, argv)
  expect(error).toMatchObject({ code: "invalid" })
  expect(String(error)).toContain(message)
})
