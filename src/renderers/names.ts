/** The renderers whose output is understood; `lines` is any program that prints percentages or "n of m". */
export const RENDERER_NAMES = ["ffmpeg", "blender", "lines"] as const

/** One of `RENDERER_NAMES`. */
export type RendererName = (typeof RENDERER_NAMES)[number]
