import { expect, test } from "bun:test"

import { causeOf } from "../src/failure-cause.ts"

test.each([
  "Fehler: Datei nicht gefunden",
  "Erreur : fichier introuvable",
  "Error: no se encontró el archivo",
  "Errore: file non trovato",
  "Erro: arquivo não encontrado",
  "Fout: bestand niet gevonden",
  "Błąd: nie znaleziono pliku",
  "Ошибка: файл не найден",
  "エラー: ファイルが見つかりません",
  "错误：找不到文件 song.wav",
  "오류: 파일을 찾을 수 없습니다",
])("the telling line in another language: %s", (line) => {
  expect(causeOf(`loading\n${line}\nbye`)).toBe(line)
})

test.each(["0 Fehler, 2 Warnungen", "keine Fehler", "aucune erreur", "ошибок: 0", "エラー: 0", "没有错误"])(
  "what did not happen is no cause: %s",
  (line) => expect(causeOf(`error: disk full\n${line}`)).toBe("error: disk full"),
)

test.each(["Rendering fehlgeschlagen.", "Échec du rendu", "レンダリングに失敗しました。", "Render aborted."])(
  "the words with which a program gives up are no cause: %s",
  (line) => expect(causeOf(`error: disk full\n${line}`)).toBe("error: disk full"),
)

test("of an exception that another one caused, the one that happened first", () => {
  const java = `Exception in thread "main" java.lang.RuntimeException: render
\tat a.B.c(B.java:1)
Caused by: java.io.UncheckedIOException: scene 3
\tat a.B.d(B.java:2)
Caused by: java.io.IOException: disk full
\tat a.B.e(B.java:3)
\t... 1 more`
  expect(causeOf(java)).toBe("java.io.IOException: disk full")
  expect(causeOf(java.replace(": disk full", ""))).toBe("java.io.UncheckedIOException: scene 3")
  const node = `Error: render failed
    at render (/app/a.js:1:2) {
  [cause]: Error: ENOSPC: no space left on device
      at write (/app/b.js:3:4)
}`
  expect(causeOf(node)).toBe("Error: ENOSPC: no space left on device")
})

test("of a stack of Lua, the line above it", () => {
  const lua =
    "lua: a.lua:3: attempt to index a nil value\nstack traceback:\n\ta.lua:3: in main chunk\n\t[C]: in ?"
  expect(causeOf(lua)).toBe("lua: a.lua:3: attempt to index a nil value")
})
