/** Measured values that are not progress: "CPU 45%", "accuracy: 91%", "VRAM 8.1/24 GB". */
const MEASURED = [
  "(?:cpu|gpu|ram|vram|mem|memory|swap|disk)(?:\\d+| \\([^()%]{1,30}\\)| (?:total|user|system|sys|package|encoder|decoder|3d|[a-z]:|/[\\w/]*))?|battery|charge|fan\\d*|pwm\\d*|load|util|utili[sz]ation|mfu|usage|use up to|used|quota|occupancy",
  "acc(?:@\\d)?|accuracy|precision|recall|f1|confidence|conf|prob|probability|score|rating|grade|similarity(?: index)?|match|ssim|vmaf|psnr",
  "top-?\\d|map@[\\d.:-]+|m?iou|auc|wer|cer|sparsity|variance|purity|entropy|likelihood|chance|odds",
  "quality|opacity|transparency|alpha|gain|brightness|contrast|saturation|zoom|scale|resolution|dither|threshold|tolerance",
  "fade|pan|tempo|hue|tint|exposure|margin|padding|peak|drift|jitter|growth",
  "budget|discount|average|avg|mean|median|maximum|minimum|original|baseline|capacity|spare|fullness|buffer fill|buffered|(?<!noise )reduction|covered",
  "buffer|storage|humidity|temp|temperature|efficiency|coverage|loss|lost|idle|(?:i/o |io ?)wait|free|available|credits|(?:rate-?)?limit",
  "noise|dropped|reserved|allocated|committed|heap|rss|swapping|clipped(?: samples)?|realtime|strength|intensity|sharpness|overlap|dropout",
  "\\p{L}*auslastung|\\p{L}*speicher|last|akku|belegt|lautstärke|qualität|genauigkeit|temperatur",
  "mémoire|processeur|disque|batterie|utilisée?|qualité|précision|température|kwaliteit|geheugen",
  "mem[oó]ria|bater[ií]a|batteri[aj]|disco|usad[ao]|uso(?: d\\p{L}+ \\p{L}+)?|utilizzo|calidad|qualità|qualidade|volumen|temperatura",
  "память|памяти|процессора?|загрузка (?:процессора|цп|памяти)|точность|качество|громкость|температура|заряд|батаре\\p{L}{1,2}",
  "bandwidth|fragmentation|duty cycle|wear|life used|hit|miss(?:es)?|missed|faults|steal|busy|lag|latency|clock|wifi|wlan|rssi",
  "rms|limiter|wet|crop|velocity|guidance|floor|space saved|shrunk|cache fill|context window|kv[ _]cache|packet loss",
  "(?:dropped|dup|duplicated?|late|bad|missed|missing|lagged|corrupt(?:ed)?|failed|black) frames",
  "(?:hit|success|pass|error|failure|drop|dropout|miss|compression)[ -]rate|speed|throttled(?: to)?|(?:compression|noise) level|deflated|deduplicated|lossless,?|ratio",
].join("|")
/**
 * A name counts only directly before its figure, and only if it is not the object of the work: "CPU
 * rendering: 45%", "writing to disk: 45%" and "rendering score 45%" are progress.
 */
const UNWORKED =
  "(?<!\\b(?:to|into|onto|from|via) )(?:(?<=\\b(?:running|remaining) )|(?<!\\p{L}{3}ing (?:the )?))"
// The letter is looked for first: a drawn bar has many places where a name could begin.
const NAME = "(?:^|[^\\p{L}\\p{N}])(?=\\p{L})"
const BEGINS = `${NAME}${UNWORKED}`
/** Where words are not spaced, a name ends a longer word: "CPU使用率", "总内存". */
const UNSPACED =
  "(?:使用率|利用率|占用率|温度|音量|品質|质量|音质|画质|メモリ|バッテリー|电池|电量|内存|显存|精度|准确率|置信度|信頼度|메모리|배터리|사용률|정확도|볼륨|온도) ?[:：=]? ?$"
/** What a value does, or the state of what is measured: "CPU now at 85%", "accuracy improved to 81%". */
const DOES =
  "(?: (?:no\\.?|number|now|current(?:ly)?|improved|rose|fell|dropped|increased|decreased|climbed|grew|up|down|left|right|in use|ready|busy|online|active)){0,2}"
/** Whose value it is: "usage of GPU 0: 45%", "memory on device 1: 45%". */
const OWNED =
  "(?: (?:of|on|to|for) (?!\\P{L}*(?:render|encod|export|upload|convert|process))[\\p{L}\\p{N}][\\p{L}\\p{N} _-]{0,20})?"
const ENDS = `${OWNED}${DOES}(?:\\.{3}|…|[\\])])? ?(?:["']? ?[:=#(\\[|] ?["']?|\\[[|#=. ]+|is(?: (?:now )?at)?|was|at|to|by)? ?$`
/** These are never the object of the work: "encoding speed: 85%", "battery charging: 85%". */
const NEVER_WORKED =
  "(?<!\\b(?:check|measur|analy[sz]|chang|compar|evaluat)ing (?:the )?)\\b(?:speed|quality|accuracy|confidence|efficiency|(?:dis)?charging,?)"
/** A value is set: "setting volume to 85%", "ducking music to 30%", but not "progress set to 85%". */
const SET =
  "(?<!progress (?:is |was |has )?)\\b(?:set(?:ting)?|zoom(?:ing)?|fad(?:e|ed|ing)|duck(?:ed|ing)?|dim(?:med|ming)?|seek(?:ing)?|scal(?:e|ed|ing)|resiz(?:e|ed|ing)|stretch(?:ed|ing)?|compress(?:ed|ing)|lower(?:ed|ing)?|rais(?:e|ed|ing)|reduc(?:e|ed|ing)|increas(?:e|ed|ing)|limit(?:ed|ing)?|throttl(?:ed|ing))\\b(?![^\\d%]*progress)[^\\d%]{0,30} (?:to|by) ?$"
/** What was found, and how likely it is: "detected language: en (97%)", but not "beats detected: 97%". */
const FOUND = "\\bdetected\\b(?![^\\d%]*\\p{L}{3}ing\\b)(?: \\p{L}[^\\d%]{0,30}|[^\\d%]{0,30}\\()$"
/** The value of an option: "-q 85%", "--opacity=30%". */
const OPTION = "(?:^| )-{1,2}(?!progress|percent)[a-z][\\w-]*[ =]$"
/** Time that passes without work, or that a server takes: "Waiting for a GPU... 47%", "polling status (4/60)". */
const IDLING =
  "(?:^|[:>\\])-] ?)(?:still )?(?:waiting|poll(?:ing)?|sleeping|timed out|timeout|back(?:ing |-?)off|cooling down|cool-?down|health[ -]?check)\\b"
/** A part of the work that something else waits for is progress: "polling: processing 45%", "Waiting for frame 3/100". */
const IDLE =
  "(?![^\\d%]*(?:render|encod|export|upload|download|convert|generat|process|progress|complet))[^\\d%]*$"
const IDLE_COUNT = "[^\\d%]*(?<!\\b(?:frame|image|song|scene|tile|chunk|step)s?:? ?)$"
/**
 * The size of a file and its part of another, "predicted size 12.3 MB (45%)", "12 MB => 45%" or "12 MB -> 9 MB 45%", or
 * what stands behind a folder's name. Without a unit, only large numbers are sizes: "24 -> 60: 45%" is progress.
 */
const SIZED = [
  "^/[\\w/-]*:? $",
  "\\bsize ?[:=]? ?[\\d.]+ ?[kmgt]i?b,? ?\\(?$",
  "\\d ?[kmgt]?i?b ={1,2}> ?$",
  "(?:\\d ?[kmgt]?i?b|\\d{5}) -{1,2}> [\\d.,]+,? ?\\(?$",
  "\\d ?(?:bytes|[kmgt]?i?b)? -{1,2}> [\\d.,]+ ?(?:bytes|[kmgt]?i?b),? ?\\(?$",
  "\\d ?(?:w|kw|rpm|[mg]hz|°?c)? ?/ ?[\\d.]+ ?(?:w|kw|rpm|[mg]hz|°?c) ?\\(?$",
  // What stands beside a heat or a power is the load of the same device: "[GPU 0 | 61C | 81%]".
  "\\d ?(?:k?w|rpm|[mg]hz|°?c) ?[|,] ?$",
].join("|")
/** A part of what there is of it: "MEM 12G/64G (18%)". */
const PAIR = "[:= ]{1,3}[\\d.,]+ ?[a-z]{0,4} ?(?:/|of) ?[\\d.,]+ ?[a-z]{0,4},? ?\\(?$"
/** A value, and its part of the most: "memory 3.2 GB (18%)". */
const VALUE = "[:= ]{1,3}[-+]?[\\d.,]+ ?(?:[kmgt]i?b|°?c|k?w|rpm|[mg]?hz|ms|db\\w{0,2}) ?\\($"
/** What is left to do, in some languages: "noch 5 von 20", "remaining frames: 5/20", "reste 45 %". */
const LEFT =
  "remaining|left(?! (?:eye|view|camera|image|side|half|channel)(?!\\p{L}))|to go|pending|outstanding|still to \\p{L}+|noch|verbleiben\\p{L}*|reste(?:nt)?|quedan?|faltan?|restam?|rimangono|осталось|осталис[ья]|залишилось|剩余|残り|남은"
/** But in "12 min left 45%" it is a time. The words are looked for first: what stands before them is slow to look at. */
const LEFT_BEFORE = `(?=${LEFT})(?<!\\p{L}|\\d[\\d:.]* ?\\p{L}{0,9} )(?:${LEFT})(?: \\p{L}+)? ?[:=：]? ?$`
/** The most texts of which it is remembered whether an expression fits. */
const MOST_REMEMBERED = 64
/** Digits that no expression names: those that do are "f1" and "3d". */
const OTHER_DIGITS = /[024-9]/g

/**
 * Whether one of several expressions fits a text; as one expression, they would take four times as long. Most lines
 * differ from the one before only in their digits, so answers are remembered.
 */
function fits(...sources: string[]): (text: string) => boolean {
  const expressions = sources.map((source) => new RegExp(source, "iu"))
  const answers = new Map<string, boolean>()
  return (text) => {
    const shape = text.replace(OTHER_DIGITS, "0")
    const known = answers.get(shape)
    if (known !== undefined) return known
    const answer = expressions.some((expression) => expression.test(text))
    if (answers.size >= MOST_REMEMBERED) answers.clear()
    answers.set(shape, answer)
    return answer
  }
}

/** A level or a load that is drawn. A bar of work can have the name of another measure: "Crop [###---] 45%". */
const GAUGE =
  "(?:level|volume|peak|rms|loudness|load|battery|temp|(?:cpu|gpu|v?ram|mem(?:ory)?|disk)\\d*) ?\\[[|#=. -]+\\] ?$"

const isMeasuredBefore = fits(
  `${BEGINS}(?:(?:${MEASURED})(?:${PAIR}|${VALUE}|${ENDS})|(?:level|volume|keyframe|covers)${ENDS})`,
  `${BEGINS}${GAUGE}`,
  SIZED,
  UNSPACED,
  SET,
  OPTION,
  FOUND,
  LEFT_BEFORE,
  `${IDLING}${IDLE}`,
  `${NEVER_WORKED}${ENDS}`,
)
/** Words after a figure that say what it measures: "45% used", "37% decrease", "50% of frames failed". */
const MEASURED_AFTER =
  /^ ?[)\]]?,? ?(?:of (?:the )?(?:[a-z]+ )?)?(?:used|utili[sz]ed|in use|lost|smaller|larger|bigger|reduction|decrease|increase|failed|missing|dropped|buffered|belegt|ausgelastet|utilisée?s?|utilizad[oa]s?|usad[oa]s?|ocupad[oa]s?|gebruikt|занято|использовано|match|identical|similar|packet loss|(?<!, ?)(?:skipped|clipped|faster|slower|longer|shorter|louder|quieter|brighter|darker|better|worse|likely|confident|transparent|opaque|off|dup(?:licates?)?))(?![\p{L}\w])(?![.\-_]\w| ?(?:frames ?)?[:=]? ?\d)/iu
const RESOURCE =
  "(?:cpu|gpu|ram|vram|mem(?:ory)?|swap|disk|battery|accuracy|confidence|quality|opacity|volume|humidity|coverage|resolution|amplitude|hits|hit (?:rate|ratio)|utili[sz]ation|usage|real-?time|target|original|base|budget|quota|max(?:imum)?|full scale|speed|full|free|available|left|remaining|to go|verbleibend|übrig|restante?s?|idle)"
/** Others say so only at the end of what is said, as "45% CPU", or after "of": "45%, memory usage 3 GB" is progress. */
const RESOURCE_AFTER = new RegExp(
  `^ ?[)\\]]?,? ?(?:of (?:the )?(?:[a-z]+ )?${RESOURCE}\\b|${RESOURCE} ?(?:$|[,;)\\]|]))`,
  "iu",
)

/** The number of tries is not progress: "attempt 1/3", "Retrying (2/5)". */
const TRIED =
  "attempts?|re-?try(?:ing)?|retries|restart(?:s|ing)?|try|tries|trying(?: again)?|tentatives?|versuche?|reconnect(?:ing)?|redial(?:ing)?"
/**
 * Things of which there are several at once: "GPU 1/2". The number of one of them says nothing of the work.
 */
const BESIDE =
  "gpus?|devices?|ranks?|workers?|threads?|cores?|hosts?|machines?|replicas?|pods?|slots?|ports?|licenses?|seats?|(?<!\\p{L}{3}ing )channels?|displays?|connections?"
const RATED =
  "meter|signature|key|swing|dropped|failed|missing|warnings?|errors?|failures?|strikes?|tips?|context|in flight|pending|queue (?:size|length|depth)|elapsed|hits|votes?|stars?|difficulty|qp|crf|underruns|overruns|x-?runs|peers|seeds|clients|sessions|players|skipped|velocity|midi note|controller \\d+|(?:file )?(?:handles|descriptors)|open files|(?<!\\p{L}{3}ing )preset|bitrate|fps|ref frames|route|spent"
/** The states of things of which there are several at once: "3/9 nodes online", "nodes online: 3/9". */
const STATES =
  "ignored|lost|busy|pending|waiting|queued|online|offline|idle|free|available|left|remaining|healthy|alive|connected|taken|occupied"
const isCountedBefore = fits(
  `${NAME}(?:${TRIED}|${BESIDE}|${RATED})${ENDS}`,
  "retrying in [\\d.]+ ?\\w* ?\\(?$",
  "^\\W*(?:(?:re-?)?trying|reconnecting)\\b[^\\d%:]*[(\\[]$",
  `${IDLING}${IDLE_COUNT}`,
  `${BEGINS}(?:${MEASURED})${ENDS}`,
  `${NAME}(?:${STATES})["']? ?[:=] ?$`,
  LEFT_BEFORE,
  UNSPACED,
)
/** A tag of a song, as programs print it for each file that they read. */
const TAG =
  /\btrack ?(?:number|no\.?|num)? ?[:=] ?\(?$|\btracknumber=$|\btrck\b.*[:=] ?$|\bposition(?: in set)?\)? ?: ?$|\(#$/iu
const COUNTED_AFTER = new RegExp(
  `^ (?:[a-z]+ )?(?:(?:nodes|machines|servers|workers|hosts|gpus|slots|cores|replicas|pods|are|were|still) ){0,2}(?:attempts|retries|tries|failed|missing|dropped|skipped(?! ?[:=]? ?\\d)|duplicated|(?<=(?:frames|are|were) )(?:late|black)|hits?|to go|restants?|restantes|${STATES})\\b(?![.\\-_]\\w|=)`,
  "iu",
)
/** Things that are used, and measures: "3/10 credits", "24/32 bits". */
const USED_AFTER =
  /^ (?:[a-z]+ )?(?:requests|credits|points|stars|votes|gpus|devices|workers|threads|cores|hosts|replicas|pods|containers|context|inch(?:es)?|mm|cm|px|fps(?! ?[:=]? ?\d)|bits?|[km]bit|[km]bps|[mgk]?hz|db|lu|usd|eur|k?w|rpm|°?c|volts?|amps?)\b(?![.\-_]\w)/iu

/** The work that a count is about: "Processed 3/10 requests" is progress. */
const WORKED = /(?:render|encod|convert|export|process|mux|generat|finish|complet)\p{L}*:? ?\(?$/iu
/** What is saved of a size: "12 kB - 45% = 7 kB". */
const [SAVED_BEFORE, SAVED_AFTER] = [/\d ?[kmgt]?i?b - ?$/iu, /^ ?= ?[\d.]+ ?[kmgt]?i?b\b/iu]
/** How long something took: "waited 40/300 s", but not "took 4/10 screenshots". */
const [TOOK_BEFORE, TOOK_AFTER] = [
  /\b(?:took|waited|slept):? ?$/iu,
  /^(?:[.,;)]?\s*$| ?(?:m?s(?:ecs?)?|seconds|min(?:ute)?s?|h(?:ours)?)\b)/iu,
]
/** A size or a place in a style sheet or a picture: "width: 45%;", 'offset="45%"'. */
const [STYLE_BEFORE, STYLE_AFTER] = [/\b(?:width|height|offset)(?:: ?|=["'])$/iu, /^ ?[;"'}]/u]
/** The code that a percentage begins: "45% { opacity: 0 }". Behind words, '45% {"fps": 24}' is progress. */
const [CODE_BEFORE, CODE_AFTER] = [/^\s*$/u, /^ ?\{(?:$| ?[a-z-]+ ?:)/iu]

/** A part of all requests, and how long they took at most: "90% in 0.0412 secs", "99.9% <= 3 milliseconds". */
const WITHIN =
  /^ ?(?:(?:<=?|≤|within|under|below) ?[\d.]+|in \d\.\d{3,}) ?(?:[nuµm]?s(?:ecs?)?|(?:milli|micro)?seconds)$/iu

/** Whether the figure between these two parts of a line measures something other than progress. */
export const isMeasured = (before: string, after: string): boolean =>
  isMeasuredBefore(before) ||
  MEASURED_AFTER.test(after) ||
  RESOURCE_AFTER.test(after) ||
  (SAVED_BEFORE.test(before) && SAVED_AFTER.test(after)) ||
  (STYLE_BEFORE.test(before) && STYLE_AFTER.test(after)) ||
  (CODE_BEFORE.test(before) && (CODE_AFTER.test(after) || WITHIN.test(after)))

/** Whether the "n of m" between these two parts of a line counts something other than finished work. */
export const isCountedBeside = (before: string, after: string): boolean =>
  isCountedBefore(before) ||
  TAG.test(before) ||
  COUNTED_AFTER.test(after) ||
  (TOOK_BEFORE.test(before) && TOOK_AFTER.test(after)) ||
  (USED_AFTER.test(after) && !WORKED.test(before))

const WORDS = /(?<!\p{L})(?!(?:info|fps)(?!\p{L}))\p{L}{2}/iu
/** Words of work: what is being done, what it is done to, or how much of it is; some of other languages, too. */
const WORK = new RegExp(
  [
    "(?<!\\p{L})\\p{L}{3,}(?:ing|ando|iendo|endo)(?!\\p{L})|percent(?!\\p{L})|\\beta\\b|\\d:\\d\\d left|\\d ?[kmgt]?i?b/s",
    "progres|fortschr|avanc|voortgang|ilerle|fertig|erledigt|rendu|kodier|proces|complet|termin|abgeschl|bearbeit|berechn|verarbeit|erstell|schreib|konvert|conversion|esport|codific|salvat|concluíd|voltooid|hotovo|ukończ|postęp|lerleme|tamamla|hecho|traitement|enregistr|écrit",
    "прогресс|рендер|обраб|кодир|готов|заверш|кадр|выполн|виконан|сохран|экспорт|сжат|запис|созда|进度|渲染|处理|编码|导出|生成|完成|合成|進|処理|完了|保存|変換|書き出|出力|作成|转换|转码|轉檔|輸出|写入|レンダ|エンコ|렌더|진행|처리|완료|변환|저장|내보내|인코딩|التقدم|اكتمل",
    "\\b(?:done|complete|finish|render|transfer|captur|transcod|extract|import|publish|writ|analy[sz]|encod|convert|export|process|build|built|mux|mix|cop(?:y|ied)|upload|sent|install|total|scann|bounce|master(?:ed|:)|normali[sz]|generat|trimm|merge|joined|split|synth|denois|upscal|interpol|translat|transcri|packed|checked|verified|hashed|sync(?:ed|ing|hron)|bake|simulat)",
    "\\b(?:bild|szene|quadro|cuadro|fotogram|imagen|imagem|immagine|klatka|beeld)|帧|フレーム|프레임",
    "\\b(?:all|whole|entire|album|movie|film|project|playlist|folder|step|pass|frame|image|song|video|scene|layer|tile|sample|chunk|job|task|item|file|stage|phase|part|epoch|segment|clip|track|slide|batch|bucket|audio|vocals|drums|stem|overall|cover|chapter|sentence|word|block|thumbnail|waveform|spectrogram|subtitle)s?\\b",
  ].join("|"),
  "iu",
)

/** A file that work makes. It is not one if it is already far along when it is first seen. */
const FILE =
  /[\p{L}\p{N}_]\.(?:mp[34]|m4[av]|mkv|mov|webm|avi|wav|flac|ogg|opus|png|jpe?g|webp|gif|exr|blend)(?!\w)/iu
const MOST_OF_FILE = 1 / 3

/** Whether a text has a word of work. */
export const saysWork = (text: string): boolean => WORK.test(text)

/** Whether the words of a line name something, and say nothing of work. `fraction` is its figure, 0 to 1. */
export const isNoun = (text: string, fraction: number): boolean =>
  WORDS.test(text) && !WORK.test(text) && !(fraction <= MOST_OF_FILE && FILE.test(text))
