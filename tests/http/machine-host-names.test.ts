import { expect, test } from "bun:test"

import { ownNames } from "../../src/http/machine-host-names.ts"

/** The names of a machine with this name and these files. */
const namesOf = (name: string, files: Readonly<Record<string, string>>): string[] =>
  [
    ...ownNames(name, (path) => {
      const text = files[path]
      if (text === undefined) throw new Error(`there is no ${path}`)
      return text
    }),
  ].sort()

test("a machine has its own name, that with .local, and that with each domain in which it searches", () => {
  const files = {
    "/etc/resolv.conf":
      "# domain no.example\n domain\tLAN # search no\nsearch a.example b.example\nnameserver 10.0.0.1\n",
  }
  expect(namesOf("Box", files)).toEqual(["box", "box.a.example", "box.b.example", "box.lan", "box.local"])
})

test("a machine has the names beside its own in /etc/hosts, in full or short, and no others", () => {
  const hosts = "127.0.0.1 localhost\n127.0.1.1 Box.example render\n10.0.0.2 other\n10.0.0.7 box nas # disk\n"
  const own = ["box", "box.example", "box.local"]
  expect(namesOf("box.example", { "/etc/hosts": hosts })).toEqual([...own, "nas", "render"])
  expect(namesOf("box.example", {})).toEqual(["box.example", "box.local"])
})
