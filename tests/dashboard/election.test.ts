import { afterEach, describe, expect, jest, test } from "bun:test"

import { Election, type Said } from "../../src/dashboard/live/election.ts"

afterEach(() => {
  jest.useRealTimers()
})

/** Tabs that hear each other at once, unless they are deaf. */
class Tabs {
  readonly all = new Map<string, { election: Election; deaf: boolean; visible: boolean; leads: boolean }>()

  open(name: string, visible = true): Election {
    const role = {
      lead: () => this.#set(name, true),
      resign: () => this.#set(name, false),
    }
    // The first word is said while the election is being made.
    const waiting: Said[] = []
    let say = (said: Said): void => void waiting.push(said)
    const election = new Election(name, (said) => say(said), role)
    this.all.set(name, { election, deaf: false, visible, leads: false })
    say = (said) => this.#tell(name, said)
    for (const said of waiting) say(said)
    return election
  }

  #set(name: string, leads: boolean): void {
    const tab = this.all.get(name)
    if (tab) tab.leads = leads
  }

  #tell(from: string, said: Said): void {
    if (this.all.get(from)?.deaf) return
    for (const [name, { election, deaf, visible }] of this.all)
      if (name !== from && !deaf) election.hear(said, visible)
  }

  pass(seconds: number): void {
    for (let i = 0; i < seconds * 2; i += 1) {
      jest.advanceTimersByTime(500)
      for (const { election, visible, deaf } of this.all.values()) if (!deaf) election.tick(visible)
    }
  }

  get leaders(): string[] {
    return [...this.all].filter(([, { leads }]) => leads).map(([name]) => name)
  }
}

describe("the election of a leading tab", () => {
  const begin = (): Tabs => {
    jest.useFakeTimers()
    return new Tabs()
  }

  test("a single tab leads within a second", () => {
    const tabs = begin()
    tabs.open("a")
    tabs.pass(1)
    expect(tabs.leaders).toEqual(["a"])
  })

  test("a tab that comes later follows", () => {
    const tabs = begin()
    tabs.open("a")
    tabs.pass(1)
    tabs.open("z")
    tabs.pass(20)
    expect(tabs.leaders).toEqual(["a"])
  })

  test("tabs that stand at the same time agree on one", () => {
    const tabs = begin()
    for (const name of ["b", "c", "a"]) tabs.open(name)
    for (const tab of tabs.all.values()) tab.deaf = true
    for (const { election } of tabs.all.values()) election.stand()
    for (const tab of tabs.all.values()) tab.deaf = false
    tabs.pass(3)
    expect(tabs.leaders).toEqual(["c"])
  })

  test("when the leader says goodbye, another one follows at once", () => {
    const tabs = begin()
    const first = tabs.open("a")
    tabs.pass(1)
    tabs.open("b")
    tabs.open("c", false)
    tabs.pass(2)
    first.resign()
    tabs.all.delete("a")
    tabs.pass(1)
    expect(tabs.leaders).toEqual(["b"])
  })

  test("a leader that falls silent is replaced, and gives way when it wakes up", () => {
    const tabs = begin()
    tabs.open("z")
    tabs.pass(1)
    tabs.open("a")
    tabs.pass(2)
    const frozen = tabs.all.get("z")
    if (frozen) frozen.deaf = true
    tabs.pass(8)
    expect(tabs.leaders.sort()).toEqual(["a", "z"])
    if (frozen) frozen.deaf = false
    tabs.pass(3)
    expect(tabs.leaders).toEqual(["a"])
  })

  test("hidden tabs wait much longer for a leader", () => {
    const tabs = begin()
    tabs.open("a")
    tabs.pass(1)
    tabs.open("b", false)
    tabs.pass(2)
    tabs.all.delete("a")
    tabs.pass(60)
    expect(tabs.leaders).toEqual([])
    tabs.pass(60)
    expect(tabs.leaders).toEqual(["b"])
  })
})
