import { expect, test } from "bun:test"

import { isMeasured } from "../../src/renderers/measured-in-line.ts"

/** Names of measured values, some of each kind that is known. */
const NAMES = [
  ...[
    "CPU",
    "gpu1",
    "VRAM",
    "swap",
    "Disk C:",
    "battery",
    "fan2",
    "load",
    "utilization",
    "quota",
    "occupancy",
  ],
  ...["acc", "acc@5", "precision", "F1", "confidence", "probability", "score", "similarity", "SSIM", "vmaf"],
  ...["top-1", "mIoU", "AUC", "WER", "variance", "entropy", "likelihood", "odds"],
  ...["quality", "opacity", "alpha", "gain", "contrast", "saturation", "resolution", "threshold"],
  ...["fade", "pan", "tempo", "hue", "exposure", "padding", "peak", "drift", "growth"],
  ...["budget", "average", "avg", "median", "maximum", "baseline", "capacity", "buffered", "reduction"],
  ...["buffer", "humidity", "temperature", "efficiency", "loss", "idle", "iowait", "free", "rate-limit"],
  ...["noise", "dropped", "reserved", "heap", "rss", "realtime", "strength", "overlap"],
  ...["Prozessorauslastung", "Arbeitsspeicher", "akku", "qualität", "mémoire", "batterie", "précision"],
  ...["memoria", "bateria", "disco", "uso de CPU", "calidad", "volumen", "память", "точность", "заряд"],
  ...["bandwidth", "duty cycle", "wear", "hit", "misses", "busy", "latency", "wifi", "rssi"],
  ...["rms", "limiter", "wet", "crop", "velocity", "guidance", "context window", "kv cache", "packet loss"],
  ...["dropped frames", "late frames", "corrupted frames", "hit rate", "error-rate", "speed", "ratio"],
  ...["throttled to", "compression level", "deduplicated"],
]

test("a figure directly behind the name of a measured value is measured", () => {
  const missed = NAMES.filter((name) => !isMeasured(`${name}: `, "%") && !isMeasured(`${name} `, "%"))
  expect(missed).toEqual([])
})

test("the same names are no measured values where they are what the work is done to", () => {
  for (const text of ["rendering CPU ", "writing to disk: ", "encoding the peak "])
    expect([text, isMeasured(text, "%")]).toEqual([text, false])
})

test("time that passes without work is measured, and work that something else waits for is not", () => {
  for (const text of ["waiting for a GPU... ", "polling status ", "still sleeping ", "[1] cooling down: "])
    expect([text, isMeasured(text, "%")]).toEqual([text, true])
  const works = ["render", "encod", "export", "upload", "download", "convert", "generat", "process"]
  for (const work of works) expect(isMeasured(`waiting: ${work}ing `, "%")).toBe(false)
  expect([isMeasured("polling: progress ", "%"), isMeasured("polling: completed ", "%")]).toEqual([
    false,
    false,
  ])
})
