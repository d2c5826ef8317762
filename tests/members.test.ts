import { expect, test } from "bun:test"

import { exportersOf, importsOf, membersOf, promisedBy } from "./members.ts"

const SOURCE = `
/** A contract. */
export interface Shown {
  /** Said. */
  readonly said: string
  readonly silent: number
  readonly inner: {
    readonly deep: string
  }
  method(
    parameter: string,
  ): void
}

interface Hidden {
  readonly silent: number
}

export type Union =
  | { readonly short: true }
  | {
      readonly silent: string
    }

/** A class. */
export class Thing implements Shown {
  readonly #own = 1
  readonly said = ""
  extra = 2

  constructor(value: string) {
    this.extra = value.length
  }

  /** Said. */
  async method(): Promise<void> {
    const local: number = 3
  }

  get silent(): number {
    return 4
  }
}

/** A schema. */
export const Schema = Type.Object(
  {
    silent: Type.String(),
    described: Type.String({ description: "said" }),
    lines: Type.String({
      description: "said",
    }),
    /** Said. */
    commented: Type.String(),
    other: Schema.properties.described,
  },
  { additionalProperties: false },
)
`

test("the members of contracts are found, and whether they say what they are", () => {
  const members = membersOf(SOURCE, new Set())
  const names = (isDocumented: boolean): string[] =>
    members.filter((one) => one.isDocumented === isDocumented).map(({ of, name }) => `${of}.${name}`)
  expect(names(true)).toEqual([
    "Shown.said",
    "Thing.method",
    "Schema.described",
    "Schema.lines",
    "Schema.commented",
    "Schema.other",
  ])
  expect(names(false)).toEqual([
    "Shown.silent",
    "Shown.inner",
    "Shown.deep",
    "Shown.method",
    "Union.silent",
    "Thing.said",
    "Thing.extra",
    "Thing.silent",
    "Schema.silent",
  ])
})

test("a class need not say again what its interface says", () => {
  const members = membersOf(SOURCE, new Set(promisedBy(SOURCE)))
  expect(members.filter(({ of }) => of === "Thing").map(({ name }) => name)).toEqual(["extra"])
})

test("a comment without a word says nothing, a head may take several lines, and an arm of a union is a member", () => {
  const source = `
export interface Long
  extends One, Two<
    Three
  > {
  /** . */
  readonly dotted: string
}

export class Heir
  extends One
  implements Two
{
  protected get silent(): number {
    return 1
  }

  override said(): void {}
}

export type Union =
  | { readonly type: "silent"; readonly value: string }
  /** An arm. */
  | { readonly type: "said"; readonly value: string }
`
  const members = membersOf(source, new Set())
  expect(members.map(({ of, name, isDocumented }) => [of, name, isDocumented])).toEqual([
    ["Long", "dotted", false],
    ["Heir", "silent", false],
    ["Heir", "said", true],
    ["Union", '"silent"', false],
    ["Union", '"said"', true],
  ])
})

test("a name that two files export is found, whatever it is; a schema and its type are one", () => {
  const found = exportersOf([
    ["a", "export const One = 1\nexport type One = typeof One\nconst two = 2\n"],
    ["b", "export interface One {\n}\nexport async function two() {}\n"],
  ])
  expect([...found]).toEqual([
    ["One", ["a", "b"]],
    ["two", ["b"]],
  ])
})

test("imports are read with their names: of types, under other names, of all, and at the first use", () => {
  const source = [
    'import { one, type Two, three as other } from "./a.ts"',
    'export type { Four } from "../b.ts"',
    'import * as all from "./c.ts"',
    'const { five } = await import("./d.ts")',
    'import { of } from "package"',
  ]
  expect(importsOf(source.join("\n")).map(({ from, name }) => `${from} ${name}`)).toEqual([
    "./a.ts one",
    "./a.ts Two",
    "./a.ts three",
    "../b.ts Four",
    "./c.ts *",
    "./d.ts *",
  ])
})
