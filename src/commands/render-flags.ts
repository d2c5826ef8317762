import { hostname } from "node:os"

import { AppError } from "../errors.ts"
import { MAX_TEXT_BYTES } from "../item/item.ts"
import { DEFAULT_LEASE_S, MAX_LEASE_S } from "../item/lease.ts"
import { RENDERER_NAMES, type RendererName } from "../renderers/names.ts"
import { textFlag } from "../settings/read-settings.ts"
import { wholeFlag } from "./command.ts"
import type { Arguments, CommandFlag } from "./usage.ts"

const MAX_REPORT_WITHIN_S = 86_400

/** The flags of every command that renders. */
export const RENDER_FLAGS = {
  renderer: {
    type: "string",
    placeholder: "NAME",
    choices: RENDERER_NAMES,
    help: `how to read the output: ${RENDERER_NAMES.join(", ")}; default: detected from the command`,
  },
  worker: {
    type: "string",
    placeholder: "NAME",
    help: "worker name shown to viewers; default: the host name",
  },
  lease: {
    type: "string",
    placeholder: "S",
    help: `seconds of silence before the item goes to another worker; default ${DEFAULT_LEASE_S}`,
  },
} as const satisfies Record<string, CommandFlag>

/** The flag that says which items are similar. */
export const KIND_FLAG = {
  kind: {
    type: "string",
    placeholder: "KIND",
    known: "kinds",
    help: "name for items that render alike, so that their times are learned together; default: by their steps",
  },
} as const satisfies Record<string, CommandFlag>

/** A total: a number above 0. @throws AppError `invalid` */
export function totalOf(text: string, flag: string): number {
  const total = /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : 0
  if (total > 0) return total
  throw new AppError("invalid", `--${flag} must be a number above 0, such as 212.5, not "${text}"`)
}

/** The flag for how long to try to report a result, which each command has with its own default. */
export const reportWithinFlag = (defaultS: number): CommandFlag => ({
  type: "string",
  placeholder: "S",
  help: `seconds to keep trying to report the result; default ${defaultS}`,
})

function rendererFlag({ flags }: Arguments): RendererName | undefined {
  const name = textFlag(flags, "renderer")
  if (name === undefined) return undefined
  const known = RENDERER_NAMES.find((each) => each === name)
  if (known) return known
  throw new AppError("invalid", `--renderer must be one of ${RENDERER_NAMES.join(", ")}, not "${name}"`)
}

function workerFlag({ flags }: Arguments): string {
  const name = textFlag(flags, "worker") ?? hostname()
  // An address cannot end with these, so such a worker could not be drained.
  const isStep = name === "." || name === ".."
  if (name !== "" && !isStep && Buffer.byteLength(name) <= MAX_TEXT_BYTES) return name
  throw new AppError("invalid", `--worker must be a name of 1 to ${MAX_TEXT_BYTES} bytes, and not . or ..`)
}

/** The values of the flags of every command that renders. */
interface RenderFlags {
  /** How to read the output; undefined: detect it from the command. */
  readonly renderer: RendererName | undefined
  /** The worker's name, shown to viewers. */
  readonly worker: string
  /** Length of the lease in seconds. */
  readonly leaseS: number
  /** How long to keep trying to report the result. */
  readonly reportWithinMs: number
}

/** Reads the flags of every command that renders; `defaultS` is for `--report-within`. @throws AppError `invalid` */
export function renderFlags(given: Arguments, defaultS: number): RenderFlags {
  const within = { least: 0, most: MAX_REPORT_WITHIN_S, fallback: defaultS }
  return {
    renderer: rendererFlag(given),
    worker: workerFlag(given),
    leaseS: wholeFlag(given, "lease", { least: 1, most: MAX_LEASE_S, fallback: DEFAULT_LEASE_S }),
    reportWithinMs: wholeFlag(given, "report-within", within) * 1000,
  }
}
