import { expect, test } from "bun:test"

import { claim } from "../worker.ts"
import { opening, page } from "./opening.ts"

const here = opening()

interface Heard {
  readonly role?: { readonly value?: string }
  readonly name?: { readonly value?: string }
}

page("for ears", () => {
  test("the name of a worker is one word in the strip and in its lane, and axe does not object", async () => {
    await here.server.add({ song_id: 1 })
    await claim(here.server, { worker: "gpu-box-1" })
    // Nobody knows who renders this one.
    await here.server.put(await here.server.add({ song_id: 2 }), { status: "processing" })
    const tab = await here.open("/", { bypassPolicy: true })
    await tab.until(`document.querySelector(".worker") && document.querySelectorAll(".lane").length === 2`)
    const { nodes }: { nodes?: readonly Heard[] } = await tab.send("Accessibility.getFullAXTree")
    const named = (role: string): string[] =>
      (nodes ?? []).flatMap(({ role: its, name }) => (its?.value === role ? [name?.value ?? ""] : []))
    expect(named("button").filter((name) => name.startsWith("gp"))).toEqual(["gpu-box-1 #1 0%"])
    expect(named("image").filter((name) => name.startsWith("gp"))).toContain("gpu-box-1")
    expect(await tab.objections()).toEqual([])
  })
})
