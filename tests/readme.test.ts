import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

import { COMMANDS } from "../src/commands/commands.ts"
import { API } from "../src/http/api.ts"
import { NEEDS } from "../src/http/needed-rights.ts"
import { SERVE_SETTING_NAMES, type Setting, SETTINGS } from "../src/settings/settings.ts"

const ROOT = join(import.meta.dir, "..")
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8")

test("docs/settings.md has each setting of serve and no other, with its default", () => {
  const rows = [...read("docs/settings.md").matchAll(/^\| `--([a-z-]+)` +\| (\S+) +\|/gm)].map(
    ([, name, value = ""]) => [name, value.replaceAll("`", "")],
  )
  const settings = SERVE_SETTING_NAMES.map((name) => {
    const { fallback, placeholder }: Setting = SETTINGS[name]
    return [name, fallback || (placeholder === undefined ? "no" : "none")]
  })
  expect(rows.toSorted()).toEqual(settings.toSorted())
})

test("the README names every command", () => {
  const text = read("README.md")
  for (const name of Object.keys(COMMANDS)) expect(text).toMatch(new RegExp(`\`(track-studio )?${name}\\b`))
})

test("docs/api.md, or docs/workers.md for workers, has a row for every route of the API", () => {
  const calls = ["docs/api.md", "docs/workers.md"].flatMap((file) =>
    [...read(file).matchAll(/^\| (`(?:GET|POST|PUT|DELETE)\b[^|]*) \|/gm)].map(([, call = ""]) => call),
  )
  // A row may name several routes: `POST /queue/:id/complete`, `/fail`.
  const isNamed = (method: string, path: string): boolean =>
    calls.some(
      (call) =>
        call.includes(method) &&
        ([`${path}\``, `${path}?`].some((end) => call.includes(end)) ||
          (call.includes(dirname(path)) && call.includes(`\`/${basename(path)}\``))),
    )
  const routes = Object.keys(NEEDS).filter((route) => route.includes(` ${API}/`))
  const unnamed = routes.filter((route) => {
    const [method = "", path = ""] = route
      .replace(API, "")
      .replace(":renderer", "ffmpeg")
      .replace(/\/$/, "")
      .split(" ")
    return !isNamed(method, path)
  })
  expect([calls.length > 25, routes.length > 35, unnamed]).toEqual([true, true, []])
})

/** What an archive of a release has of this repository (scripts/release.sh). */
const RELEASED = /^(?:(?:packaging|docs|examples)\/|LICENSE$|[^/]+\.md$)/

test("every file that a document links to is there, also in the archive of a release", () => {
  for (const file of [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...new Bun.Glob("docs/*.md").scanSync(ROOT),
  ]) {
    const links = [...read(file).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, link = ""]) => link)
    for (const link of links)
      expect([
        file,
        link,
        Bun.file(join(ROOT, file, "..", link)).size > 0,
        RELEASED.test(join(file, "..", link)),
      ]).toEqual([file, link, true, true])
  }
})

test("every line of docs/reliability.md names the files of its tests", () => {
  const rows = read("docs/reliability.md")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (-|what was done)/.test(line))
  expect(rows.length).toBeGreaterThan(20)
  for (const row of rows) {
    const names = /\| ((`[^`]+`(, )?)+) +\|$/.exec(row)?.[1]?.match(/[^`, ]+/g) ?? []
    expect([row, names.length]).not.toEqual([row, 0])
    for (const name of names)
      expect([name, /^tests\/.*\.test\.ts$/.test(name) && Bun.file(join(ROOT, name)).size > 0]).toEqual([
        name,
        true,
      ])
  }
})

test("every place that the map of the architecture names is there", () => {
  const places = [...read("docs/ARCHITECTURE.md").matchAll(/`(src\/[\w/.-]+|tests\/[\w/.-]*)`/g)].map(
    ([, place = ""]) => place,
  )
  expect(places.length).toBeGreaterThan(20)
  const files = [...new Bun.Glob("{src,tests}/**/*").scanSync(ROOT)]
  expect(places.filter((place) => !files.some((file) => file.startsWith(place)))).toEqual([])
})
