import { AppError } from "../errors.ts"
import { shellWord } from "../text.ts"
import type { Command, Commands } from "./command.ts"
import { say } from "./command.ts"
import { flagsOf, takes, type Usage } from "./usage.ts"

/** What a shell offers for a command. */
interface Offer {
  /** The words that may follow it: its flags, and what its first argument may be. */
  readonly words: readonly string[]
  /** By flag, the values that it takes. */
  readonly values: Readonly<Record<string, readonly string[]>>
  /** Whether a file may follow it. */
  readonly takesFiles: boolean
}

/** By the command and a flag, as they stand on the command line, the values of the flag. */
const valuesOf = (offers: ReadonlyMap<string, Offer>): [at: string, values: readonly string[]][] =>
  [...offers].flatMap(([name, { values }]) =>
    Object.entries(values).map(([flag, all]): [string, readonly string[]] => [`${name} ${flag}`, all]),
  )

/** The commands, their flags and the values of these, for bash: words alone. */
function bash(offers: ReadonlyMap<string, Offer>): string {
  const cases = [...offers].map(([name, { words }]) => `    ${name}) words=${shellWord(words.join(" "))} ;;`)
  const values = valuesOf(offers).map(
    ([at, all]) => `    ${shellWord(at)}) words=${shellWord(all.join(" "))} ;;`,
  )
  const names = [...offers.keys()]
  return `# bash completion for track-studio: source <(track-studio completion bash)
_track_studio() {
  local word=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD-1]} words="" i command=""
  if [[ $word == "=" ]]; then word=""; elif [[ $flag == "=" ]]; then flag=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i += 1)); do
    case \${COMP_WORDS[i]} in
      --) return ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    "") words=${shellWord([...names, "help", "--help", "--version"].join(" "))} ;;
    help) words=${shellWord(names.join(" "))} ;;
${cases.join("\n")}
  esac
  case "$command $flag" in
${values.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _track_studio track-studio`
}

/** The commands with what they do, their flags and the values of these, for zsh. */
function zsh(offers: ReadonlyMap<string, Offer>, commands: Commands): string {
  const described = Object.entries(commands).map(
    ([name, { about }]) => `    ${shellWord(`${name}:${about}`)}`,
  )
  const cases = [...offers].map(
    ([name, { words, takesFiles }]) =>
      `    ${name}) compadd -- ${words.join(" ")}${takesFiles ? "; _files" : ""} ;;`,
  )
  const values = valuesOf(offers).map(
    ([at, all]) => `    ${shellWord(at)}) compadd -- ${all.join(" ")}; return ;;`,
  )
  return `#compdef track-studio
# zsh completion for track-studio: source <(track-studio completion zsh)
_track_studio() {
  local -a commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case "$words[2] $words[CURRENT-1]" in
${values.join("\n")}
  esac
  case $words[2] in
${cases.join("\n")}
    help) _describe command commands ;;
  esac
}
compdef _track_studio track-studio`
}

function offerOf(usage: Usage): Offer {
  const flags = Object.entries(flagsOf(usage)).map(([name, flag]) => [`--${name}`, flag.choices] as const)
  const values = flags.flatMap(([name, choices]) => (choices ? [[name, choices] as const] : []))
  return {
    words: [...(usage.choices ?? []), ...flags.map(([name]) => name)],
    values: Object.fromEntries(values),
    takesFiles: usage.choices === undefined,
  }
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
    takes(given, 1)
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
