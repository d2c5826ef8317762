/** What must be known of a renderer in addition to its output. */
interface Traits {
  /** The unit of its total; undefined if that depends on the command. */
  readonly totalIn: "seconds" | "frames" | undefined
  /** Whether its output says that it has ended. If not, only its finished work proves that. */
  readonly saysEnd: boolean
}

/** The renderers whose output is understood; `lines` is any program that prints percentages or "n of m". */
export const RENDERERS = {
  ffmpeg: { totalIn: "seconds", saysEnd: true },
  // Its last line, "Blender quit", proves nothing: only its frames do.
  blender: { totalIn: "frames", saysEnd: false },
  lines: { totalIn: undefined, saysEnd: true },
} as const satisfies Readonly<Record<string, Traits>>

/** The name of a renderer. */
export type RendererName = keyof typeof RENDERERS

/** The names of all renderers; Object.keys forgets which keys they are. */
export const RENDERER_NAMES = Object.keys(RENDERERS) as RendererName[]
