import { AppError } from "../errors.ts"
import { shellWord } from "../text.ts"
import { type Command, type Commands, say } from "./command.ts"
import { flagsOf, refuseMoreWords, type Usage } from "./usage.ts"

/** In the words of a script, these stand for the items' IDs, for the names of files, and for anything, of which nothing is offered. */
const [IDS, FILES, ANYTHING] = ["@ids", "@files", "@anything"]
/** In the words of a script, these stand for the names that the server knows: each is the command that lists them. */
const KNOWN = { workers: "@workers", kinds: "@kinds" } as const
/** The values of flags that are names of files, by their word in the help. */
const FILE_WORDS = new Set(["FILE", "FOLDER", "DATABASE", "COMMAND"])

/** What a shell offers for a command. */
interface Offer {
  readonly flags: readonly string[]
  /**
   * What its arguments may be: words, `IDS` or `FILES`. If there are none, the command's flags are offered in
   * their place.
   */
  readonly words: readonly string[]
  /** For each flag that takes a value: what the value may be, as words, `IDS`, `FILES`, one of `KNOWN`, or `ANYTHING`. */
  readonly values: Readonly<Record<string, readonly string[]>>
}

type Offers = ReadonlyMap<string, Offer>

/** The cases of the commands for one kind of words. */
const casesOf = (offers: Offers, kind: "flags" | "words"): string =>
  [...offers].map(([name, offer]) => `    ${name}) ${kind}=${shellWord(offer[kind].join(" "))} ;;`).join("\n")

/** The cases of the flags that take a value, each behind its command as they stand on the command line. */
const valueCases = (offers: Offers): string =>
  [...offers]
    .flatMap(([name, { values }]) =>
      Object.entries(values).map(
        ([flag, words]) => `    ${shellWord(`${name} ${flag}`)}) words=${shellWord(words.join(" "))} ;;`,
      ),
    )
    .join("\n")

/**
 * Reads the names that a command lists as JSON, the name first; its last lines are still to come. A name that JSON
 * has to escape is left out.
 */
const NAMES = `  local name
  \${~1} $2 --json 2>/dev/null </dev/null | while IFS= read -r name; do
    name=\${name#*:\\"} name=\${name%%\\",*}
    [[ $name == *\\\\* ]] && continue`

/** Offers the IDs of items, and names that begin with the word as it is typed, quoted. */
const BASH_NAMED = `_track_studio_ids() {
  local id rest only=()
  if [[ $2 == retry ]]; then only=(--status failed); fi
  "$1" list "\${only[@]}" 2>/dev/null </dev/null | while read -r id rest; do [[ $id == [0-9]* ]] && printf '%s ' "$id"; done
}
_track_studio_names() {
${NAMES.replace("${~1}", '"$1"')}
    name=$(printf %q "$name")
    [[ $name == "$3"* ]] && printf '%s\\n' "$name"
  done
}`

/** The commands, their flags and the values of these, for bash: words alone. Without any, bash offers files. */
function bash(offers: Offers): string {
  const names = [...offers.keys()]
  return `# bash completion for track-studio: source <(track-studio completion bash)
${BASH_NAMED}
_track_studio() {
  local word=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD-1]} words="" flags="" i command=""
  if [[ $word == "=" ]]; then word=""; elif [[ $flag == "=" ]]; then flag=\${COMP_WORDS[COMP_CWORD-2]}; fi
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i += 1)); do
    case \${COMP_WORDS[i]} in
      --) return ;;
      -*) ;;
      *) command=\${command:-\${COMP_WORDS[i]}} ;;
    esac
  done
  case $command in
    "") words=${shellWord([...names, "help"].join(" "))} flags="--help --version" ;;
    help) words=${shellWord(names.join(" "))} ;;
${casesOf(offers, "words")}
  esac
  case $command in
${casesOf(offers, "flags")}
  esac
  if [[ -z $words || $word == -* ]]; then words=$flags; fi
  case "$command $flag" in
${valueCases(offers)}
  esac
  case $words in
    ${FILES}) return ;;
    ${ANYTHING}) compopt +o default; return ;;
    ${IDS}) words=$(_track_studio_ids "\${COMP_WORDS[0]}" "$command") ;;
    ${Object.values(KNOWN).join("|")})
      compopt +o default
      mapfile -t COMPREPLY < <(_track_studio_names "\${COMP_WORDS[0]}" "\${words#@}" "$word")
      return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _track_studio track-studio`
}

/**
 * Offers the IDs of items with the lines that `list` has for them, in its order. For `retry` these are the failed
 * ones, which are the last of all: behind many waiting ones they would never be offered.
 */
const ZSH_IDS = `_track_studio_ids() {
  local -a ids=() lines=() only=()
  local line id rest
  if [[ $words[2] == retry ]]; then only=(--status failed); fi
  \${~words[1]} list $only 2>/dev/null </dev/null | while IFS= read -r line; do
    read -r id rest <<<"$line"
    [[ $id == <-> ]] && ids+=("$id") lines+=("\${line[1,COLUMNS-1]}")
  done
  compadd -l -V items -d lines -a -- ids
}
_track_studio_names() {
  local -a names=()
${NAMES}
    names+=("$name")
  done
  compadd -a -- names
}`

/** Completes what follows the equals sign of a flag as the value of that flag. */
const ZSH_INLINE = `  if [[ $words[CURRENT] == --*=* ]]; then
    flag=\${words[CURRENT]%%=*} offered=""
    compset -P '*='
  fi`

/** Offers what may be typed. */
const ZSH_OFFER = `  case $offered in
    ${FILES}) _files ;;
    ${ANYTHING}) ;;
    ${IDS}) _track_studio_ids ;;
    ${Object.values(KNOWN).join("|")}) _track_studio_names $words[1] \${offered#@} ;;
    *) compadd -- \${=offered} ;;
  esac`

/** The commands with what they do, their flags and the values of these, for zsh. */
function zsh(offers: Offers, commands: Commands): string {
  const described = Object.entries(commands).map(
    ([name, { about }]) => `    ${shellWord(`${name}:${about}`)}`,
  )
  return `#compdef track-studio
# zsh completion for track-studio: source <(track-studio completion zsh)
${ZSH_IDS}
_track_studio() {
  local -a commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)) || [[ $words[2] == help ]]; then
    _describe command commands
    return
  fi
  if ((\${words[(I)--]} > 0 && \${words[(I)--]} < CURRENT)); then
    _files
    return
  fi
  local offered flags flag=$words[CURRENT-1]
  case $words[2] in
${casesOf(offers, "words").replaceAll(") words=", ") offered=")}
  esac
  case $words[2] in
${casesOf(offers, "flags")}
  esac
  if [[ -z $offered || $words[CURRENT] == -* ]]; then offered=$flags; fi
${ZSH_INLINE}
  case "$words[2] $flag" in
${valueCases(offers).replaceAll(") words=", ") offered=")}
  esac
${ZSH_OFFER}
}
compdef _track_studio track-studio`
}

/** What the arguments of a command may be. */
function wordsOf({ line, choices }: Usage): readonly string[] {
  if (choices) return choices
  const [, first = ""] = line.split(" ")
  if (/^\[?ID\b/.test(first)) return [IDS]
  if (first.includes("FILE")) return [FILES]
  return /^$|^\[?--/.test(first) ? [] : [ANYTHING]
}

/** What a value with this word in the help may be. */
const valueOf = (word: string): string => (word === "ID" ? IDS : FILE_WORDS.has(word) ? FILES : ANYTHING)

function offerOf(usage: Usage): Offer {
  const flags = Object.entries(flagsOf(usage)).map(([name, flag]) => [`--${name}`, flag] as const)
  const values = flags
    .filter(([, { type }]) => type === "string")
    .map(([name, { choices, known, placeholder = "" }]) => [
      name,
      choices ?? [known ? KNOWN[known] : valueOf(placeholder)],
    ])
  return { flags: flags.map(([name]) => name), words: wordsOf(usage), values: Object.fromEntries(values) }
}

/** Prints a completion script for a shell. */
export const completionCommand = (commands: Commands): Command => ({
  usage: {
    line: "completion bash|zsh",
    choices: ["bash", "zsh"],
    about: `Prints a completion script. For bash, add to ~/.bashrc:  source <(track-studio completion bash)
For zsh, add to ~/.zshrc after compinit:  source <(track-studio completion zsh)`,
    settings: [],
    flags: {},
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const [shell] = given.words
    if (shell !== "bash" && shell !== "zsh") {
      throw new AppError(
        "invalid",
        shell === undefined ? "missing bash or zsh" : `shell must be bash or zsh, not "${shell}"`,
      )
    }
    const offers = new Map<string, Offer>()
    for (const [name, { load }] of Object.entries(commands)) offers.set(name, offerOf((await load()).usage))
    say(shell === "bash" ? bash(offers) : zsh(offers, commands))
    return 0
  },
})
